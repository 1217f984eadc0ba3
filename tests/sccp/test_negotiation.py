"""Which protocol version two ends agree on, and what headers say of it."""

from __future__ import annotations

import pytest

from callgate.sccp import Message, Negotiation, UnknownMessage
from callgate.sccp.messages.keys import KeypadButtonMessage
from callgate.sccp.messages.registration import (
    KeepAliveAckMessage,
    KeepAliveReqMessage,
    RegisterAckMessage,
    RegisterRejectMessage,
    RegisterReqMessage,
    UnregisterAckMessage,
    UnregisterReqMessage,
)
from callgate.sccp.negotiation import TELLING, UNVERSIONED, header_version


@pytest.mark.parametrize(
    ("offered", "accepted", "version"),
    [
        (None, None, 0),
        (None, 11, 0),
        (11, None, 0),
        (0, 0, 0),
        (0, 22, 0),
        (3, 3, 3),
        (3, 11, 3),
        (11, 3, 3),
        (11, 11, 11),
        (11, 17, 11),
        (17, 11, 11),
        (17, 22, 17),
        (22, 22, 22),
        (22, 20, 20),
        (25, 22, 22),
        (22, 25, 22),
        (33, 33, 22),
        (33, 17, 17),
        (17, 33, 17),
        (11, 48, 11),  # chan_skinny sends the character zero
    ],
)
def test_the_lower_version_holds(offered: int | None, accepted: int | None, version: int) -> None:
    negotiation = Negotiation()
    negotiation.observe(RegisterReqMessage(protocol_ver=offered))
    assert (negotiation.offered, negotiation.version) == (offered or 0, 0)
    negotiation.observe(RegisterAckMessage(max_protocol_ver=accepted))
    assert negotiation.version == version
    assert negotiation.offered == (offered or 0)


@pytest.mark.parametrize(("accepted", "version"), [(None, 0), (0, 0), (11, 11), (22, 22), (33, 22)])
def test_where_no_offer_was_seen_the_servers_version_holds(accepted: int | None, version: int) -> None:
    negotiation = Negotiation()
    assert (negotiation.offered, negotiation.version) == (None, 0)
    negotiation.observe(RegisterAckMessage(max_protocol_ver=accepted))
    assert (negotiation.offered, negotiation.version) == (None, version)


@pytest.mark.parametrize("end", [RegisterRejectMessage(text=b"no"), UnregisterAckMessage(status=0)])
def test_a_rejection_and_an_unregistration_end_what_was_agreed(end: RegisterRejectMessage) -> None:
    negotiation = Negotiation()
    negotiation.observe(RegisterReqMessage(protocol_ver=17))
    negotiation.observe(RegisterAckMessage(max_protocol_ver=22))
    negotiation.observe(end)
    assert (negotiation.offered, negotiation.version) == (None, 0)
    negotiation.observe(RegisterAckMessage(max_protocol_ver=22))
    assert negotiation.version == 22


def test_a_new_registration_begins_anew() -> None:
    negotiation = Negotiation()
    negotiation.observe(RegisterReqMessage(protocol_ver=17))
    negotiation.observe(RegisterAckMessage(max_protocol_ver=22))
    negotiation.observe(RegisterReqMessage(protocol_ver=11))
    assert (negotiation.offered, negotiation.version) == (11, 0)


def test_other_messages_change_nothing() -> None:
    negotiation = Negotiation()
    negotiation.observe(RegisterReqMessage(protocol_ver=17))
    negotiation.observe(RegisterAckMessage(max_protocol_ver=22))
    for message in (KeypadButtonMessage(kp_button=5), UnregisterReqMessage(), UnknownMessage(0x7000)):
        negotiation.observe(message)
        assert (negotiation.offered, negotiation.version) == (17, 17)
        assert type(message) not in TELLING


@pytest.mark.parametrize("cls", [RegisterReqMessage, RegisterAckMessage, KeepAliveAckMessage, UnregisterAckMessage])
def test_some_headers_say_0_whatever_was_negotiated(cls: type[Message]) -> None:
    assert cls in UNVERSIONED
    assert len(UNVERSIONED) == 4
    assert [header_version(cls, version) for version in (0, 9, 10, 22, 33)] == [0] * 5


def test_other_headers_say_what_was_negotiated_from_10() -> None:
    versions = (0, 3, 9, 10, 11, 22, 23, 33)
    expected = [0, 0, 0, 10, 11, 22, 22, 22]
    assert [header_version(KeypadButtonMessage, version) for version in versions] == expected
    assert header_version(KeepAliveReqMessage, 22) == 22
    assert header_version(RegisterRejectMessage, 22) == 22
