"""The part of a boot that restores dumps: sets and iptables rules."""

from __future__ import annotations

import re
from typing import Final, Literal

from callgate.firewall.iptables.save import written_by
from callgate.lab.boot_nftables import plan_nft_file
from callgate.lab.boot_steps import Plan, Step, plain_settings

Tool = Literal["iptables", "ip6tables"]

_IPSETS: Final = ("etc/iptables/ipsets", "etc/sysconfig/ipset", "etc/ipset.conf")
_DEFAULTS: Final = "etc/default/netfilter-persistent"
_SAVED: Final[dict[str, tuple[tuple[Tool, str, str], ...]]] = {
    # loader: (tool, file, what is loaded when that fails)
    "iptables-persistent": (("iptables", "etc/iptables/rules.v4", ""), ("ip6tables", "etc/iptables/rules.v6", "")),
    "iptables-services": (
        ("iptables", "etc/sysconfig/iptables", "etc/sysconfig/iptables.fallback"),
        ("ip6tables", "etc/sysconfig/ip6tables", "etc/sysconfig/ip6tables.fallback"),
    ),
    "callgate": (("iptables", "etc/callgate/gate.v4", ""), ("ip6tables", "etc/callgate/gate.v6", "")),
}
_GATE: Final = "etc/callgate/gate.nft"


def plan_ipset(plan: Plan) -> None:
    """`ipset restore -exist`, as netfilter-persistent's 10-ipset and ipset.service do."""
    folder = sorted(name for name in plan.files if re.fullmatch(r"etc/sysconfig/ipset\.d/[^/]+\.set", name))
    found = [name for name in (*_IPSETS, *folder) if name in plan.files]
    for file in found:
        plan.add(Step(file, (plan.program("ipset", "ipset"), "restore", "-exist"), stdin=file))


def plan_saved(plan: Plan, loader: str, tools: tuple[Tool, ...] = ("iptables", "ip6tables")) -> None:
    """`iptables-restore` and `ip6tables-restore`, as netfilter-persistent's 15-ip4tables and 25-ip6tables, RHEL's
    iptables.service and callgate-gate.service do; through the back end that the file's header names.
    """
    settings = plain_settings(plan.files.get(_DEFAULTS, ""), _DEFAULTS) if loader == "iptables-persistent" else {}
    if loader == "callgate" and _GATE in plan.files:
        plan_nft_file(plan, _GATE)
    for tool, file, fallback in _SAVED[loader]:
        if file not in plan.files or tool not in tools:
            continue
        prefix = "IPTABLES" if tool == "iptables" else "IP6TABLES"
        noflush = loader == "callgate" or settings.get(f"{prefix}_RESTORE_NOFLUSH") == "yes"
        options = ("--noflush",) if noflush else ()
        restore = restore_program(plan, tool, plan.files[file])
        tested = None
        if settings.get(f"{prefix}_TEST_RULESET") == "yes":
            tested = (plan.add(Step(file, (restore, "--test", *options), stdin=file)), True)
        loaded = plan.add(Step(file, (restore, *options), stdin=file, after=tested))
        if fallback in plan.files:
            other = restore_program(plan, tool, plan.files[fallback])
            plan.add(Step(fallback, (other,), stdin=fallback, after=(loaded, False)))


def restore_program(plan: Plan, tool: Tool, text: str) -> str:
    """The program that loads a dump: of the back end that wrote it, or of the plan's when it does not say."""
    backend = written_by(text) or ("legacy" if plan.legacy else "nft")
    return plan.program(f"{tool}-{backend}-restore", "iptables")
