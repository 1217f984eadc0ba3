"""A bundle in memory as a host under audit: nothing is connected to, nothing is collected."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import testinfra

from callgate.audit.plan import AuditPlan
from callgate.audit.target import Target
from callgate.evidence.backends import host_uri
from callgate.evidence.bundle import Bundle
from callgate.evidence.evidence import Evidence


class Snapshot(Target):
    """What one bundle says of a host. It goes by the host's own URI where the bundle came straight from there."""

    def __init__(self, bundle: Bundle, plan: AuditPlan, evidence: Evidence | None = None) -> None:
        """`evidence` stands in for what the bundle itself says, like the rules that load at boot."""
        super().__init__(testinfra.get_host(host_uri("bundle://snapshot")), plan, bundle)
        self.uri, self.name = _names(bundle.source)
        self._given = evidence

    @cached_property
    def evidence(self) -> Evidence:
        """What was collected, or what stands in for it."""
        return super().evidence if self._given is None else self._given


def target_of(bundle: Bundle, plan: AuditPlan, evidence: Evidence | None = None) -> Target:
    """The host that the bundle describes, to be judged by the plan; nothing behind it can be probed or asked.

    With `evidence` that counts, and the bundle gives only its name.
    """
    return Snapshot(bundle, plan, evidence)


def _names(source: str) -> tuple[str, str]:
    """URI and short name, as an audit of the host or of the bundle gives them."""
    scheme, separator, rest = source.partition("://")
    if separator and scheme != "bundle":
        if scheme == "local":
            return source, "localhost"
        address = rest.partition("?")[0].rpartition("@")[2]
        name, colon, port = address.rpartition(":")
        if colon and port.isdigit() and not name.endswith(":"):
            address = name
        return source, address.strip("[]") or source
    path = Path(rest if separator else source)
    return f"bundle://{path}", path.name.removesuffix(".tar.gz").removesuffix(".tgz") or str(path)
