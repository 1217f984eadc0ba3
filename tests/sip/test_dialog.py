from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from tests.sip.specimens import INVITE

from callgate.errors import ProtocolError
from callgate.sip.dialog import Dialog
from callgate.sip.message import Field, Request, Response, read_message

SOURCE = (ip_address("192.168.1.10"), 5060)
ROUTES = ("Record-Route", "<sip:b;lr>, <sip:a;lr>")


def invite() -> Request:
    read = read_message(INVITE)
    assert isinstance(read, Request)
    return read


def accepted(*more: Field) -> Response:
    return invite().response(200, "OK", SOURCE, tag="theirs", more=more)


def test_the_caller_turns_the_record_route_round() -> None:
    """RFC 3261, 12.1.2: the caller reverses what 12.1.1 has the called take in order."""
    dialog = Dialog.of_caller(invite(), accepted(ROUTES, ("Contact", "<sip:bob@192.0.2.7:5062;transport=tcp?x=y>")))
    assert dialog.routes == ("<sip:a;lr>", "<sip:b;lr>")
    assert dialog.target == "sip:bob@192.0.2.7:5062;transport=tcp"
    assert (dialog.local_tag, dialog.remote_tag, dialog.sequence) == ("c3", "theirs", 7)
    bye = read_message(dialog.next().request("BYE", "SIP/2.0/UDP h;branch=z9hG4bKb").encode())
    assert isinstance(bye, Request)
    assert (bye.method, bye.uri, bye.cseq.sequence) == ("BYE", dialog.target, 8)
    assert bye.values("Route") == ["<sip:a;lr>", "<sip:b;lr>"]
    assert (bye.sender.tag, bye.recipient.tag, bye.call_id) == ("c3", "theirs", "call@192.168.1.51")


def test_the_called_keeps_the_order() -> None:
    dialog = Dialog.of_called(invite(), "ours")
    assert dialog.routes == ("<sip:192.168.1.10;lr>", "<sip:192.168.1.10:5061;transport=tls;lr>")
    bye = dialog.next().request("BYE", "SIP/2.0/UDP h;branch=z9hG4bKb").check()
    assert bye.uri == "sip:1002@192.168.1.51:5060;transport=udp"
    assert (bye.sender.tag, bye.recipient.tag, bye.cseq.sequence) == ("ours", "c3", 1)


def test_a_strict_router_gets_the_request_itself() -> None:
    """RFC 3261, 12.2.1.1: the first route without lr becomes the URI, the target the last route."""
    strict = ("Record-Route", "<sip:b;lr>, <sip:a;lrx=1>")
    dialog = Dialog.of_caller(invite(), accepted(strict, ("Contact", "<sip:bob@192.0.2.7>")))
    ack = dialog.request("ACK", "SIP/2.0/UDP h;branch=z9hG4bKb")
    assert (ack.uri, ack.values("Route")) == ("sip:a;lrx=1", ["<sip:b;lr>", "<sip:bob@192.0.2.7>"])


def test_an_answer_without_contact_is_talked_to_where_it_was_called() -> None:
    assert Dialog.of_caller(invite(), accepted()).target == invite().uri


@pytest.mark.parametrize(
    "field",
    [
        ("Contact", "<mailto:a@b>"),
        ("Contact", "<"),
        ("Record-Route", "<a"),
        ("Record-Route", ",".join(33 * ["<sip:a;lr>"])),
    ],
)
def test_a_malformed_answer_is_named(field: Field) -> None:
    with pytest.raises(ProtocolError):
        Dialog.of_caller(invite(), accepted(field))


def test_an_invite_without_contact_makes_no_dialog() -> None:
    bare = replace(invite(), fields=tuple(field for field in invite().fields if field[0] != "m"))
    with pytest.raises(ProtocolError, match="without Contact"):
        Dialog.of_called(bare, "ours")


def test_a_request_is_within_the_dialog_by_call_and_both_tags() -> None:
    dialog = Dialog.of_called(invite(), "ours")

    def bye(old: bytes, new: bytes) -> Request:
        data = INVITE.replace(b"INVITE", b"BYE").replace(b"1001@pbx.lab>", b"1001@pbx.lab>;tag=ours")
        read = read_message(data.replace(old, new))
        assert isinstance(read, Request)
        return read

    assert dialog.holds(bye(b"Max-Forwards: 69", b"Max-Forwards: 68"))
    assert not dialog.holds(bye(b"tag=ours", b"tag=other"))
    assert not dialog.holds(bye(b";tag=ours", b""))
    assert not dialog.holds(bye(b"tag=c3", b"tag=c4"))
    assert not dialog.holds(bye(b"call@", b"call2@"))
