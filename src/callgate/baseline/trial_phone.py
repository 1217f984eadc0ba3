"""A phone of the site that the audit may use: it registers, calls and leaves as that phone and no other."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from callgate.baseline.service import Service
from callgate.baseline.text import Form, Line

DEVICE_NAME: Final = Form(r"[A-Za-z0-9_.-]+", "a device name like SEP001122334455", 15)
DeviceName = Annotated[str, DEVICE_NAME]
"""As in RegisterReqMessage: 16 bytes with the NUL."""


def _or_digits(pattern: str) -> WithJsonSchema:
    """YAML reads 600 as a number; it counts as the text it is written as."""
    return WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^{pattern}$"}, {"type": "integer", "minimum": 0}]})


_USER: Final = r"[A-Za-z0-9_.!~*'()&=+$,;?/-]+"
_NUMBER: Final = r"[0-9A-Za-z*#+._-]+"
UserName = Annotated[str, Form(_USER, "a SIP user like 4711", 64), _or_digits(_USER)]
"""RFC 3261 section 25.1, `user`, without escapes."""
Number = Annotated[str, Form(_NUMBER, "a number like 600", 32), _or_digits(_NUMBER)]
_HOST: Final = r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
Domain = Annotated[str, Form(_HOST, "a domain like pbx.example.com, or an address ([fd00::1] over IPv6)", 253)]
Variable = Annotated[str, Form(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable", 100)]

_SCCP_ALONE = ("device", "version")
_SIP_ALONE = ("user", "password_env", "password_file", "domain")


class TrialPhone(BaseModel):
    """A test phone. It must be a device of its own: what a real phone uses would be thrown out by it."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    name: Line
    application: Literal["sccp", "sip"] = "sccp"
    hosts: Line = "*"
    """The hosts that know it: a pattern over names and URIs, like `pbx1`."""
    transport: Literal["udp", "tcp", "tls"] | None = None
    """SCCP: tcp (the default) or tls. SIP: udp (the default), tcp or tls."""
    device: DeviceName | None = None
    """SCCP: its device name."""
    version: Annotated[int, Field(ge=0, le=22, strict=True)] = 17
    """SCCP: the newest protocol version it speaks."""
    user: UserName | None = None
    """SIP: its user."""
    password_env: Variable | None = None
    """SIP: the environment variable that holds its password."""
    password_file: Line | None = None
    """SIP: the file that holds its password, beside the site file if the path is relative."""
    domain: Domain | None = None
    """SIP: the domain of its address; without it, the server's address."""
    certificate: Line | None = None
    """TLS: its own certificate (PEM, with its key or beside `key`), where the server asks for one."""
    key: Line | None = None
    """TLS: the certificate's key (PEM, without a pass phrase)."""
    number: Number | None = None
    """Its own extension. A test phone that dials it has it answer."""
    dials: Number | None = None
    """What it calls: an extension that answers and sends audio back, or another test phone's number."""
    unknown: UserName | None = None
    """A device or user that nobody has, to be refused. Without it no unknown device is tried."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        sccp = self.application == "sccp"
        if sccp and self.device is None:
            hint = "; or is it `application: sip`?" if self.user is not None else ""
            raise ValueError(f"an SCCP test phone needs `device`, the name of a device kept for it{hint}")
        if not sccp and self.user is None:
            raise ValueError("a SIP test phone needs `user`")
        strange = [key for key in (_SIP_ALONE if sccp else _SCCP_ALONE) if key in self.model_fields_set]
        if strange:
            raise ValueError(f"{self.application} has no {', '.join(strange)}")
        if sccp and self.transport == "udp":
            raise ValueError("SCCP does not run over UDP")
        if self.way != "tls" and (self.certificate is not None or self.key is not None):
            raise ValueError("a certificate is for `transport: tls`")
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("either password_env or password_file, not both")
        if self.unknown is not None and self.unknown in (self.device, self.user):
            raise ValueError("`unknown` is the phone's own name: it must be one that nobody has")
        if sccp and self.unknown is not None:
            DEVICE_NAME(self.unknown)
        return self

    @property
    def way(self) -> Literal["udp", "tcp", "tls"]:
        """Its transport."""
        return self.transport or ("tcp" if self.application == "sccp" else "udp")

    def belongs_to(self, uri: str, name: str) -> bool:
        """Whether a host knows it."""
        return fnmatchcase(name, self.hosts) or fnmatchcase(uri, self.hosts)

    def uses(self, service: Service) -> bool:
        """Whether it registers with this service."""
        way = "tls" if service.tls else service.transport
        return (service.application, way) == (self.application, self.way)


def clashes(phones: Iterable[TrialPhone]) -> str | None:
    """Which two phones of one host would throw each other out, or call the other nobody; None if none would.

    chan-sccp compares device names without their case.
    """
    names: dict[tuple[str, str], str] = {}
    known = tuple(phones)
    for phone in known:
        if phone.device is not None:
            other = names.setdefault((phone.application, phone.device.casefold()), phone.name)
            if other != phone.name:
                return f"{phone.name} is the same device as {other}: one of them would throw the other out"
    for phone in known:
        nobody = None if phone.unknown is None else phone.unknown.casefold()
        for other_phone in known:
            if nobody is not None and nobody in ((other_phone.device or "").casefold(), other_phone.user):
                return f"{phone.name}: `unknown` is {other_phone.name}: it must be one that nobody has"
    return None
