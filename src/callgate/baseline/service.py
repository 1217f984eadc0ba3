"""The services a call-control host offers, and their ports.

Ports: IANA (cisco-sccp 2000, sip 5060, sips 5061, h323hostcall 1720, mgcp 2427 and 2428) and Cisco's port usage
guides for Unified CM (2443, 69, 6970 to 6972, 3804, 2445, 2748, RTP 16384 to 32767). 2443 is not Cisco's at
IANA, and 5060 is SIP's: advice that calls it Skinny's is wrong.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, InstanceOf, PlainSerializer, WithJsonSchema

from callgate.baseline.text import Form
from callgate.evidence.listener import Listener, Transport

SERVICE_NAME = Form(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", "a service name like sip-udp", 40)
ServiceName = Annotated[str, SERVICE_NAME]
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


def _ports(value: Any) -> Any:
    if isinstance(value, range):
        return value
    found = _PORTS.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise ValueError("a port or a range like 6970-6972 is expected")
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= 65535:
        raise ValueError("a port lies between 1 and 65535, and a range ascends")
    return range(first, last + 1)


def _ports_text(ports: range) -> str:
    return str(ports[0]) if len(ports) == 1 else f"{ports[0]}-{ports[-1]}"


Ports = Annotated[
    InstanceOf[range],
    BeforeValidator(_ports),
    PlainSerializer(_ports_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": r"^[0-9]{1,5}(-[0-9]{1,5})?$"},
            ]
        }
    ),
]
"""One port, or an ascending range written like `6970-6972`."""

Protocol = Literal["sccp", "sip", "h323", "mgcp", "tftp", "http", "capf", "tvs", "cti", "rtp", "other"]


class Service(BaseModel):
    """One service as the audit judges it."""

    model_config = ConfigDict(frozen=True)

    name: ServiceName
    title: str
    application: Protocol
    transport: Transport
    port: Ports
    tls: bool = False

    @property
    def ports(self) -> str:
        """Port and transport as people write them, like `2000/tcp`."""
        return f"{_ports_text(self.port)}/{self.transport}"

    def claims(self, listener: Listener) -> bool:
        """Whether a socket listens on this service's transport and port."""
        return listener.transport == self.transport and listener.port in self.port


def _catalogue(*rows: tuple[str, str, Protocol, Transport, str, bool]) -> dict[str, Service]:
    return {
        name: Service(
            name=name,
            title=title,
            application=application,
            transport=transport,
            port=_ports(ports),
            tls=tls,
        )
        for name, title, application, transport, ports, tls in rows
    }


CATALOGUE = _catalogue(
    ("sccp", "SCCP (Skinny)", "sccp", "tcp", "2000", False),
    ("sccp-tls", "SCCP over TLS", "sccp", "tcp", "2443", True),
    ("sip-udp", "SIP over UDP", "sip", "udp", "5060", False),
    ("sip-tcp", "SIP over TCP", "sip", "tcp", "5060", False),
    ("sip-tls", "SIP over TLS", "sip", "tcp", "5061", True),
    ("h323", "H.323 call signalling", "h323", "tcp", "1720", False),
    ("mgcp-udp", "MGCP", "mgcp", "udp", "2427", False),
    ("mgcp-tcp", "MGCP backhaul", "mgcp", "tcp", "2428", False),
    ("tftp", "TFTP", "tftp", "udp", "69", False),
    ("phone-configuration", "Phone configuration over HTTP(S)", "http", "tcp", "6970-6972", False),
    ("capf", "Certificate Authority Proxy Function", "capf", "tcp", "3804", False),
    ("tvs", "Trust Verification Service", "tvs", "tcp", "2445", False),
    ("cti", "CTI (QBE)", "cti", "tcp", "2748", False),
    ("rtp", "RTP media", "rtp", "udp", "16384-32767", False),
)
"""Every service known by name."""

JUDGED_BY_DEFAULT = ("sccp", "sccp-tls", "sip-udp", "sip-tcp", "sip-tls")
