"""One host for all tests of a process: building it costs more than loading a ruleset into it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.differential.kernel_host import TOOLS, KernelHost, RulesetError
from tests.differential.ruleset import Ruleset

from callgate.lab.availability import lab_unavailable
from callgate.lab.pytest_fixtures import require, require_tool

NEEDED = {
    "ipset, nf_tables iptables or its extensions": Ruleset(
        ipset="".join(
            f"create {kind.replace(',', '-').replace(':', '-')} {kind} {rest}\n"
            for kind, rest in {
                "hash:net": "", "hash:ip": "", "hash:net,port": "", "hash:ip,port": "", "bitmap:port": "range 0-65535",
                "list:set": "",
            }.items()
        ),
        iptables="*filter\n-A INPUT -m set --match-set hash-net src -m iprange --src-range 10.0.0.1-10.0.0.2"
        " -j REJECT\nCOMMIT\n",
        ip6tables="*nat\n-A PREROUTING -p tcp -j REDIRECT --to-ports 2000\nCOMMIT\n",
    ),
    "legacy iptables": Ruleset(
        iptables_legacy="*raw\n-A PREROUTING -j NOTRACK\nCOMMIT\n",
        ip6tables_legacy="*mangle\n-A PREROUTING -m hl --hl-eq 64 -j MARK --set-mark 1\nCOMMIT\n",
    ),
    "netdev and fib of nf_tables": Ruleset(
        nft="table netdev n { chain c { type filter hook ingress device eth0 priority 0; }; }\n"
        "table inet t { chain c { type filter hook input priority 0; fib daddr type local ct state new accept; }; }\n"
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def built_host() -> Iterator[KernelHost]:
    """The host, when this machine and its kernel have all that the rulesets need."""
    require(lab_unavailable())
    for tool in TOOLS:
        require_tool(tool)
    with KernelHost() as host:
        for what, ruleset in NEEDED.items():
            try:
                host.load(ruleset)
            except RulesetError as refusal:
                require(f"this kernel or its tools have no {what}: {str(refusal).strip().splitlines()[0]}")
        yield host


@pytest.fixture
def kernel_host(built_host: KernelHost) -> KernelHost:
    """The host without rules."""
    built_host.load(Ruleset())
    return built_host
