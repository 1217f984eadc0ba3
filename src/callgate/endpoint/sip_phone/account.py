"""Who a SIP phone is, how it speaks to its server, and how long it waits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import sipmessage

from callgate.endpoint.network import TransportAddress
from callgate.sip.digest import Credentials
from callgate.sip.fields import uri_host

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")
MAXIMUM_USER: Final = 128


class SipTransport(StrEnum):
    """What SIP runs over."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at a SIP server. ValueError if a field cannot be; the password is shown in no text."""

    user: str
    """The user part of the address of record; often the extension."""
    password: str | None = field(default=None, repr=False)
    """None: no challenge is answered."""
    domain: str | None = None
    """The host part of the address of record; None: the server's address."""
    auth_user: str | None = None
    """The name in the credentials; None: `user`."""

    def __post_init__(self) -> None:
        for name in (self.user, self.auth_user):
            if name is not None and not (0 < len(name) <= MAXIMUM_USER and name.isprintable()):
                raise ValueError(f"a SIP user has 1 to {MAXIMUM_USER} printable characters")
        if self.domain is not None and not _HOST.fullmatch(self.domain):
            raise ValueError(f"{self.domain!r} is not a domain")
        _ = self.credentials

    @property
    def credentials(self) -> Credentials | None:
        """What challenges are answered with; None without a password."""
        return None if self.password is None else Credentials(self.auth_user or self.user, self.password)

    def domain_at(self, server: TransportAddress) -> str:
        """The host part of this account's address of record."""
        return self.domain or uri_host(server.address)

    def uri_at(self, server: TransportAddress, user: str | None = None) -> str:
        """The URI of this account, or of another user of the same domain, characters escaped as they must be."""
        return str(sipmessage.URI(scheme="sip", user=user or self.user, host=self.domain_at(server)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in seconds."""

    connect: float = 4.0
    """For TCP to connect, and again for the TLS handshake. Linux needs 3.1 s to find that no neighbour answers."""
    answer: float = 6.0
    """For the final response to a request; for the first response to an INVITE. RFC 3261 waits 64*T1, 32 s: what did
    not answer four or five retransmissions (after 0.5, 1.5, 3.5 s, and by INVITE) is taken for silent."""
    ring: float = 20.0
    """For a call to be answered, from its first response on. Then it is cancelled."""
    call: float = 120.0
    """For the other side to hang up."""
    leave: float = 2.0
    """For each of what cleans up: CANCEL, BYE, un-REGISTER."""

    def __post_init__(self) -> None:
        for name in ("connect", "answer", "ring", "call", "leave"):
            if not 0 < getattr(self, name) <= 3600:
                raise ValueError(f"patience: {name} must be above 0 and at most 3600 seconds")
