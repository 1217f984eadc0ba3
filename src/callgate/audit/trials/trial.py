"""One attempt of a test phone, and the phone that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from callgate.audit.auditor import Side
from callgate.audit.target import Target
from callgate.audit.trials.secret import beside, password_of
from callgate.baseline.service import Service
from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint.attempt import Attempt, CallRecord, Ending, RegistrationTerms
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.sccp_phone import Identity, SccpPhone
from callgate.endpoint.sip_phone import Account, SipPhone, SipTransport
from callgate.endpoint.tls import TlsOptions
from callgate.errors import NotDetermined
from callgate.evidence.listener import Address, Family

SIP_EXPIRES: Final = 3600
"""Seconds a SIP phone asks for: what phones ask by default (RFC 3261 section 10.2.1.1)."""


class Phone(Protocol):
    """A phone of either protocol; on leaving it hangs up, unregisters and closes."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    async def register(self) -> RegistrationTerms: ...  # noqa: D102
    async def call(self, number: str, *, seconds: float = ...) -> CallRecord: ...  # noqa: D102
    async def answer(self, *, within: float, seconds: float | None = ..., echo: bool = ...) -> CallRecord: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One attempt of one phone at one address of the host."""

    phone: TrialPhone
    service: Service
    place: str
    side: Side
    address: Address
    attempt: Attempt
    heard: int | None = None
    """Of a call to another test phone: the packets that it counted; None where nobody counted."""
    itself: bool = False
    """Of a call: the server had the phone send its audio to itself."""

    @property
    def arrived(self) -> bool:
        """Of a call: whether what the phone sent is known to have arrived: it came back, or the other end counted it.

        Audio that is received proves nothing of it: music, or an announcement, comes whatever was sent.
        """
        echoed = self.attempt.call is not None and self.attempt.call.audio.echoed > 0
        return not self.itself and (echoed or bool(self.heard))

    @property
    def taken(self) -> bool:
        """Whether an SCCP phone was registered, whatever became of it then."""
        return self.done or self.attempt.registration is not None

    @property
    def family(self) -> Family:
        """The family it was made in."""
        return 4 if self.address.version == 4 else 6

    @property
    def done(self) -> bool:
        """Whether the phone got what it asked for."""
        return self.attempt.ending is Ending.DONE

    @property
    def learnt_nothing(self) -> bool:
        """Whether it failed before anything of the host could tell."""
        return self.attempt.ending in (Ending.NO_ROUTE, Ending.FAILED_HERE)

    def __str__(self) -> str:
        by = f" (as {self.attempt.source.address})" if self.attempt.source else ""
        where = f"{self.address} port {self.service.port[0]}"
        return f"{self.phone.name} from {self.place}{by} at {where}: {self.attempt.ending}, {self.attempt.text}"


def server_at(service: Service, address: Address) -> TransportAddress:
    """Where a phone finds the service."""
    return TransportAddress(address, service.port[0])


def tls_of(target: Target, phone: TrialPhone) -> TlsOptions | None:
    """How a phone speaks TLS. Whose certificate the server has is another control's question."""
    if phone.way != "tls":
        return None
    own, key = (beside(target.plan.site_path, name) if name else None for name in (phone.certificate, phone.key))
    return TlsOptions(certificate=own, key=key, verify=False)


def identity_of(phone: TrialPhone, name: str | None = None) -> Identity:
    """An SCCP phone's identity; with `name`, that of a device nobody has."""
    device = name or phone.device
    assert device is not None
    return Identity(device_name=device, version=phone.version)


def account_of(target: Target, phone: TrialPhone) -> Account:
    """A SIP phone's account. Raises NotDetermined when its password is not where it should be."""
    assert phone.user is not None
    password = password_of(phone, target.plan.site_path)
    return Account(user=phone.user, password=password, domain=phone.domain)


def account_without(phone: TrialPhone, user: str, password: str | None) -> Account:
    """An account of the phone's domain that is not the phone's own, or lacks its password."""
    return Account(user=user, password=password, domain=phone.domain)


def phone_at(target: Target, phone: TrialPhone, network: Network, server: TransportAddress) -> Phone:
    """The phone, ready to register at a server. Raises NotDetermined when its password is not where it should be."""
    tls = tls_of(target, phone)
    if phone.application == "sccp":
        return SccpPhone(network, server, identity_of(phone), tls=tls)
    return SipPhone(network, server, account_of(target, phone), transport=SipTransport(phone.way), tls=tls)


def not_here(phone: TrialPhone) -> NotDetermined:
    """The phone's service is not among those judged."""
    return NotDetermined(f"{phone.name}: no judged service is {phone.application.upper()} over {phone.way.upper()}")
