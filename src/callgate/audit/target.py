"""A host under audit: its connection, its names, its evidence, and what the site says of it."""

from __future__ import annotations

from functools import cached_property
from ipaddress import ip_address

from testinfra.host import Host

from callgate.audit.plan import AuditPlan
from callgate.baseline.network import used_by_many
from callgate.baseline.site import AccountedListener
from callgate.errors import CollectionError, NotDetermined
from callgate.evidence.backends import host_key, host_name
from callgate.evidence.bundle import Bundle
from callgate.evidence.evidence import Evidence
from callgate.evidence.interfaces import InterfaceAddress
from callgate.evidence.listener import Address, Family, Listener


class Target:
    """One host under audit. `evidence` raises CollectionError when the host gave none."""

    def __init__(self, host: Host, plan: AuditPlan, collected: Bundle | CollectionError | None) -> None:
        """`collected` is None where the baseline judges from outside."""
        self.host = host
        self.plan = plan
        self.uri = host_key(host)
        self.name = host_name(host)
        self._collected = collected

    @property
    def live(self) -> bool:
        """Whether there is a machine behind it that can be probed and asked."""
        return str(self.host.backend.NAME) != "bundle"

    @property
    def from_outside(self) -> bool:
        """Whether the host is judged without evidence, by probes alone."""
        return self._collected is None

    def require(self) -> None:
        """Raise the CollectionError of a host that could not be collected; checks then do not even begin."""
        if isinstance(self._collected, CollectionError):
            raise self._collected

    @cached_property
    def evidence(self) -> Evidence:
        """What was collected. Raises CollectionError when nothing could be."""
        self.require()
        if not isinstance(self._collected, Bundle):
            raise CollectionError(self.uri, "no evidence is collected: the baseline judges from outside")
        # Only rules that boot loads lead to the lab, which an audit of hosts does without.
        from callgate.audit.saved_rules import with_rules_loaded

        return Evidence(with_rules_loaded(self._collected))

    def assumptions(self) -> tuple[str, ...]:
        """What the verdicts on this host take for granted."""
        try:
            own = self.evidence.assumptions() if isinstance(self._collected, Bundle) else ()
            if isinstance(self._collected, Bundle) and self.evidence.bundle is not self._collected:
                saved = ", ".join(f"/{name}" for name in self._collected.names() if name.startswith("etc/"))
                own = (f"what a boot loads was loaded on the auditor's machine, and judged: {saved}", *own)
        except NotDetermined:
            own = ()  # rules that do not load: each check tells
        return (*self.plan.assumptions, *own)

    @property
    def expected(self) -> tuple[str, ...] | None:
        """The services meant to run here; None when the site does not say."""
        return self.plan.site.expected_on(self.uri, self.name)

    @property
    def accounted(self) -> tuple[AccountedListener, ...]:
        """The listeners somebody answers for here."""
        return self.plan.site.accounted_on(self.uri, self.name)

    def probed_addresses(self) -> tuple[Address, ...]:
        """Where a vantage probes this host: as the site says, else every address that is not local to a link.

        Without evidence it is the name the host is reached by, if that is an address. Raises NotDetermined.
        """
        if named := self._named_addresses():
            return named
        if self.from_outside:
            try:
                return (ip_address(self.name),)
            except ValueError:
                text = "the site file names no addresses of it, and its name is none"
                raise CollectionError(self.uri, text) from None
        return tuple(dict.fromkeys(entry.address for entry in self.evidence.addresses if _reachable(entry)))

    def _named_addresses(self) -> tuple[Address, ...]:
        entries = self.plan.site.entries(self.uri, self.name)
        return tuple(address for entry in entries for address in entry.addresses)

    def families(self) -> frozenset[Family]:
        """The families in which the host has addresses that can be reached. Raises as `evidence` does."""
        return frozenset(
            4 if entry.address.version == 4 else 6 for entry in self.evidence.addresses if _reachable(entry)
        )

    def surely_meant(self, address: Address, source: Address | None) -> bool:
        """Whether a probe of `address` from `source` is about this host and no other.

        So it is where somebody named the address (the site file, or the URI of a host judged from outside), where
        it is the host's own and unique, or where the source is a neighbour. A private address may be another
        host's where the vantage stands, or lead nowhere: silence there says nothing.
        """
        if self.from_outside or address in self._named_addresses():
            return True
        own = [entry.network for entry in self.evidence.addresses if entry.address == address]
        return bool(own) and (not used_by_many(address) or any(source in network for network in own if source))

    def beyond(self, listener: Listener) -> bool:
        """Whether anybody but this very host can send to it, trusted or not."""
        return not listener.loopback or self._loopback_is_routed()

    def _loopback_is_routed(self) -> bool:
        """Whether packets of others to 127.0.0.0/8 are taken (route_localnet), from neighbours even untranslated."""
        return any(key.endswith(".route_localnet") and value != "0" for key, value in self.evidence.sysctls.items())


def _reachable(entry: InterfaceAddress) -> bool:
    return not (entry.address.is_loopback or entry.address.is_link_local or entry.address.is_multicast)
