"""What the errors of sockets mean for an attempt, told apart as the prober tells them apart. Pure."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from callgate.endpoint.answer import icmp_cause
from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.exchange import IcmpError
from callgate.endpoint.network import Address, TransportAddress
from callgate.endpoint.prober import DESTINATION_UNREACHABLE, LOCAL_ERRORS, PORT_UNREACHABLE

_BROKEN: Final = {errno.ECONNRESET, errno.EPIPE}


class During(StrEnum):
    """What was being done when the error came."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    """Over a connection that stood."""
    DATAGRAMS = "datagrams"


def failure_of(
    number: int | None,
    remote: TransportAddress,
    during: During,
    *,
    at_once: bool = False,
    icmp: IcmpError | None = None,
    own: Address | None = None,
) -> AttemptFailed:
    """The error `number` (errno), met on the way to `remote`, as an ending.

    `at_once` says that the kernel refused by itself, without a packet; `icmp` is the report behind the error and
    `own` the local address: from there a report tells of a neighbour that does not answer, or of the firewall here.
    """
    name = errno.errorcode.get(number or 0, f"error {number}")
    if icmp is not None:
        cause = icmp_cause(icmp, name)
        if own is not None and without_zone(icmp.sender) == without_zone(own) != without_zone(remote.address):
            return AttemptFailed(Ending.NO_ROUTE, f"{remote}: could not be sent out: {cause}")
        if (icmp.type, icmp.code) in PORT_UNREACHABLE:
            return AttemptFailed(Ending.REFUSED, f"{remote}: {cause}")
        if icmp.type in DESTINATION_UNREACHABLE:
            return AttemptFailed(Ending.UNREACHABLE, f"{remote}: {cause}")
        return AttemptFailed(Ending.FAILED_HERE, f"{remote}: {cause}")
    if during is During.STREAMING:
        if number in _BROKEN:
            return AttemptFailed(Ending.RESET, f"{remote}: connection reset (RST)")
        if number in (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH):
            return AttemptFailed(Ending.SILENT, f"{remote}: what was sent is no longer acknowledged ({name})")
    elif number in _BROKEN:  # before the handshake it would be ECONNREFUSED
        return AttemptFailed(Ending.RESET, f"{remote}: connection reset (RST) as soon as it stood")
    elif number == errno.ECONNREFUSED:
        sign = "port unreachable" if during is During.DATAGRAMS else "connection refused (RST)"
        return AttemptFailed(Ending.REFUSED, f"{remote}: {sign}")
    elif number == errno.ETIMEDOUT:
        return AttemptFailed(Ending.NO_REPLY, f"{remote}: no reply to the connection request")
    elif at_once and (number in LOCAL_ERRORS or number == errno.ENODEV):
        return AttemptFailed(Ending.NO_ROUTE, f"{remote}: could not be sent out: {name}")
    return AttemptFailed(Ending.FAILED_HERE, f"{remote}: {name}")


def icmp_report(report: Mapping[str, Any] | None) -> IcmpError | None:
    """What `prober.take_icmp` returns, typed."""
    return None if report is None else IcmpError(report["type"], report["code"], ip_address(report["from"]))


def without_zone(address: Address) -> Address:
    """The address without its zone (RFC 4007, section 11), so that `fe80::1%eth0` equals `fe80::1`."""
    return IPv6Address(int(address)) if isinstance(address, IPv6Address) else address
