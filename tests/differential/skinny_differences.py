"""Field by field: what tshark shows of a message against what Callgate reads, and where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from tests.differential.sccp_places import Placed, is_whole, placed
from tests.differential.skinny_dissection import HEADER_BYTES, Dissection, Seen
from tests.differential.skinny_known import EMPTY, KNOWN, MISSING, MOVED, NO_NUL, OTHER, SURPLUS, UNUSED, WANTED, Known

from callgate.sccp import Message, UnknownMessage
from callgate.sccp.message import AnyMessage


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One field that is not the same."""

    start: int
    sign: str
    path: str


@dataclass(slots=True)
class Verdict:
    """What came of comparing messages."""

    messages: int = 0
    alike: int = 0
    """Messages without a difference."""
    fields: int = 0
    """Fields with the same name, place, size and value, in front of any misreading."""
    kinds: set[tuple[int, str]] = field(default_factory=set)
    """What was the same at least once: message id and path, without the numbers of entries."""
    used: Counter[Known] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    """Differences that have no reason."""

    def take(self, message: AnyMessage, frame: bytes, dissection: Dissection) -> None:
        """Compare one message; `frame` is what both were given."""
        self.messages += 1
        if isinstance(message, UnknownMessage):
            self.alike += not dissection.fields
            self.unexplained += [
                f"{message.message_id:#06x} {seen.path} of an unknown message" for seen in dissection.fields
            ]
            return
        same, differences = compared(message, len(frame) - HEADER_BYTES, dissection)
        misread, named = self._explain(message, frame, differences)
        self.alike += not differences
        same = [one for one in same if one.start < misread]
        self.fields += len(same)
        self.kinds.update((message.id, kind_of(one.path)) for one in same)
        self.used.update(named)

    def _explain(self, message: Message, frame: bytes, differences: Sequence[Difference]) -> tuple[int, set[Known]]:
        """From which place tshark misreads the message, and the reasons for its differences."""
        named: set[Known] = set()
        length = len(frame) - HEADER_BYTES
        behind = len(frame)
        stopped = False
        for difference in differences:
            if difference.start >= behind:
                break
            if stopped and difference.sign in (MISSING, EMPTY):
                continue
            known = next(
                (one for one in KNOWN if one.explains(message, length, difference.sign + difference.path)), None
            )
            if known is None:
                if any(d.start == difference.start and _onward(message, length, d) for d in differences):
                    continue
                self.unexplained.append(
                    f"{message.id:#06x} {message.name} header {message.header_version}: {difference.sign}"
                    f"{difference.path} at {difference.start} of {length}: {frame[HEADER_BYTES:].hex()[:400]}"
                )
                return difference.start, named
            named.add(known)
            stopped = stopped or known.stops
            if known.onward:
                behind = difference.start
        return behind, named


def _onward(message: Message, length: int, difference: Difference) -> bool:
    return any(one.onward and one.explains(message, length, difference.sign + difference.path) for one in KNOWN)


def compared(message: Message, body_length: int, dissection: Dissection) -> tuple[list[Placed], list[Difference]]:
    """The fields that are the same, and all differences in wire order."""
    seen = {(one.path, one.start): one for one in dissection.fields}
    same: list[Placed] = []
    differences: list[Difference] = []
    ours = placed(message, body_length)
    for one in ours:
        theirs = next((found for name in names(one) if (found := seen.pop((name, one.start), None))), None)
        sign = _sign(one, theirs) if theirs else None
        if theirs is None:
            outside = [found for path in _outside(one.path) if (found := seen.get((path, one.start)))]
            if outside and agrees(one, outside[0]):
                del seen[outside[0].path, one.start]
                sign = MOVED
            else:
                sign = EMPTY if one.value == b"" and one.size == 1 else MISSING
        if sign in (None, NO_NUL, MOVED):
            same.append(one)
        if sign:
            differences.append(Difference(one.start, sign, one.path))
    entries = {entry for one in ours for entry in entries_of(one.path)}
    for left in seen.values():
        unused = any(entry not in entries for entry in entries_of(left.path))
        differences.append(Difference(left.start, UNUSED if unused else SURPLUS, left.path))
    if dissection.malformed and is_whole(message):
        differences.append(Difference(body_length, WANTED, ""))
    return same, sorted(differences)


def _sign(ours: Placed, theirs: Seen) -> str | None:
    if agrees(ours, theirs):
        return None
    return NO_NUL if ours.value == theirs.octets and ours.size == theirs.size + 1 else OTHER


def _outside(path: str) -> list[str]:
    """The path without one and more of the structures around."""
    return [path[place + 1 :] for place, letter in enumerate(path) if letter == "."]


def names(one: Placed) -> list[str]:
    """The path as tshark may write it: with dots for underscores, but not in the name of a set of bits; and with the
    family behind the name of an address that may be of either."""
    around, _, name = one.path.rpartition(".")
    path = f"{around}.{name.replace('_', '.')}" if around else name.replace("_", ".")
    match one.value:
        case IPv4Address():
            return [path, f"{path}.ipv4"]
        case IPv6Address():
            return [path, f"{path}.ipv6"]
    return [path, one.path]


def agrees(ours: Placed, theirs: Seen) -> bool:
    """Whether size and value are the same."""
    if ours.size != theirs.size:
        return False
    match ours.value:
        case int(number):
            if theirs.mask is None:
                return int(theirs.shown, 0) == number
            return int.from_bytes(theirs.octets, "little") == number and int(theirs.shown) == number & theirs.mask
        case IPv4Address() | IPv6Address() as address:
            return ip_address(theirs.shown) == address
        case bytes(octets):
            text = octets.decode("latin-1")
            plain = octets.isascii() and text.isprintable() and not set(text) & {'"', "\\"}
            if plain and theirs.shown not in (text, octets.hex(":")):
                return False
            return octets in (theirs.octets, theirs.octets.partition(b"\0")[0])


def entries_of(path: str) -> list[str]:
    """The entries of arrays that a path leads through: `caps[1].sse.vendor` leads through `caps[1]`."""
    return [path[: place + 1] for place, letter in enumerate(path) if letter == "]"]


def kind_of(path: str) -> str:
    """The path without the numbers of entries."""
    return "".join(part.partition("]")[2] if number else part for number, part in enumerate(path.split("[")))
