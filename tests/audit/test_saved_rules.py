"""Saved rules without their host, as a pull request has them: loaded by the real tools, judged as rules alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import testinfra

from callgate.audit.plan import AuditPlan, make_plan
from callgate.audit.saved_rules import with_rules_loaded
from callgate.audit.target import Target
from callgate.errors import EvidenceError, NotDetermined
from callgate.evidence.backends import register_backends
from callgate.evidence.bundle import Bundle
from callgate.evidence.evidence import Evidence
from callgate.lab.boot import boot_unavailable
from callgate.lab.pytest_fixtures import require

pytestmark = pytest.mark.lab

NFTABLES = """\
#!/usr/sbin/nft -f
flush ruleset
include "/etc/nftables.d/*.nft"
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    iif lo accept
    iif "voice0" ip saddr $phones tcp dport 2000 accept
  }
}
"""
INCLUDED = "define phones = 192.168.1.0/24\n"
SAVED = """\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -s 192.168.1.0/24 -p tcp -m tcp --dport 2000 -j ACCEPT
COMMIT
"""


@pytest.fixture(autouse=True)
def loadable() -> None:
    require(boot_unavailable())


def bundle(**files: str) -> Bundle:
    """Files by their path, with `__` for `/` and `_` for `.`."""
    return Bundle("pbx", {name.replace("__", "/").replace("_", "."): text.encode() for name, text in files.items()})


def target(collected: Bundle, plan: AuditPlan) -> Target:
    register_backends()
    return Target(testinfra.get_host("bundle://pbx"), plan, collected)


@pytest.fixture
def plan(tmp_path: Path) -> AuditPlan:
    site = tmp_path / "site.yaml"
    site.write_text('trusted: [192.168.1.0/24, "fd00:1::/64"]\n', encoding="utf-8")
    return make_plan("voip-core", site)


def reaching(evidence: Evidence, plan: AuditPlan) -> dict[tuple[int, str], int]:
    """How many sources reach SCCP, by family and interface."""
    from callgate.audit.reaching import reaching_of

    sccp = [service for service in plan.services if service.name == "sccp"]
    return {
        (one.entrance.family, one.entrance.interface): one.door.surely.size
        for one in reaching_of(evidence, plan.site, sccp)
    }


def test_nftables_conf_is_judged_as_it_loads_with_what_it_includes(plan: AuditPlan) -> None:
    loaded = with_rules_loaded(bundle(etc__nftables_conf=NFTABLES, etc__nftables_d__phones_nft=INCLUDED))
    evidence = Evidence(loaded)
    assert evidence.rules_alone
    assert reaching(evidence, plan) == {
        (4, "voice0"): 256, (4, "(any other)"): 0, (6, "voice0"): 0, (6, "(any other)"): 0
    }  # fmt: skip


def test_family_that_no_file_filters_is_open_once_the_host_has_started(plan: AuditPlan) -> None:
    found = reaching(Evidence(with_rules_loaded(bundle(etc__iptables__rules_v4=SAVED))), plan)
    assert found[4, "(any other)"] == 256
    assert found[6, "(any other)"] > 1 << 120


def test_report_says_that_saved_rules_were_loaded(plan: AuditPlan) -> None:
    told = target(bundle(etc__iptables__rules_v4=SAVED), plan).assumptions()
    assert "what a boot loads was loaded on the auditor's machine, and judged: /etc/iptables/rules.v4" in told


def test_file_that_does_not_load_is_named_with_its_line(plan: AuditPlan) -> None:
    broken = bundle(etc__nftables_conf="flush ruleset\ntable inet filter {\n  chain input { tcp dport { 2000 drop\n}\n")
    with pytest.raises(EvidenceError, match=r"etc/nftables.conf: does not load: .*3"):
        with_rules_loaded(broken)
    with pytest.raises(NotDetermined, match="does not load"):
        _ = target(broken, plan).evidence
    assert target(broken, plan).assumptions() == ()


def test_bundle_that_tells_its_rules_or_its_host_is_left_as_it_is() -> None:
    for collected in (
        bundle(etc__iptables__rules_v4=SAVED, **{"iptables-save_txt": ""}),
        Bundle("pbx", {"ip-addr.json": b"[]\n", "etc/nftables.conf": NFTABLES.encode()}),
        Bundle("pbx", {"manifest.json": b"{}", "etc/nftables.conf": NFTABLES.encode()}),
        bundle(etc__hosts="127.0.0.1 localhost\n"),
    ):
        assert with_rules_loaded(collected) is collected
