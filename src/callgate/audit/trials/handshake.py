"""A verified TLS handshake with a service, as a phone makes it that trusts the site's certificate authority."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from callgate.audit.target import Target
from callgate.audit.trials.conversation import CONNECT_SECONDS
from callgate.audit.trials.secret import beside
from callgate.audit.trials.trial import server_at, tls_of
from callgate.baseline.service import Service
from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.network import Network
from callgate.endpoint.tls import TlsOptions, secure
from callgate.evidence.listener import Address, Family

HANDSHAKE_SECONDS: Final = 5.0
_DNS_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What came of one."""

    service: Service
    place: str
    address: Address
    ending: Ending
    text: str
    not_after: datetime | None = None
    """When the certificate expires; None unless the handshake was done."""

    @property
    def family(self) -> Family:
        """The family it was made in."""
        return 4 if self.address.version == 4 else 6

    @property
    def learnt_nothing(self) -> bool:
        """Whether it failed before anything of the host could tell."""
        return self.ending in (Ending.NO_ROUTE, Ending.FAILED_HERE)

    def __str__(self) -> str:
        return f"{self.place} at {self.address} port {self.service.port[0]}: {self.ending}, {self.text}"


def server_name(target: Target) -> str | None:
    """The name the host's certificate must have: the site's word, else the host's own name; None: its address."""
    for entry in target.plan.site.entries(target.uri, target.name):
        if entry.tls_name is not None:
            return entry.tls_name
    return target.name if target.live and _DNS_NAME.fullmatch(target.name) and ":" not in target.name else None


async def handshake(
    target: Target, service: Service, place: str, network: Network, address: Address, phone: TrialPhone | None = None
) -> Handshake:
    """Connect, shake hands, verify, part; a server that asks for a certificate is shown the phone's.

    Raises UsageMistake where the site's own `tls_ca`, or the phone's certificate, cannot be used.
    """
    site = target.plan.site
    authority = beside(target.plan.site_path, site.tls_ca) if site.tls_ca is not None else None
    own = tls_of(target, phone) if phone is not None else None
    options = replace(own or TlsOptions(), ca=authority, server_name=server_name(target), verify=True)
    seen: tuple[Ending, str, datetime | None]
    try:
        stream = await network.connect(server_at(service, address), within=CONNECT_SECONDS)
        try:
            secured = await secure(stream, options, within=HANDSHAKE_SECONDS)
            facts = secured.session
            await secured.close()
            seen = (Ending.DONE, f"{facts.version} with {facts.cipher}, a valid certificate", facts.not_after)
        finally:
            await stream.close()
    except AttemptFailed as failed:
        seen = (failed.ending, failed.text, None)
    ending, text, not_after = seen
    return Handshake(service=service, place=place, address=address, ending=ending, text=text, not_after=not_after)
