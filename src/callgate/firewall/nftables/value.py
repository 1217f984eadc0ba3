"""Values as `nft -j` writes them: numbers, names, addresses, prefixes, ranges and sums of flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from socket import AF_INET, AF_INET6, AddressFamily, inet_pton
from typing import Any, Final

from callgate.errors import CallgateError
from callgate.firewall.nftables import symbol

Json = Any  # what json.loads gives; nothing of it is trusted


class MalformedJsonError(CallgateError):
    """The JSON has not the form nft gives it; the text says what is wrong."""


class UnreadableValueError(CallgateError):
    """A value is well formed, and nobody knows what it stands for: the condition it belongs to is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class ValueKind:
    """How the values of one field are written, and what they are in the model. Compared by identity."""

    bits: int
    names: Mapping[str, int] = field(default_factory=dict)
    address: AddressFamily | None = None
    shift: int = 0
    """Added to each number: `ip6 length` counts without the header, the model with it."""
    becomes: Mapping[int, int] | None = None
    """The model's number for each of the kernel's, where they differ; all others are no packet of the model."""

    @property
    def last(self) -> int:
        """The greatest number the kernel can hold."""
        return (1 << self.bits) - 1

    def number(self, value: Json) -> int:
        """One number, as the kernel has it. Raises UnreadableValueError."""
        number: int | None = None
        if type(value) is int:
            number = value
        elif type(value) is str:
            if self.address is not None:
                try:
                    return int.from_bytes(inet_pton(self.address, value))
                except (OSError, ValueError):
                    raise UnreadableValueError(shorten(value)) from None
            number = self.names.get(value)
            if number is None:
                number = _written(value.removesuffix(" [invalid type]") if self.bits == 16 else value)
        elif type(value) is dict and len(value) == 1 and "|" in value:
            return self.flags(value["|"])
        if number is None or not 0 <= number <= self.last:
            raise UnreadableValueError(shorten(value))
        return number

    def flags(self, value: Json) -> int:
        """The sum of flags: a number, a name, a list of them, or `{"|": [...]}`. Raises UnreadableValueError."""
        if type(value) is dict and len(value) == 1 and "|" in value:
            value = value["|"]
        if type(value) is not list:
            return self.number(value)
        total = 0
        for one in value:
            total |= self.number(one)
        return total

    def interval(self, value: Json) -> tuple[int, int]:
        """A number, prefix or range as a closed interval, as the kernel has it.

        A range may be upside down (nft takes `60000-29`): then it is empty. Raises UnreadableValueError.
        """
        if type(value) is dict and len(value) == 1:
            if "range" in value:
                ends = value["range"]
                if type(ends) is not list or len(ends) != 2:
                    raise MalformedJsonError(f"a range is not of two ends: {shorten(value)}")
                return self.number(ends[0]), self.number(ends[1])
            if "prefix" in value:
                prefix = value["prefix"]
                if type(prefix) is not dict or type(prefix.get("len")) is not int:
                    raise MalformedJsonError(f"not a prefix: {shorten(value)}")
                if not 0 <= prefix["len"] <= self.bits:
                    raise UnreadableValueError(shorten(value))
                host = (1 << (self.bits - prefix["len"])) - 1
                first = self.number(prefix.get("addr")) & ~host
                return first, first | host
        number = self.number(value)
        return number, number

    def modelled(self, first: int, last: int) -> list[tuple[int, int]]:
        """The model's intervals for an interval of the kernel's numbers."""
        if self.becomes is not None:
            return [(mine, mine) for kernel, mine in self.becomes.items() if first <= kernel <= last]
        return [(first + self.shift, last + self.shift)]


def _written(digits: str) -> int | None:
    """A number in a string, decimal or hexadecimal (`ct original proto-dst { 22 }` prints `0x16 [invalid type]`)."""
    if not digits.isascii() or len(digits) > 40:
        return None
    try:
        if digits.isdigit():
            return int(digits)
        if digits[:2] == "0x" and digits[2:].isalnum():
            return int(digits, 16)
    except ValueError:
        return None
    return None


def shorten(value: Json, limit: int = 80) -> str:
    """A value for a message, cut to `limit` characters."""
    text = value if type(value) is str else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def string(value: Json, what: str) -> str:
    """The value, if it is a string that is not empty. Raises MalformedJsonError."""
    if type(value) is not str or not value:
        raise MalformedJsonError(f"{what} is not a name: {shorten(value)}")
    return value


def mapping(value: Json, what: str) -> dict[str, Json]:
    """The value, if it is an object. Raises MalformedJsonError."""
    if type(value) is not dict:
        raise MalformedJsonError(f"{what} is not an object: {shorten(value)}")
    return value


IPV4: Final = ValueKind(32, address=AF_INET)
IPV6: Final = ValueKind(128, address=AF_INET6)
PORT: Final = ValueKind(16, symbol.SERVICES)
PROTOCOL: Final = ValueKind(8, symbol.PROTOCOLS)
NFPROTO: Final = ValueKind(8, symbol.NFPROTO, becomes={2: 4, 10: 6})
ETHER_TYPE: Final = ValueKind(16, symbol.ETHER_TYPES, becomes={0x0800: 4, 0x86DD: 6})
BYTE: Final = ValueKind(8)
LENGTH: Final = ValueKind(32)
PAYLOAD_LENGTH: Final = ValueKind(16, shift=40)
DSCP: Final = ValueKind(6, symbol.DSCP)
MARK: Final = ValueKind(32)
PACKET_TYPE: Final = ValueKind(8, symbol.PACKET_TYPES)
DIRECTION: Final = ValueKind(8, symbol.DIRECTIONS)
TCP_FLAGS: Final = ValueKind(8, symbol.TCP_FLAGS)
ICMP_TYPE: Final = ValueKind(8, symbol.ICMP_TYPES)
ICMP_CODE: Final = ValueKind(8, symbol.ICMP_CODES)
ICMPV6_TYPE: Final = ValueKind(8, symbol.ICMPV6_TYPES)
ICMPV6_CODE: Final = ValueKind(8, symbol.ICMPV6_CODES)
STATE: Final = ValueKind(32, symbol.STATES)
STATUS: Final = ValueKind(32, symbol.STATUS)
