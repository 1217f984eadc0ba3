"""Where tshark 4.0.17 and Callgate read an SCCP message differently, and why tshark is not right there.

Two tables. `TABLED` differences stand in a table of 57 disagreements between five implementations, made from 1,586
captured frames before Callgate had a codec; what it says is told in short. `FOUND` ones were found here, and the bytes
show who is right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from callgate.sccp import Message

MISSING: Final = "-"
"""tshark does not show a field that Callgate reads there."""
EMPTY: Final = "0"
"""The same, of a string that has no byte before its NUL."""
SURPLUS: Final = "+"
"""tshark shows a field there that Callgate does not read."""
UNUSED: Final = "~"
"""The same, in an entry of an array that the count does not count."""
OTHER: Final = "!"
"""Both have the field there, with another size or value."""
NO_NUL: Final = "'"
"""Both have the string there; tshark does not take its NUL for a part of it."""
MOVED: Final = "^"
"""Both have the same field there; tshark shows it outside its structure."""
WANTED: Final = "?"
"""tshark runs out of bytes where Callgate says all fields are there."""


@dataclass(frozen=True, slots=True)
class Known:
    """Differences that are known."""

    ids: tuple[int, ...]
    """The messages; empty for all."""
    differs: str
    """Pattern of a sign from above and the path of a field."""
    why: str
    versions: range = range(23)
    """The header versions."""
    onward: bool = False
    """tshark misreads the rest of the message too: it takes another size for what stands there."""
    stops: bool = False
    """tshark shows nothing more of the message."""
    body: int | None = None
    """The one length of the body, if it is only that."""
    captured: bool = False
    """Only real captures have it."""

    def __str__(self) -> str:
        ids = ", ".join(f"{number:#06x}" for number in self.ids) or "all"
        headers = f"{self.versions.start}..{self.versions.stop - 1}"
        return f"{ids} {self.differs} header {headers}{f' body {self.body}' if self.body else ''}: {self.why}"

    def explains(self, message: Message, length: int, difference: str) -> bool:
        """Whether this is the difference, in a message whose body has that length."""
        return (
            self.body in (None, length)
            and (not self.ids or message.id in self.ids)
            and message.header_version in self.versions
            and re.fullmatch(self.differs, difference) is not None
        )


ALL: Final = ()
CAPABILITIES: Final = (0x0030, 0x0043, 0x0044)
MULTIMEDIA: Final = (0x0131, 0x0132)
UNKNOWN_TO_TSHARK: Final = (0x0011, 0x008C, 0x008D)
WITH_DATA: Final = (0x002E, 0x002F, 0x0041, 0x0042, 0x011E, 0x013F, 0x015A)

HEADER_0: Final = range(1)
TO_10: Final = range(11)
BELOW_17: Final = range(17)
AT_18: Final = range(18, 19)
FROM_19: Final = range(19, 23)

GATE: Final = "the length says that the field is there; tshark asks the header version, or for a longer body"
ROOM: Final = "an array has room for all entries whatever its count; tshark steps over less if the count is low"
NARROW: Final = "numbers have 24 bytes up to 18 (captured); tshark takes 25 from 18"
ALIGNED: Final = "a number of 25 bytes is rounded up to 28 (captured); tshark has the next field follow at once"
HEADER_SAYS_0: Final = "header 0 does not say which protocol was negotiated; tshark takes it for the oldest"
UNION: Final = "a union has the size of its largest member; tshark steps over less for a smaller one"

TABLED: Final = (
    Known((0x0001,), r"-(activeStreams|activeConferences|configVersionStamp)", GATE, stops=True),
    Known((0x0003,), r"-unknown1", "two words more in chan-sccp; tshark stops after three", stops=True),
    Known((0x0004,), r"[!-]calledParty", NARROW, AT_18, onward=True),
    Known((0x0004,), r"\+lineInstance", ALIGNED, FROM_19, onward=True),
    Known((0x000E,), r"-totalButtonCount", "a word in 28 frames of CallManager 2; tshark reads no body"),
    Known(UNKNOWN_TO_TSHARK, r"-.*", "tshark does not know the id", stops=True),
    Known((0x0022,), r"\+ipAddr\.ipv4", HEADER_SAYS_0, HEADER_0, onward=True, captured=True),
    Known((0x0023,), r"[!-]directoryNum", "number 24 and mode 4 bytes (captured); tshark takes 28", AT_18, onward=True),
    Known((0x0023,), r"[!-]statsProcessingMode", "a word up to 21 (captured); tshark: a byte", FROM_19, onward=True),
    Known((0x0024,), r"[!-]callingPartyNumber", NARROW, AT_18, onward=True),
    Known((0x0027,), r"-unRegReasonCode", "tshark asks for a length that a body with this one word cannot have"),
    Known((0x0029,), r"!stationIpAddr", "an address in network order (chan-sccp); tshark: a little-endian number"),
    Known((0x0029,), r"\+(ipv4or6|stationIpV6Addr\.ipv4)", "sixteen plain bytes (chan-sccp)", onward=True),
    Known((0x0029,), r"-unknown", "a word more in chan-sccp", BELOW_17),
    Known((0x0030, 0x0043), r"[+~](audiocaps|vidCaps|dataCaps)\[\d+\]\.payloadCapability", ROOM, onward=True),
    Known(
        CAPABILITIES,
        r"\+(confResources\.activeStreamsOnRegistration|(audiocaps|vidCaps|dataCaps)\[\d+\]\.payloadCapability)",
        ROOM,
        onward=True,
    ),
    Known((0x0034,), r"-featureCapabilities", "tshark asks for a length that a body of 8 bytes cannot have"),
    Known(
        (0x0044,),
        r"[+~]vidCaps\[\d+\]\.ipAddressingMode",
        "there once (chan-sccp: 140 bytes an entry); tshark reads it twice from 16, and skips no union without member",
        onward=True,
    ),
    Known((0x0045,), r"-mediaType", GATE, range(19)),
    Known((0x0083,), r"-tone", GATE, TO_10),
    Known((0x008A,), r"-(partyDirection|latentCapsInfo\.active)", GATE, stops=True),
    Known(
        (0x008A,),
        r"\+(qualifierOut\.g723BitRate|remoteIpAddr\.ipv4)",
        HEADER_SAYS_0,
        HEADER_0,
        onward=True,
        captured=True,
    ),
    Known((0x0090,), r"[!-]forwardAllDirnum", NARROW, AT_18, onward=True),
    Known((0x0099,), r"-timeOutValue", "four bytes more in frames of CallManager 2"),
    Known((0x0105,), r"-(mixingMode|requestedIpAddrType|latentCapsInfo\.active)", GATE, stops=True),
    Known((0x0105,), r"\+qualifierIn\.g723BitRate", HEADER_SAYS_0, HEADER_0, onward=True, captured=True),
    Known((0x0107,), r"[!-]directoryNum", NARROW, AT_18, onward=True),
    Known((0x0107,), r"!directoryNum", "25 bytes and three of padding; tshark takes 28 for the number", FROM_19),
    Known((0x0107,), r"-callReference", "a number of 25 bytes with nothing behind it", FROM_19, onward=True),
    Known((0x011D,), r"[!-]dialedNumber", NARROW, AT_18, onward=True),
    Known((0x011D,), r"\+lineInstance", ALIGNED, FROM_19, onward=True),
    Known(MULTIMEDIA, r"\+vidParameters\.confServiceNum", ROOM, onward=True),
    Known(MULTIMEDIA, r"\+m[RT]xMediaEncryptionKeyInfo\.algorithmID", UNION, onward=True),
    Known((0x0131,), r"-(sourceIpAddr|requestedIpAddrType)", GATE, range(16), stops=True),
    Known((0x0142,), r"[!-]sid\.DeviceName", "chan-sccp's form of 276 bytes, all fixed", onward=True, body=276),
    Known((0x0148,), r"-serviceURL(DisplayName)?", "tshark stops after the index; chan-sccp sends two strings"),
    Known((0x0149,), r"[!-]speedDialDirNumber", "chan-sccp's form of 68 bytes, all fixed", onward=True, body=68),
    Known((0x014A,), r"\+AlternateCallingParty", "chan-sccp sends 12 strings below 16", range(10, 16), onward=True),
    Known((0x014A,), r"-HuntPilot(Number|Name)", GATE, BELOW_17, stops=True),
)

FOUND: Final = (
    Known(ALL, r"0.*", "an empty string is one byte, its NUL: tshark steps over it and shows nothing"),
    Known(ALL, r"-.*\.octets", "an address of family 3 or more: tshark shows the family alone, then goes on behind it"),
    Known(ALL, r"\+(.*\.)?xmlData", "tshark shows the same bytes a second time under this name"),
    Known((0x0143, 0x0144, 0x0145), r"'(notify|promptStatus)", "the next byte is the NUL; tshark's field ends before"),
    Known(WITH_DATA, r"\?", "a body that ends where data of no bytes begins is not cut; tshark calls it malformed"),
    Known(MULTIMEDIA, r"\^vidParameters\..*", "tshark leaves a structure with every unused entry in it"),
    Known((0x015A,), r"-alarmInfo", "data that fills the body has no NUL; tshark looks for one and runs out of bytes"),
    Known((0x0044,), r"~.*", "tshark shows entries that are not counted, all zero here"),
    Known(
        (0x0044,),
        r"[+~]confResources\.serviceResource\[\d\]\.serviceNum",
        "layouts have room for five, as tshark has it in 0x0030 and 0x0043; here it takes as many as are counted",
        onward=True,
    ),
    Known((0x8000,), r"!stationIpAddr", "as in 0x0029, whose fields this message repeats"),
)

NEVER_CONFIRMED: Final = {
    (0x0001, "configVersionStamp"),
    (0x0003, "unknown1"),
    (0x0003, "unknown2"),
    (0x000E, "totalButtonCount"),
    (0x0011, "portCount"),
    (0x0011, "rtpMediaPort"),
    (0x0027, "unRegReasonCode"),
    (0x0029, "stationIpAddr"),
    (0x0029, "unknown"),
    (0x0030, "vidCaps.h264VideoCapability.profile"),
    (0x0030, "vidCaps.h264VideoCapability.level"),
    (0x0030, "vidCaps.h264VideoCapability.customMaxMBPS"),
    (0x0030, "vidCaps.h264VideoCapability.customMaxFS"),
    (0x0030, "vidCaps.h264VideoCapability.customMaxDPB"),
    (0x0030, "vidCaps.h264VideoCapability.customMaxBRandCPB"),
    (0x0034, "featureCapabilities"),
    (0x008C, "ipAddr"),
    (0x008C, "milliSecondPacketSize"),
    (0x008C, "compressionType"),
    (0x008C, "uninitialised"),
    (0x008D, "conferenceId"),
    (0x008D, "passThruPartyId"),
    (0x0099, "timeOutValue"),
    (0x0148, "serviceURL"),
    (0x0148, "serviceURLDisplayName"),
    (0x8000, "stationIpAddr"),
}
"""Fields that tshark nowhere shows as Callgate reads them: by message, without the numbers of entries. All others are
compared with success, addresses of unknown families (`octets`) apart."""

KNOWN: Final = (*TABLED, *FOUND)
