"""Reads off the evidence which managers load which rules at boot, and in which order."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from callgate.evidence.boot.conflict import conflicts
from callgate.evidence.boot.files import BootFiles
from callgate.evidence.boot.forwarding import forwarding_at_boot
from callgate.evidence.boot.loader import LOADERS, BootLoader, BootPlan, LoaderName
from callgate.evidence.boot.managers import FOUND, Found
from callgate.evidence.boot.other import other_loaders
from callgate.evidence.boot.units import Unit, Units, commands, read_units
from callgate.evidence.evidence import Evidence

_HARMLESS: Final = r"ExecStartPost=\S*/firewall-cmd --state"
"""What a unit runs beside that loads no rules."""
OWNERS: Final[dict[str, tuple[str, ...]]] = {
    "docker": ("docker", "snap.docker.dockerd"),
    "fail2ban": ("fail2ban",),
    "libvirt": ("libvirtd", "virtnetworkd"),
    "kubernetes": ("kubelet", "k3s", "k3s-agent", "rke2-server", "rke2-agent"),
    "NetworkManager": ("NetworkManager",),
    "FreePBX": ("freepbx", "voipfirewalld"),
}
"""Services that add to the rules themselves when they start, and their units; NetworkManager binds interfaces to zones
of firewalld."""
_STARTED: Final[dict[str, str]] = {
    "nftables": r"-?\S*/nft -f (/etc/nftables\.conf|/etc/sysconfig/nftables\.conf)",
    "netfilter-persistent": r"-?\S*/netfilter-persistent start",
    "iptables": r"-?\S*/iptables\.init start",
    "ip6tables": r"-?\S*/ip6tables\.init start",
    "ipset": r"-?\S*/ipset\.start-stop start",
    "ufw": r"-?\S*/ufw-init start( quiet)?",
    "firewalld": r"-?\S*/firewalld --nofork --nopid( \$FIREWALLD_ARGS)?",
}
"""What the units start, as their packages have it. Anything else may load other files."""


def boot_plan(evidence: Evidence) -> BootPlan:
    """What loads at boot. Raises EvidenceError for a file that the bundle should have and has not, or not whole."""
    bundle = evidence.bundle
    files = BootFiles(bundle)
    if not files.told():
        return BootPlan(told=False)
    units = read_units(bundle)
    loaders: dict[LoaderName, BootLoader] = {}
    others: list[str] = []
    findings: list[str] = []
    missing: list[str] = []
    notes: list[str] = []
    for name in LOADERS:
        found = FOUND[name](files)
        if units.told and found.unit_of:
            found = _of_started_units(found, units)
        unit = _unit(units, found)
        if not found.files and not unit.enabled:
            continue
        loader = _loader(name, found, unit, units)
        loaders[name] = loader
        if loader.enabled is not False:
            others += found.unknown
            if units.states is None and unit.name in units.openrc:
                others.append(f"OpenRC starts {unit.name}: which files its script loads is not weighed")
            others += _changed(evidence, loader)
        if loader.enabled and found.missing:
            missing.append(f"{loader.unit} starts at boot, but {found.missing} is not there")
        notes += found.notes
        findings += _found_wrong(loader, found, unit, units)
        if loader.assumed:
            notes.append(f"no unit states in the bundle: {name} is taken to load {_listed(loader)} at boot")
    others += other_loaders(bundle, units)
    all_loaders = tuple(loaders.values())
    return BootPlan(
        loaders=all_loaders,
        others=tuple(dict.fromkeys(others)),
        conflicts=conflicts(all_loaders),
        findings=tuple(findings),
        missing=tuple(missing),
        notes=tuple(notes),
        owners={owner: _starts(units, names) for owner, names in OWNERS.items()},
        forwarding=forwarding_at_boot(bundle, ufw="ufw" in loaders and loaders["ufw"].enabled is not False),
        units_told=units.told,
    )


def _unit(units: Units, found: Found) -> Unit:
    """The unit of a manager: of several names the first that exists."""
    candidates = [units.unit(name) for name in found.units]
    return next(
        (unit for unit in candidates if unit.enabled), next((one for one in candidates if one.there), candidates[0])
    )


def _of_started_units(found: Found, units: Units) -> Found:
    """Without the files whose own unit does not start, as long as some other of its units does."""
    states = {path: units.unit(unit).enabled for path, unit in found.unit_of.items()}
    if True not in states.values() and None not in states.values():
        return found  # none starts: told of the manager as a whole
    off = sorted(path for path in found.files if states.get(path) is False)
    unsure = sorted(path for path in found.files if states.get(path, True) is None and True in states.values())
    return replace(
        found,
        files={path: text for path, text in found.files.items() if path not in off},
        unknown=(
            *found.unknown,
            *(f"whether {found.unit_of[path]}.service loads /{path} is not told" for path in unsure),
        ),
        notes=(
            *found.notes,
            *(f"{found.unit_of[path]}.service does not start at boot: /{path} is not loaded" for path in off),
        ),
    )


def _loader(name: LoaderName, found: Found, unit: Unit, units: Units) -> BootLoader:
    enabled, assumed, because = unit.enabled, False, ""
    if not units.told:
        enabled, assumed = True, True
    elif enabled is None:
        because = f"whether {unit.name}.service starts at boot is not told ({unit.state})"
    elif not enabled:
        because = f"{unit.name}.service does not start at boot ({unit.state})"
    if found.off:
        enabled, assumed, because = False, False, found.off
    return BootLoader(
        name, f"{unit.name}.service", enabled, dict(found.files), unit.active, assumed, because, unit.failed
    )


def _found_wrong(loader: BootLoader, found: Found, unit: Unit, units: Units) -> list[str]:
    said = []
    if loader.enabled and found.testing:
        said.append(found.testing)
    if loader.enabled and loader.failed:
        said.append(f"{loader.unit} failed when it was last started")
    if loader.name == "firewalld" and loader.enabled and unit.active is False and not loader.failed:
        said.append(f"{loader.unit} starts at boot, but is stopped now")
    if loader.enabled is False and unit.active and not unit.enabled and units.told:
        said.append(f"{loader.unit} runs now, but does not start at boot ({unit.state})")
    return said


def _changed(evidence: Evidence, loader: BootLoader) -> list[str]:
    """What an administrator made of the manager's unit, where that may load other files."""
    unit = loader.unit.removesuffix(".service")
    own, added = commands(evidence.bundle, unit)
    said = [f"a drop-in of {loader.unit} says {line[:120]!r}" for line in added]
    known = _STARTED.get(unit)
    odd = [line for line in own if known is not None and not re.fullmatch(rf"ExecStart={known}|{_HARMLESS}", line)]
    return said + [f"{loader.unit} starts something else: {line[:120]!r}" for line in odd]


def _starts(units: Units, names: tuple[str, ...]) -> bool | None:
    """Whether one of the services starts at boot."""
    if not units.told:
        return None
    states = [units.unit(name).enabled for name in names]
    return True if True in states else None if None in states else False


def _listed(loader: BootLoader) -> str:
    names = sorted(loader.files)
    return ", ".join(f"/{name}" for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
