"""What is known of SIP products: how they name themselves, and what their responses look like.

The names are the products' defaults, and the habits are read off responses that their users published (logs, captures,
tests of other programs); those of Kamailio 5.6 and SIPp are recorded from the real ones. Nearly every product lets its
owner write another name, and some hide theirs: a name is what a server says, a habit is what it does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

ASTERISK: Final = "Asterisk"
CHAN_SIP: Final = "Asterisk (chan_sip)"
CHAN_PJSIP: Final = "Asterisk (chan_pjsip)"
PJSIP: Final = "a PJSIP stack (Asterisk chan_pjsip is one)"
FREESWITCH: Final = "FreeSWITCH"
SOFIA: Final = "a Sofia-SIP stack (FreeSWITCH is one)"
KAMAILIO: Final = "Kamailio"
OPENSIPS: Final = "OpenSIPS"
SER: Final = "the SER family (Kamailio, OpenSIPS, OpenSER)"
CUCM: Final = "Cisco Unified CM"
IOS: Final = "Cisco IOS SIP gateway"
SIPP: Final = "SIPp"

REFINES: Final = {CHAN_SIP: ASTERISK, CHAN_PJSIP: ASTERISK}
"""Families that are another one, told more exactly."""
WIDER: Final = {
    CHAN_PJSIP: PJSIP,
    ASTERISK: PJSIP,
    FREESWITCH: SOFIA,
    KAMAILIO: SER,
    OPENSIPS: SER,
    "OpenSER": SER,
    "SIP Express Router": SER,
    "PJSUA": PJSIP,
}
"""The stack that a family is built on: what has the habits of both is the family."""


def _named(*rows: tuple[str, str]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), family) for pattern, family in rows)


PRODUCT_NAMES: Final = _named(
    (r"Asterisk PBX(?: (?P<version>\S+))?", ASTERISK),
    (r"FPBX-\S+?\((?P<version>[^()]+)\)", ASTERISK),  # FreePBX names itself, and Asterisk's version in brackets
    (r"FreeSWITCH-mod_sofia/(?P<version>\S+)", FREESWITCH),
    (r"FreeSWITCH\b", FREESWITCH),
    (r"(?i:kamailio) \((?P<version>[^\s()]+)", KAMAILIO),
    (r"OpenSIPS \((?P<version>[^\s()]+)", OPENSIPS),
    (r"OpenSER \((?P<version>[^\s()]+)", "OpenSER"),
    (r"Sip EXpress router ?\((?P<version>[^\s()]+)", "SIP Express Router"),
    (r"Sip Express Media Server(?: \((?P<version>[^\s()]+))?", "SEMS"),
    (r"Cisco-CUCM(?P<version>[\d.]+)?", CUCM),
    (r"Cisco-SIPGateway/IOS-(?P<version>\S+)", IOS),
    (r"Cisco-SIPGateway\b", IOS),
    (r"Cisco-CP\w+(?:/(?P<version>\S+))?", "Cisco IP phone"),
    (r"(?:Cisco|Linksys|Sipura)/SPA\w+(?:-(?P<version>\S+))?", "Cisco or Linksys SPA phone or adapter"),
    (r"3CXPhoneSystem(?: (?P<version>[\d.]+))?", "3CX"),
    (r"3CX\b", "3CX"),
    (r"YATE/(?P<version>\S+)", "Yate"),
    (r"RTCC/(?P<version>\S+)", "Microsoft Lync or Skype for Business"),
    (r"(?i:audiocodes)\b", "AudioCodes"),
    (r"AVM FRITZ!Box\b", "AVM FRITZ!Box"),
    (r"Grandstream\b", "Grandstream"),
    (r"Yealink\b", "Yealink phone"),
    (r"Polycom\w*", "Polycom phone"),
    (r"(?i:snom)\w*(?:/(?P<version>\S+))?", "Snom phone"),
    (r"PJSUA(?: v(?P<version>\S+))?", "PJSUA"),
    (r"Linphone\w*/(?P<version>\S+)", "Linphone"),
)
"""How Server (else User-Agent) begins, and whose name that is."""


@dataclass(frozen=True, slots=True)
class Habit:
    """Something a family's responses have. Two points make a family; a tag nobody else makes has both."""

    family: str
    points: int
    text: str
    """What is seen, to follow "its ..."."""
    header: str
    """In lower case, long form; `tag` is the To header's tag, `order` the first five names."""
    pattern: re.Pattern[str]
    """Matches the whole value; values of a header that repeats are joined with ", "."""


def _habit(family: str, points: int, text: str, header: str, pattern: str) -> Habit:
    return Habit(family, points, text, header, re.compile(pattern))


_HEX4: Final = "[0-9a-f]{4}"
HABITS: Final = (
    _habit(CHAN_SIP, 1, 'To tag is "as" and 8 hexadecimal digits', "tag", "as[0-9a-f]{8}"),
    _habit(
        CHAN_SIP,
        1,
        "Allow lists chan_sip's methods in its order",
        "allow",
        "INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PUBLISH(, MESSAGE)?",
    ),
    _habit(
        CHAN_PJSIP, 1, "digest realm is asterisk, with an opaque", "www-authenticate", '.*realm="asterisk".*opaque=.*'
    ),
    _habit(
        CHAN_PJSIP,
        1,
        "Supported is res_pjsip's, in its order",
        "supported",
        "100rel, timer, replaces, norefersub(, histinfo)?",
    ),
    _habit(PJSIP, 1, "Call-ID stands before From and To", "order", "via, call-id, from, to, cseq"),
    _habit(PJSIP, 1, "Content-Length is written with two spaces", "spaced-length", "0"),
    _habit(
        SOFIA,
        1,
        "Allow lists Sofia's methods in its order",
        "allow",
        "INVITE, ACK, BYE, CANCEL, OPTIONS, (PRACK, )?MESSAGE, (INFO, UPDATE|UPDATE, INFO), REGISTER, REFER, NOTIFY.*",
    ),
    _habit(SOFIA, 1, "To tag is 13 letters and digits", "tag", "(?=.*[0-9])(?=.*[A-Za-z])[0-9A-Za-z]{13}"),
    _habit(
        FREESWITCH, 1, "Allow-Events is mod_sofia's, in its order", "allow-events", "talk, hold, conference, .*refer"
    ),
    _habit(
        FREESWITCH, 1, "Supported is mod_sofia's, in its order", "supported", "timer, (precondition, )?path, replaces"
    ),
    _habit(KAMAILIO, 2, "To tag is an MD5 sum and 8 hexadecimal digits", "tag", "[0-9a-f]{32}[.-][0-9a-f]{8}"),
    _habit(SER, 2, "To tag is an MD5 sum and 4 hexadecimal digits", "tag", f"[0-9a-f]{{32}}[.-]{_HEX4}"),
    _habit(OPENSIPS, 2, "To tag is 4 hexadecimal digits and an MD5 sum", "tag", rf"{_HEX4}\.[0-9a-f]{{32}}"),
    _habit(
        CUCM,
        2,
        "To tag is a number, a UUID and a number",
        "tag",
        rf"\d+~[0-9a-f]{{8}}(-{_HEX4}){{3}}-[0-9a-f]{{12}}-\d+",
    ),
    _habit(CUCM, 2, "Supported has X-cisco-srtp-fallback", "supported", ".*X-cisco-srtp-fallback.*"),
    _habit(
        CUCM,
        1,
        "Allow lists Unified CM's methods in its order",
        "allow",
        "INVITE, OPTIONS, INFO, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY",
    ),
    _habit(CUCM, 1, "Date stands before Call-ID", "order", "via, from, to, date, call-id"),
    _habit(IOS, 1, "Date stands before Call-ID", "order", "via, from, to, date, call-id"),
    _habit(
        IOS,
        1,
        "Allow lists Cisco IOS's methods in its order",
        "allow",
        "INVITE, OPTIONS, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY, INFO, REGISTER",
    ),
    _habit(IOS, 1, "To tag is two hexadecimal numbers", "tag", "[0-9A-F]{5,8}-[0-9A-F]{1,4}"),
    _habit(SIPP, 2, "To tag is the one of SIPp's scenarios", "tag", r"\d+SIPpTag\d+"),
)
BRANCH_TAG: Final = Habit(PJSIP, 1, "To tag repeats our Via branch", "tag", re.compile(".+"))
"""Of the request's branch, so that no pattern tells it."""
