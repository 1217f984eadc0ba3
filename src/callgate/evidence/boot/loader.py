"""Who loads firewall rules when a host starts, and from which files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from callgate.firewall.rule import Family

LoaderName = Literal[
    "ipset", "nftables", "iptables-persistent", "iptables-services", "ufw", "firewalld", "csf", "callgate"
]
LOADERS: Final[tuple[LoaderName, ...]] = (
    "ipset", "nftables", "iptables-persistent", "iptables-services", "ufw", "firewalld", "csf", "callgate"
)  # fmt: skip
"""In the order in which they load: sets before the rules that name them, our own remedy's gate behind all others."""


@dataclass(frozen=True, slots=True)
class BootLoader:
    """One manager of rules with the files it loads."""

    name: LoaderName
    unit: str
    """Its unit, like `nftables.service`."""
    enabled: bool | None
    """Whether it loads its files when the host starts; None where the evidence does not tell."""
    files: Mapping[str, str]
    """Path like `etc/iptables/rules.v4` to text."""
    active: bool | None = None
    """Whether its unit is active now; None where no systemd runs or nobody asked."""
    assumed: bool = False
    """`enabled` is taken for granted: the files are there, and the bundle has no unit states."""
    because: str = ""
    """Why it loads nothing, or why that is not known, in words."""
    failed: bool = False
    """Its unit failed when it was last started."""


@dataclass(frozen=True, slots=True)
class BootPlan:
    """Everything that loads rules when the host starts, as far as the evidence tells."""

    loaders: tuple[BootLoader, ...] = ()
    """In boot order; those that are not enabled too."""
    told: bool = True
    """Whether the bundle holds anything about booting. A bundle made by hand need not."""
    others: tuple[str, ...] = ()
    """What else may load or change rules at boot, in words: their effect is not known."""
    conflicts: tuple[str, ...] = ()
    """Managers that undo each other's rules while nothing says which comes last, in words."""
    findings: tuple[str, ...] = ()
    """What is plainly wrong with how they start, in words: a testing mode, a unit that is stopped."""
    missing: tuple[str, ...] = ()
    """Files that a unit loads and that are not there, in words."""
    notes: tuple[str, ...] = ()
    """What reading it took for granted."""
    owners: Mapping[str, bool | None] = field(default_factory=dict)
    """Services that put in their rules themselves (docker, fail2ban ...), and whether they start at boot."""
    forwarding: Mapping[Family, bool] = field(default_factory=dict)
    """Whether files of parameters switch forwarding on or off, where any does."""
    units_told: bool = True
    """Whether the bundle tells unit states; where it does not, managers and owners are taken to start."""

    @property
    def loading(self) -> tuple[BootLoader, ...]:
        """Those that load their files at boot."""
        return tuple(loader for loader in self.loaders if loader.enabled)

    @property
    def files(self) -> dict[str, str]:
        """The files of those that load."""
        return {path: text for loader in self.loading for path, text in loader.files.items()}
