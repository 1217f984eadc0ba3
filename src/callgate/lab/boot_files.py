"""What a lab host loads at boot: saving its rules, enabling units, and a reboot.

A reboot takes every rule out of the host's network namespace and loads what the host's own /etc loads, with the real
tools; servers and addresses stay. Units and their links are systemd's (systemd.unit(5)), though no systemd runs.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from callgate.lab.availability import find_tool
from callgate.lab.boot_saved import plan_ipset, plan_saved
from callgate.lab.boot_steps import Plan
from callgate.lab.boot_units import PACKAGED, disable, enable, enabled_units, unit_file
from callgate.lab.firewalld import Firewalld, run_firewalld
from callgate.lab.host import LabHost

__all__ = [
    "NFTABLES_UNIT",
    "PACKAGED",
    "PERSISTENT_UNIT",
    "Rebooted",
    "disable",
    "enable",
    "reboot",
    "save_iptables",
    "save_nftables",
]

NFTABLES_UNIT: Final = "nftables.service"
PERSISTENT_UNIT: Final = "netfilter-persistent.service"
"""What loads the files of `save_nftables` and `save_iptables`."""
_ORDER: Final = (
    *("ipset.service", NFTABLES_UNIT, PERSISTENT_UNIT, "iptables.service", "ip6tables.service"),
    *("ufw.service", "firewalld.service"),
)
"""Units that load rules, in the order of `callgate.evidence.boot`; all others come behind them."""
_LOADS: Final = re.compile(r"^ExecStart=.*\b(?:nft|ip6?tables|ipset)\b", re.MULTILINE)
_SETS: Final = "/sys/module/ip_set"
_BUILT_IN: Final = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "raw": ("PREROUTING", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
_END_MANAGERS: Final = """\
for process in /proc/[0-9]*; do
  read -r name <"$process/comm" || continue
  case $name in firewalld | dbus-daemon) kill -9 "${process#/proc/}" ;; esac
done
rm -rf /run/dbus /run/firewalld
nft flush ruleset
"""
_READ: Final = (
    'for file in "$@"; do if [ -f "$file" ]; then printf "%s\\0" "$file"; cat "$file"; printf "\\0"; fi; done'
)
_SAVED_FILES: Final = (
    *("iptables/rules.v4", "iptables/rules.v6", "iptables/ipsets", "default/netfilter-persistent", "ipset.conf"),
    *("sysconfig/iptables", "sysconfig/ip6tables", "sysconfig/iptables.fallback", "sysconfig/ip6tables.fallback"),
    "sysconfig/ipset",
)


@dataclass(frozen=True, slots=True)
class Rebooted:
    """What came of a reboot."""

    started: tuple[str, ...]
    """The units that were started, in order."""
    complaints: Mapping[str, str] = field(default_factory=dict)
    """Unit to what its programs said when they failed; the boot went on."""
    firewalld: Firewalld | None = None
    """The new daemon, where its unit is enabled."""


def save_iptables(host: LabHost, *, legacy: bool = False) -> None:
    """Write both families' tables and the ipsets to /etc/iptables, as `netfilter-persistent save` does.

    `netfilter-persistent.service` loads them when it is enabled.
    """
    backend = "legacy" if legacy else "nft"
    for tool, file in (("iptables", "rules.v4"), ("ip6tables", "rules.v6")):
        host.write_etc(f"iptables/{file}", host.run([f"{tool}-{backend}-save"]).stdout)
    if find_tool("ipset") is not None and _there(host, _SETS):
        sets = host.run(["ipset", "save"]).stdout
        if sets:
            host.write_etc("iptables/ipsets", sets)


def save_nftables(host: LabHost, text: str | None = None) -> None:
    """Write nf_tables' rules, or the `text` given, to the file that `nftables.service` loads: /etc/nftables.conf.

    Raises LabError when they cannot be loaded from there: iptables' own matches have no words in nft(8)'s language.
    """
    if text is None:
        listing = host.run(["nft", "--stateless", "list", "ruleset"]).stdout
        text = f"#!/usr/sbin/nft -f\n\nflush ruleset\n\n{listing}"
    unit = unit_file(host, NFTABLES_UNIT)
    of_rhel = unit is not None and "/etc/sysconfig/nftables.conf" in unit[1]
    name = "sysconfig/nftables.conf" if of_rhel else "nftables.conf"
    host.write_etc(name, text)
    host.run(["nft", "--check", "-f", f"/etc/{name}"])


def reboot(host: LabHost) -> Rebooted:
    """Take all rules out of the host and start the units that are enabled there and load some.

    A unit that fails does not stop the boot. Raises LabError when the rules cannot be taken out, and for a unit whose
    programs are not to be had here.
    """
    _flush(host)
    enabled = enabled_units(host)
    found = {unit: unit_file(host, unit) for unit in enabled}
    others = [unit for unit, file in found.items() if unit not in _ORDER and file and _LOADS.search(file[1])]
    units = [unit for unit in _ORDER if found.get(unit)] + others
    complaints: dict[str, str] = {}
    firewalld = None
    for unit in units:
        if unit == "firewalld.service":
            firewalld = run_firewalld(host, faulty=True)
            said = "" if firewalld.running else host.run(["cat", "/var/log/firewalld"], check=False).stdout.strip()
        elif unit in PACKAGED:
            said = _restore(host, unit)
        else:
            file = found[unit]
            said = _start(host, file[1] if file else "")
        if said:
            complaints[unit] = said
    return Rebooted(tuple(units), complaints, firewalld)


def _flush(host: LabHost) -> None:
    host.run(["sh", "-c", _END_MANAGERS])
    for tool, names in (("iptables", "ip_tables_names"), ("ip6tables", "ip6_tables_names")):
        for table in host.run(["cat", f"/proc/net/{names}"], check=False).stdout.split():
            chains = "".join(f":{chain} ACCEPT [0:0]\n" for chain in _BUILT_IN[table])
            host.run([f"{tool}-legacy-restore"], stdin=f"*{table}\n{chains}COMMIT\n")
    # Both load modules of the kernel where it does not have them yet.
    if find_tool("ipset") is not None and _there(host, _SETS):
        host.run(["ipset", "destroy"])
    if find_tool("conntrack") is not None and _there(host, "/proc/sys/net/netfilter/nf_conntrack_max"):
        host.run(["conntrack", "-F"])


def _there(host: LabHost, path: str) -> bool:
    return host.run(["test", "-e", path], check=False).returncode == 0


def _start(host: LabHost, text: str) -> str:
    """Run what the unit runs; what failed said this. After one that fails, the rest of ExecStart is not run."""
    for line in re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE):
        prefix = re.match(r"[-@:+!]*", line)
        flags = prefix[0] if prefix else ""
        words = [word.replace("$$", "$").replace("%%", "%") for word in shlex.split(line[len(flags) :])]
        done = host.run(words, timeout=20, check=False)
        if done.returncode != 0 and "-" not in flags:
            return _said(done)
    return ""


def _restore(host: LabHost, unit: str) -> str:
    """What the scripts of these packages do, step by step."""
    plan = Plan(_saved_files(host), find_tool)
    if unit in ("ipset.service", PERSISTENT_UNIT):
        plan_ipset(plan)
    match unit:
        case "netfilter-persistent.service":
            plan_saved(plan, "iptables-persistent")
        case "iptables.service":
            plan_saved(plan, "iptables-services", ("iptables",))
        case "ip6tables.service":
            plan_saved(plan, "iptables-services", ("ip6tables",))
    passed: list[bool | None] = []
    complaints = []
    for step in plan.steps:
        if step.after is not None and passed[step.after[0]] is not step.after[1]:
            passed.append(None)
            continue
        done = host.run(["sh", "-c", 'exec "$@" <"$0"', f"/{step.stdin}", *step.argv], timeout=20, check=False)
        passed.append(done.returncode == 0)
        if done.returncode != 0:
            complaints.append(_said(done))
    return "\n".join(complaints)


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.strip() or done.stdout.strip() or f"{done.args[0]} ended with {done.returncode}"


def _saved_files(host: LabHost) -> dict[str, str]:
    shown = host.run(["sh", "-c", _READ, "sh", *(f"/etc/{name}" for name in _SAVED_FILES)]).stdout.split("\0")
    return {path.lstrip("/"): text for path, text in zip(shown[::2], shown[1::2], strict=False)}
