"""What tshark reads in SCCP messages: every field with its path, place, size and value.

tshark shows a message as a tree: fields (`skinny.callReference`), structures and entries of arrays
(`caps [2 / 4]`), unions (`any payloadCapability`) and sets of bits (`phoneFeatures`, one field for each bit). The tree
becomes a list of fields with paths as `callgate.sccp` has them: `caps[1].codecParams.codecMode`.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from callgate.lab.pytest_fixtures import require, require_tool

HEADER_BYTES: Final = 12

_ENTRY: Final = re.compile(r"(\w+) \[(\d+) / \d+\]")
_ARRAY: Final = re.compile(r"\w+ \[(?:ref: ?\w+ = \d+, )?max: ?\w+\]")
_UNION: Final = re.compile(r"any \w+|\w+ (?:is|>=|<=|==|<|>) .+")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""tshark copies bytes of strings into its XML as they are."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One field as tshark shows it."""

    path: str
    start: int
    """Offset in the body."""
    size: int
    octets: bytes
    """The field's bytes."""
    shown: str
    """The value as text; of bits, the number that the bits tshark shows make up."""
    mask: int | None = None
    """Of bits, those that have a name and are shown."""


@dataclass(frozen=True, slots=True)
class Dissection:
    """One message as tshark shows it."""

    direction: tuple[int, int]
    """Number of the TCP connection, from 0, and the sender's port."""
    length: int
    """The header's length field."""
    header_version: int
    message_id: int
    fields: tuple[Seen, ...]
    malformed: bool
    """tshark ran out of bytes in this message, the last one of its packet."""


def require_judge() -> str:
    """The path of a tshark whose mistakes are known: of Wireshark 4.0."""
    tshark = require_tool("tshark")
    shown = subprocess.run([tshark, "--version"], capture_output=True, encoding="utf-8", timeout=60).stdout
    known = re.match(r"TShark \(Wireshark\) 4\.0\.", shown)
    require(None if known else f"tshark 4.0 not found, whose mistakes are listed; this is {shown.splitlines()[:1]}")
    return tshark


def dissections(capture: Path) -> list[Dissection]:
    """Every SCCP message that tshark finds in a capture, in its order."""
    text = _NOT_XML.sub("\ufffd", _tshark(capture, "-Y", "skinny", "-T", "pdml", "-J", "skinny tcp"))
    found: list[Dissection] = []
    for _, element in ElementTree.iterparse(BytesIO(text.encode())):
        if element.tag == "packet":
            found += _packet(element)
            element.clear()
    return found


def columns(capture: Path, *names: str) -> list[tuple[str, ...]]:
    """The values of fields, a row for every packet in which tshark finds SCCP; several values have commas between."""
    options = [word for name in names for word in ("-e", name)]
    lines = _tshark(capture, "-Y", "skinny", "-T", "fields", *options).splitlines()
    return [tuple(line.split("\t")) for line in lines]


def _tshark(capture: Path, *options: str) -> str:
    done = subprocess.run(
        [require_judge(), "-n", "-r", str(capture), "-d", "tcp.port==2000,skinny", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "replace")


def _packet(packet: ElementTree.Element) -> Iterator[Dissection]:
    protocols = {proto.get("name", ""): proto for proto in packet}
    tcp = {field.get("name", ""): field.get("show", "") for field in protocols["tcp"]}
    messages = [proto for proto in packet if proto.get("name") == "skinny"]
    for proto in messages:
        body = int(proto.get("pos", "")) + HEADER_BYTES
        fields = [field for field in _fields(proto, "", body) if field.size]
        header = {field.path: int(field.shown, 0) for field in fields if field.start < 0}
        yield Dissection(
            (int(tcp["tcp.stream"]), int(tcp["tcp.srcport"])),
            header["data_length"],
            header["hdr_version"],
            header["messageId"],
            tuple(field for field in fields if field.start >= 0),
            proto is messages[-1] and "_ws.malformed" in protocols,
        )


_GENERATED: Final = ("response_in", "response_to", "response_time")


def _fields(group: ElementTree.Element, around: str, body: int) -> Iterator[Seen]:
    numbers: Counter[str] = Counter()
    is_array = bool(_ARRAY.fullmatch(group.get("show", "")))
    for field in group:
        name, shown = field.get("name", ""), field.get("show", "")
        if name.startswith("skinny."):
            name = name.removeprefix("skinny.")
            if name in _GENERATED:
                continue
            if is_array:
                numbers[name] += 1
                name = f"{name}[{numbers[name] - 1}]"
            yield _seen(field, around + name, body, shown)
        elif not name and shown:
            bits = [bit for bit in field if bit.get("unmaskedvalue") is not None]
            entry = _ENTRY.fullmatch(shown)
            if bits:
                yield _seen(field, around + shown, body, str(_number(bits, "1")), _number(bits, "01"))
            elif entry:
                yield from _fields(field, f"{around}{entry[1]}[{int(entry[2]) - 1}].", body)
            elif _ARRAY.fullmatch(shown) or _UNION.fullmatch(shown):
                yield from _fields(field, around, body)
            else:
                yield from _fields(field, f"{around}{shown}.", body)


def _seen(field: ElementTree.Element, path: str, body: int, shown: str, mask: int | None = None) -> Seen:
    octets = bytes.fromhex(field.get("value", ""))
    return Seen(path, int(field.get("pos", "")) - body, int(field.get("size", "")), octets, shown, mask)


def _number(bits: list[ElementTree.Element], counted: str) -> int:
    """The number that single bits make up: `.... ..1. = RFC2833: Yes`, highest bit first."""
    number = 0
    for bit in bits:
        drawn = bit.get("showname", "").partition(" = ")[0].replace(" ", "")
        number |= int("".join("1" if digit in counted else "0" for digit in drawn), 2)
    return number
