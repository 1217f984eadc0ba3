"""Whose response it is. Kamailio's and SIPp's are recorded from the real ones, the others made as published ones."""

from __future__ import annotations

import re
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.endpoint.probe.sip_fingerprint import Basis, Fingerprint, fingerprint
from callgate.endpoint.probe.sip_products import (
    BRANCH_TAG,
    CHAN_PJSIP,
    CHAN_SIP,
    CUCM,
    FREESWITCH,
    HABITS,
    IOS,
    KAMAILIO,
    OPENSIPS,
    PJSIP,
    PRODUCT_NAMES,
    SER,
    SIPP,
    SOFIA,
    WIDER,
)
from callgate.sip.options import options_request

TOKEN = "c0ffee0123456789c0ffee01"
REQUEST = options_request(ip_address("127.0.0.1"), 5060, "udp", TOKEN)
VIA = f"Via: SIP/2.0/UDP callgate.invalid;branch=z9hG4bK{TOKEN};rport=49356;received=127.0.0.1"
FROM = f"From: <sip:callgate@callgate.invalid>;tag={TOKEN}"
CALL = f"Call-ID: {TOKEN}@callgate.invalid"
BRANCH = f"z9hG4bK{TOKEN}"


def response(*headers: str, tag: str = "", status: str = "200 OK", order: str = "vftic") -> bytes:
    """A response as a server makes it: the request's headers in `order`, then its own."""
    to = "To: <sip:127.0.0.1:5060>" + (f";tag={tag}" if tag else "")
    own = {"v": VIA, "f": FROM, "t": to, "i": CALL, "c": "CSeq: 1 OPTIONS", "d": "Date: Sun, 02 Mar 2025 06:10:47 GMT"}
    return "\r\n".join([f"SIP/2.0 {status}", *(own[letter] for letter in order), *headers, "", ""]).encode()


def of(message: bytes) -> Fingerprint:
    found = fingerprint(REQUEST, message)
    assert found is not None
    return found


LENGTH = "Content-Length: 0"
KAMAILIO_RECORDED = response(
    "Server: kamailio (5.6.3 (x86_64/linux))",
    LENGTH,
    status="404 Not here",
    tag="e79fe55962228e8538d51eb60aea8259.e1850000",
)
SIPP_RECORDED = response("Contact: <sip:127.0.0.1:25071;transport=UDP>", LENGTH, tag="985SIPpTag011")
CHAN_SIP_ALLOW = "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PUBLISH, MESSAGE"
PJSIP_ALLOW = (
    "Allow: OPTIONS, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, REGISTER, REFER, MESSAGE"
)
PJSIP_SUPPORTED = "Supported: 100rel, timer, replaces, norefersub"
SOFIA_ALLOW = (
    "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY, PUBLISH, SUBSCRIBE"
)
CUCM_ALLOW = "Allow: INVITE, OPTIONS, INFO, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY"
IOS_ALLOW = "Allow: INVITE, OPTIONS, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY, INFO, REGISTER"
CUCM_TAG = "7514947~cebb7f50-2ebf-4525-bd7d-e4b809198081-34633460"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (KAMAILIO_RECORDED, "Kamailio 5.6.3 (says so itself)"),
        (
            response("Server: Asterisk PBX 1.8.32.3", CHAN_SIP_ALLOW, "Supported: replaces, timer", tag="as1b85dfe3"),
            "Asterisk (chan_sip) 1.8.32.3 (says so itself)",
        ),
        (
            response(
                'WWW-Authenticate: Digest realm="asterisk",nonce="1/3",opaque="5f09",algorithm=md5,qop="auth"',
                "Server: Asterisk PBX 18.2.0",
                "Content-Length:  0",
                status="401 Unauthorized",
                order="viftc",
                tag=BRANCH,
            ),
            "Asterisk (chan_pjsip) 18.2.0 (says so itself)",
        ),
        (
            response(
                PJSIP_ALLOW, PJSIP_SUPPORTED, "Server: FPBX-16.0.33(18.13.0)", "Content-Length:  0", order="viftc"
            ),
            "Asterisk (chan_pjsip) 18.13.0 (says so itself)",
        ),
        (response("Server: Asterisk PBX", LENGTH), "Asterisk (says so itself)"),
        (
            response("User-Agent: FreeSWITCH-mod_sofia/1.10.3-release.5~64bit", SOFIA_ALLOW, tag="XNFFr99m762FQ"),
            "FreeSWITCH 1.10.3-release.5~64bit (says so itself)",
        ),
        (
            response("Server: OpenSIPS (3.3.3 (x86_64/linux))", tag="1cb4.94e4cf01cd49e0c76bee4f21742aa62e"),
            "OpenSIPS 3.3.3 (says so itself)",
        ),
        (
            response("Server: OpenSIPS (1.7.1-notls (i386/linux))", tag="c97b4d1cb1f3d0da549e06a8d482ef63.c0b5"),
            "OpenSIPS 1.7.1-notls (says so itself)",
        ),
        (
            response(
                CUCM_ALLOW, "Server: Cisco-CUCM11.5", "Supported: X-cisco-srtp-fallback", tag=CUCM_TAG, order="vftdic"
            ),
            "Cisco Unified CM 11.5 (says so itself)",
        ),
        (
            response("Server: Cisco-SIPGateway/IOS-15.4.3.M5", IOS_ALLOW, tag="A233D8-2382", order="vftdic"),
            "Cisco IOS SIP gateway 15.4.3.M5 (says so itself)",
        ),
        (response("User-Agent: 3CXPhoneSystem 18.0.7.312 (312)"), "3CX 18.0.7.312 (says so itself)"),
        (response("Server: 3CX"), "3CX (says so itself)"),
        (response("Server: YATE/6.1.0"), "Yate 6.1.0 (says so itself)"),
    ],
)
def test_a_product_that_names_itself_is_that(message: bytes, shown: str) -> None:
    found = of(message)
    assert str(found) == shown
    assert found.basis is Basis.SAYS_SO


@pytest.mark.parametrize(
    ("message", "family"),
    [
        (SIPP_RECORDED, SIPP),
        (response(LENGTH, tag="e79fe55962228e8538d51eb60aea8259.e1850000"), KAMAILIO),
        (response(LENGTH, tag="a6a1c5f60faecf035a1ae5b6e96e979a-69bbef29"), KAMAILIO),
        (response(LENGTH, tag="c97b4d1cb1f3d0da549e06a8d482ef63.c0b5"), SER),
        (response(LENGTH, tag="1cb4.94e4cf01cd49e0c76bee4f21742aa62e"), OPENSIPS),
        (response(CHAN_SIP_ALLOW, LENGTH, tag="as6edf9ce2"), CHAN_SIP),
        (response("Content-Length:  0", order="viftc", tag=BRANCH, status="404 Not Found"), PJSIP),
        (response(PJSIP_SUPPORTED, "Content-Length:  0", order="viftc", tag=BRANCH), CHAN_PJSIP),
        (response(SOFIA_ALLOW, tag="1B0QUUmSDeB7B"), SOFIA),
        (
            response(SOFIA_ALLOW, "Supported: timer, path, replaces", "Allow-Events: talk, hold, conference, refer"),
            FREESWITCH,
        ),
        (response(CUCM_ALLOW, tag=CUCM_TAG, order="vftdic"), CUCM),
        (response(IOS_ALLOW, tag="38404-23F2", order="vftdic"), IOS),
    ],
)
def test_a_product_that_hides_its_name_is_known_by_its_headers(message: bytes, family: str) -> None:
    for sent in (message, message.replace(b"\r\n\r\n", b"\r\nServer: nobody in particular\r\n\r\n")):
        found = of(sent)
        assert (found.family, found.basis) == (family, Basis.HEADERS)
        assert found.evidence
        assert all(text.startswith("its ") for text in found.evidence)


@pytest.mark.parametrize(
    "message",
    [
        response(LENGTH),
        response(LENGTH, tag="as6edf9ce2"),  # alone, a tag that anyone might make
        response(CHAN_SIP_ALLOW, LENGTH),
        response(SOFIA_ALLOW, LENGTH),
        response(LENGTH, tag="1B0QUUmSDeB7B"),
        response(LENGTH, tag=BRANCH),
        response("Content-Length:  0"),
        response(LENGTH, order="vftdic"),
        response(LENGTH, order="viftc"),
    ],
)
def test_too_little_evidence_makes_no_guess(message: bytes) -> None:
    assert (of(message).family, of(message).basis) == (None, Basis.UNKNOWN)
    assert str(of(message)) == "product unknown"


def test_evidence_of_two_families_makes_no_guess() -> None:
    found = of(response(CHAN_SIP_ALLOW, "Supported: X-cisco-srtp-fallback", LENGTH, tag="as6edf9ce2"))
    assert (found.family, found.basis) == (None, Basis.UNKNOWN)
    assert len(found.evidence) == 3


def test_an_unknown_name_is_shown_as_the_servers_word() -> None:
    found = of(response("Server: Acme \x1b[31m PBX 1"))
    assert found.family is None
    assert str(found) == r"product unknown; it calls itself Acme \x1b[31m PBX 1"


def test_a_name_that_the_headers_belie_is_doubted() -> None:
    found = of(response("Server: Cisco-CUCM12.5", CHAN_SIP_ALLOW, tag="as6edf9ce2"))
    assert (found.family, found.basis) == (CUCM, Basis.SAYS_SO)
    assert str(found) == (
        "Cisco Unified CM 12.5 (says so itself), but its headers are like those of Asterisk (chan_sip)"
    )


def test_the_order_and_spelling_of_headers_are_kept() -> None:
    message = response("k: timer", "l: 0", order="vift").replace(b"Via:", b"v:").replace(b"From:", b"f :")
    message = message.replace(b"\r\nk:", b"\r\nCSeq: 1 OPTIONS\r\nk:")
    assert of(message).headers == ("v", "Call-ID", "f", "To", "CSeq", "k", "l")


def test_compact_headers_count_as_their_long_forms() -> None:
    long = response(PJSIP_SUPPORTED, "Content-Length:  0", order="viftc", tag=BRANCH)
    short = long
    for name, letter in (("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("Supported", "k")):
        short = short.replace(f"\r\n{name}:".encode(), f"\r\n{letter}:".encode())
    short = short.replace(b"Content-Length:", b"l:")
    assert (of(short).family, of(short).evidence) == (of(long).family, of(long).evidence)


def test_another_transactions_response_has_no_fingerprint() -> None:
    assert fingerprint(REQUEST, KAMAILIO_RECORDED.replace(TOKEN.encode(), b"another")) is None
    assert fingerprint(REQUEST, REQUEST) is None


@given(st.binary(max_size=400))
def test_any_header_bytes_give_printable_text(tail: bytes) -> None:
    found = fingerprint(REQUEST, response().removesuffix(b"\r\n") + b"Server: " + tail + b"\r\n\r\n")
    if found is not None:
        for text in (str(found), found.product, found.version, found.reason, *found.evidence, *found.headers):
            assert text.isascii()
            assert text.isprintable()
            assert len(text) <= 400


@given(st.binary(max_size=1500))
def test_any_bytes_are_a_fingerprint_or_none(data: bytes) -> None:
    assert fingerprint(REQUEST, data) is None


def test_a_response_of_the_largest_size_takes_no_long_time() -> None:
    filler = [f'WWW-Authenticate: Digest realm="asterisk",{"realm=" * 20}' for _ in range(80)]
    assert of(response(*filler)).family is None


def test_every_product_name_and_habit_belongs_to_a_family_of_one_spelling() -> None:
    families = {family for _, family in PRODUCT_NAMES} | {habit.family for habit in (*HABITS, BRANCH_TAG)}
    assert set(WIDER) <= families
    assert all(re.fullmatch(r"[ -~]+", family) for family in families)
    assert len({family.lower() for family in families}) == len(families)
