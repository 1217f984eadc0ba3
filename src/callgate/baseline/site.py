"""The site file: what is true of one place. Which networks are trusted, what runs there, who looks from where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from callgate.baseline.network import PRIVATE_NETWORKS, HostAddress, Trusted, TrustedNetwork
from callgate.baseline.service import CATALOGUE, SERVICE_NAME, Ports, Protocol, Service, ServiceName
from callgate.baseline.shape import check, in_line_order, names_under, nearest, sound_entries, suggestion, validate
from callgate.baseline.source import Location, Source, read_source
from callgate.baseline.text import Line, Switch
from callgate.baseline.trial_phone import TrialPhone, clashes
from callgate.baseline.waiver import Waiver
from callgate.errors import FileMistakes, Mistake
from callgate.evidence.interfaces import Network
from callgate.evidence.listener import Address, Listener, Transport

_NETWORKS: TypeAdapter[tuple[TrustedNetwork, ...]] = TypeAdapter(tuple[TrustedNetwork, ...])


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class ServiceChange(_Strict):
    """What differs from the catalogue's service of that name, or a service of the site's own.

    `true` and `false` stand for `{judged: true}` and `{judged: false}`.
    """

    judged: Switch = True

    title: Line | None = None
    application: Protocol | None = None
    transport: Transport | None = None
    port: Ports | None = None
    tls: Switch | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_switch(cls, value: Any) -> Any:
        if not isinstance(value, bool | dict | ServiceChange):
            raise ValueError("true, false, or keys and values like {port: 5080} are expected")
        return {"judged": value} if isinstance(value, bool) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "boolean"}, handler.resolve_ref_schema(handler(core))]}


def _protected(value: Any) -> Any:
    """`true` means both, `false` neither."""
    if not isinstance(value, bool | list | tuple):
        raise ValueError("true, false, or a list of sccp and sip is expected")
    return (("sccp", "sip") if value else ()) if isinstance(value, bool) else value


_PROTOCOLS_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"enum": ["sccp", "sip"]}}]}
)


def _port_and_transport(value: Any) -> Any:
    port, slash, transport = str(value).partition("/")
    if not slash or transport not in ("tcp", "udp"):
        raise ValueError("a port with its transport, like 22/tcp, is expected")
    return {"port": port, "transport": transport}


class _Port(_Strict):
    port: Ports
    transport: Transport


class AccountedListener(_Strict):
    """A listener somebody answers for: its port, and the process that should hold it."""

    port: Annotated[
        _Port,
        BeforeValidator(_port_and_transport),
        WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,5}(-[0-9]{1,5})?/(tcp|udp)$"}),
    ]
    process: Line | None = None
    reason: Line | None = None

    def covers(self, listener: Listener) -> bool:
        """Whether the port is this one's, whatever process holds it."""
        return listener.transport == self.port.transport and listener.port in self.port.port


class Vantage(_Strict):
    """A host to probe from: a testinfra URI, with a POSIX shell and python3 there."""

    name: Line
    host: Line
    side: Literal["trusted", "stranger"]


class Phone(_Strict):
    """A phone of the site that must keep its service."""

    name: Line
    application: Literal["sccp", "sip"] = "sccp"
    address: HostAddress | None = None


class HostEntry(_Strict):
    """What differs for the hosts whose name matches the entry's pattern."""

    addresses: tuple[HostAddress, ...] = ()
    """Where the host is probed; without it, its own addresses as the evidence shows them."""
    expected: tuple[ServiceName, ...] | None = None
    listeners: tuple[AccountedListener, ...] = ()
    behind: tuple[TrustedNetwork, ...] = ()
    """Networks behind this host in which call managers stand."""
    tls_name: Line | None = None
    """The name its certificate must have; without it, the name or address it is reached by."""


class Site(_Strict):
    """One site. Only `trusted` is needed; without a site file private address space is trusted."""

    trusted: Trusted
    """The networks phones and staff are in; everyone else is a stranger."""
    tls_only: Annotated[tuple[Literal["sccp", "sip"], ...], BeforeValidator(_protected), _PROTOCOLS_SCHEMA] = ()
    """The protocols that may be offered over TLS alone; `true` means both."""
    expected: tuple[ServiceName, ...] | None = None
    """The services this site means to run; without it, the site does not say."""
    services: dict[ServiceName, ServiceChange] = Field(default_factory=dict)
    """Services moved, added (`h323: true`) or dropped (`sccp: false`)."""
    listeners: tuple[AccountedListener, ...] = ()
    """Other listeners somebody answers for."""
    voice_interfaces: tuple[Line, ...] = ()
    """Interfaces that only trusted networks lie behind."""
    behind: tuple[TrustedNetwork, ...] = ()
    """Networks in which call managers stand that only the audited hosts lead to."""
    vantages: tuple[Vantage, ...] = ()
    """Hosts to probe from, on either side."""
    auditor: Literal["trusted", "stranger", "none"] | None = None
    """On which side the auditor's own machine stands (`none`: it does not probe); without it, its address tells."""
    phones: tuple[Phone, ...] = ()
    """Phones that must keep their service."""
    test_phones: tuple[TrialPhone, ...] = ()
    """Phones the audit may use: it registers, calls and leaves as them."""
    tls_ca: Line | None = None
    """The certificates of those who may sign a server's (PEM), beside the site file if the path is relative; without
    it, the system's."""
    hosts: dict[Line, HostEntry] = Field(default_factory=dict)
    """What differs for single hosts, by a pattern over names and URIs, like `pbx1` or `ssh://*@lab-*`."""
    waivers: tuple[Waiver, ...] = ()
    """Failing controls that somebody accepted, until a time."""

    def trusts(self, address: Address) -> bool:
        """Whether an address lies in a trusted network."""
        return any(address in network for network in self.trusted)

    def wants_tls(self, service: Service) -> bool:
        """Whether this service may be offered over TLS only."""
        return service.application in self.tls_only

    def entries(self, uri: str, name: str) -> tuple[HostEntry, ...]:
        """The entries whose pattern matches a host, in file order."""
        return tuple(
            entry for pattern, entry in self.hosts.items() if fnmatchcase(name, pattern) or fnmatchcase(uri, pattern)
        )

    def expected_on(self, uri: str, name: str) -> tuple[str, ...] | None:
        """The services meant to run on a host: its own entry's, else the site's."""
        for entry in self.entries(uri, name):
            if entry.expected is not None:
                return entry.expected
        return self.expected

    def accounted_on(self, uri: str, name: str) -> tuple[AccountedListener, ...]:
        """The listeners somebody answers for on a host."""
        own = tuple(listener for entry in self.entries(uri, name) for listener in entry.listeners)
        return own + self.listeners

    def behind_of(self, uri: str, name: str) -> tuple[Network, ...]:
        """The networks behind a host in which call managers stand: its own entries' and the site's."""
        own = tuple(network for entry in self.entries(uri, name) for network in entry.behind)
        return tuple(dict.fromkeys(own + self.behind))

    def judged(self, names: Sequence[str]) -> tuple[Service, ...]:
        """The services to judge: those named (by a baseline), as the site moves, adds and drops them."""
        judged: dict[str, Service] = {name: CATALOGUE[name] for name in names}
        for name, change in self.services.items():
            if change.judged:
                judged[name] = _changed(name, CATALOGUE.get(name), change)
            else:
                judged.pop(name, None)
        return tuple(judged.values())


DEFAULT_SITE = Site(trusted=PRIVATE_NETWORKS)
DEFAULT_SITE_ASSUMPTION = (
    "no site file: private address space (RFC 1918, RFC 4193, link-local) is taken as trusted, all else as strangers"
)


def load_site(path: Path) -> Site:
    """Read and check a site file. Raises FileMistakes with every mistake in it."""
    source = read_source(path)
    site, mistakes = check(source, Site)
    mistakes += _contradictions(source)
    if site is None or mistakes:
        raise FileMistakes(in_line_order(mistakes))
    return site


class WaiverFile(_Strict):
    """A file that holds waivers alone."""

    waivers: tuple[Waiver, ...]


def load_waivers(path: Path) -> tuple[Waiver, ...]:
    """Read a file that holds `waivers:` alone. Raises FileMistakes with every mistake in it."""
    return validate(read_source(path), WaiverFile).waivers


def _changed(name: str, base: Service | None, change: ServiceChange) -> Service:
    values = base.model_dump(exclude={"port"}) | {"port": base.port} if base else {"name": name, "title": name}
    keys = change.model_fields_set - {"judged"}
    given = {key: value for key in keys if (value := getattr(change, key)) is not None}
    return Service(**{**values, **given})


def _contradictions(source: Source) -> Iterator[Mistake]:
    """What the shape alone does not show: names nothing knows, phones nobody trusts. Wrong entries are passed over."""
    written = source.mapping.get("services")
    known = {*CATALOGUE, *(written if isinstance(written, dict) else ())}
    changes = {str(name): change for name, change in sound_entries(source, "services", ServiceChange)}
    for name, change in changes.items():
        if name not in CATALOGUE and SERVICE_NAME.fits(name):
            yield from _incomplete(source, name, change)
    yield from _not_judged(source, known, {name for name, change in changes.items() if not change.judged})
    yield from _locked_out(source)
    for index, waiver in sound_entries(source, "waivers", Waiver):
        if waiver.service is not None and waiver.service not in known:
            text = f"no service is called {waiver.service!r}; {suggestion(waiver.service, known)}"
            yield source.mistake(("waivers", index, "service"), text)
    first: dict[str, str | int] = {}
    for index, vantage in sound_entries(source, "vantages", Vantage):
        if first.setdefault(vantage.name, index) != index:
            yield source.mistake(("vantages", index, "name"), f"{vantage.name!r} names two vantages")
    yield from _shared(source)


def _incomplete(source: Source, name: str, change: ServiceChange) -> Iterator[Mistake]:
    """A name outside the catalogue: a typing mistake, or a service of the site's own that is not all described."""
    if not change.model_fields_set - {"judged"}:
        yield source.mistake(("services", name), f"no service is called {name!r}; {suggestion(name, CATALOGUE)}")
    elif lacking := [key for key in ("application", "transport", "port") if getattr(change, key) is None]:
        near = nearest(name, CATALOGUE)
        text = f"a service of the site's own needs {', '.join(lacking)}" + (
            f"; or did you mean {near}?" if near else ""
        )
        yield source.mistake(("services", name), text)


def _not_judged(source: Source, known: set[str], dropped: set[str]) -> Iterator[Mistake]:
    """Names of expected services that no audit of this site would judge."""
    hosts = source.mapping.get("hosts")
    places: list[Location] = [("expected",)]
    places += [("hosts", pattern, "expected") for pattern in (hosts if isinstance(hosts, dict) else ())]
    for place in places:
        for index, name in names_under(source, place):
            if name in dropped:
                yield source.mistake((*place, index), f"{name!r} cannot be expected where `services` drops it")
            elif name not in known and SERVICE_NAME.fits(name):
                yield source.mistake((*place, index), f"no service is called {name!r}; {suggestion(name, known)}")


def _locked_out(source: Source) -> Iterator[Mistake]:
    """Phones outside every trusted network."""
    try:
        networks = _NETWORKS.validate_python(source.mapping.get("trusted"))
    except ValidationError:
        return  # the one that is wrong may be the phones' own
    for index, phone in sound_entries(source, "phones", Phone):
        address = phone.address
        if address is not None and not any(address in network for network in networks):
            text = f"{phone.name} stands in no trusted network ({address}): it would be locked out"
            yield source.mistake(("phones", index, "address"), text)


def _shared(source: Source) -> Iterator[Mistake]:
    """Test phones of one name, and those of one pattern of hosts that would throw each other out."""
    seen: list[TrialPhone] = []
    for index, phone in sound_entries(source, "test_phones", TrialPhone):
        place = ("test_phones", index, "name")
        if any(phone.name == other.name for other in seen):
            yield source.mistake(place, f"{phone.name!r} names two test phones")
        elif clash := clashes([*(other for other in seen if other.hosts == phone.hosts), phone]):
            yield source.mistake(place, clash)
        else:
            seen.append(phone)
