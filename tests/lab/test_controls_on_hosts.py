"""Every control on a real host on which it fails and on one on which it passes; for booting elsewhere as well."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from tests.lab.running_only import as_it_runs

from callgate.lab.availability import lab_unavailable
from callgate.lab.boot_files import NFTABLES_UNIT, enable
from callgate.lab.call_control import apply_firewall, start_servers, write_site
from callgate.lab.certificate import self_signed
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

Verdicts = dict[str, dict[str | None, str]]
"""Control to service (None for a check without one) to verdict."""

HOLD = """\
import socket, time
call = socket.create_connection(("203.0.113.10", 2000), 5)
print("held", flush=True)
time.sleep(60)
"""


def audit(lab: Lab, more_site: str = "", *, baseline: str = "voip-core", boots: bool = False) -> tuple[int, Verdicts]:
    """Exit code and verdicts; what a boot brings is judged where `boots` is set."""
    site = write_site(lab)
    site.write_text(site.read_text(encoding="utf-8") + more_site, encoding="utf-8")
    command = [sys.executable, "-m", "callgate", "audit", lab.pbx.uri, "--site", str(site), "--json", "-"]
    command += ["--baseline", baseline if boots else str(as_it_runs(lab.directory, baseline))]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.stdout, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["exit_code"] == done.returncode
    verdicts: Verdicts = defaultdict(dict)
    for outcome in report["hosts"][0]["outcomes"]:
        verdicts[outcome["control"]][outcome["service"]] = outcome["verdict"]
    return done.returncode, verdicts


def only(verdicts: dict[str | None, str], verdict: str) -> set[str | None]:
    return {service for service, its in verdicts.items() if its == verdict}


def test_exposed_pbx_fails_for_each_service_it_offers(pbx_lab: Lab) -> None:
    code, verdicts = audit(pbx_lab)
    offered = {"sccp", "sip-udp", "sip-tcp"}
    assert code == 1
    assert only(verdicts["EXP-01"], "fail") == offered
    assert only(verdicts["EXP-02"], "pass") == offered
    assert only(verdicts["ANS-01"], "fail") == offered
    assert only(verdicts["ANS-02"], "pass") == offered


def test_usual_remedy_leaves_sccp_and_sip_over_tcp_open(pbx_lab: Lab) -> None:
    require_tool("iptables")
    apply_firewall(pbx_lab.pbx, "usual")
    code, verdicts = audit(pbx_lab)
    assert code == 1
    # sip-udp too: IPv6 is untouched.
    assert only(verdicts["EXP-01"], "fail") == {"sccp", "sip-udp", "sip-tcp"}
    assert only(verdicts["ANS-01"], "fail") == {"sccp", "sip-udp", "sip-tcp"}


def test_protected_pbx_passes_everything_and_its_phones_are_answered(pbx_lab: Lab) -> None:
    apply_firewall(pbx_lab.pbx, "right")
    enable(pbx_lab.pbx, NFTABLES_UNIT)
    code, verdicts = audit(pbx_lab, boots=True)
    assert code == 0
    for control in ("EXP-01", "EXP-03", "ANS-01", "PER-01", "PER-03", "PER-04", "PER-05"):
        assert set(verdicts[control].values()) == {"pass"}, control
    assert verdicts["EXP-06"] == {None: "pass"}
    for control in ("EXP-02", "ANS-02", "PER-02"):
        assert only(verdicts[control], "pass") == {"sccp", "sip-udp", "sip-tcp"}, control


def test_ipv4_only_allow_list_locks_ipv6_phones_out(lab: Lab) -> None:
    start_sccp(lab.pbx)
    lab.pbx.load_nft(
        "table inet t { chain i { type filter hook input priority 0; policy drop;\n"
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
        'iifname "lo" accept\n ip saddr 192.168.1.0/24 accept\n}\n}\n'
    )
    code, verdicts = audit(lab)
    assert code == 1
    assert verdicts["ANS-02"]["sccp"] == verdicts["EXP-02"]["sccp"] == "fail"
    assert verdicts["ANS-01"]["sccp"] == "error"  # nobody was answered over IPv6: silence proves nothing
    assert verdicts["EXP-01"]["sccp"] == "pass"


def test_everything_blocked_is_no_pass(lab: Lab) -> None:
    start_sccp(lab.pbx)
    lab.pbx.load_nft("table inet t { chain i { type filter hook input priority 0; policy drop;\n}\n}\n")
    code, verdicts = audit(lab)
    assert code == 1
    assert verdicts["ANS-02"]["sccp"] == verdicts["EXP-02"]["sccp"] == "fail"
    assert verdicts["EXP-01"]["sccp"] == "pass"


def test_rule_about_the_strangers_own_address_makes_its_silence_worthless(lab: Lab) -> None:
    start_sccp(lab.pbx)
    lab.pbx.load_nft(
        "table inet t { chain i { type filter hook input priority 0; policy accept;\n"
        "ip saddr 203.0.113.66 drop\n ip6 saddr 2001:db8:66::66 drop\n}\n}\n"
    )
    code, verdicts = audit(lab)
    assert code == 1
    assert verdicts["ANS-01"]["sccp"] == "error"
    assert verdicts["EXP-01"]["sccp"] == "fail"


@pytest.mark.parametrize(
    ("listen", "device", "verdict"),
    [("*:2000", "eth0", "pass"), ("127.0.0.1:2000", None, "pass"), ("*:2000", "eth1", "fail")],
)
def test_binding_confines_only_to_loopback_or_the_trusted_device(
    lab: Lab, listen: str, device: str | None, verdict: str
) -> None:
    start_sccp(lab.pbx, listen=[listen], device=device)
    _, verdicts = audit(lab)
    assert verdicts["EXP-01"]["sccp"] == verdict


def test_address_of_the_trusted_side_confines_nothing(lab: Lab) -> None:
    start_sccp(lab.pbx, listen=["192.168.1.10:2000"])
    _, verdicts = audit(lab)
    assert verdicts["EXP-01"]["sccp"] == "fail"
    assert verdicts["ANS-01"]["sccp"] == "fail"


def test_plain_sccp_fails_where_the_site_demands_tls(lab: Lab) -> None:
    start_sccp(lab.pbx)
    _, verdicts = audit(lab, "tls_only: true\n")
    assert verdicts["LSN-02"]["sccp"] == "fail"
    assert verdicts["LSN-02"]["sccp-tls"] == "skip"


def test_sccp_over_tls_alone_passes_where_the_site_demands_tls(lab: Lab) -> None:
    require_tool("openssl")
    start_sccp(lab.pbx, listen=["*:2443"], certificate=self_signed(lab.directory, "pbx.lab"))
    _, verdicts = audit(lab, "tls_only: [sccp]\n")
    assert verdicts["LSN-02"]["sccp"] == "pass"
    assert verdicts["LSN-02"]["sip-udp"] == "skip"
    assert verdicts["ANS-02"]["sccp-tls"] == "pass"
    assert verdicts["ANS-01"]["sccp-tls"] == "fail"


def test_service_fails_where_the_site_does_not_expect_it_and_passes_where_it_does(lab: Lab) -> None:
    start_sccp(lab.pbx)
    _, verdicts = audit(lab, "expected: [sip-udp]\n")
    assert verdicts["LSN-03"]["sccp"] == "fail"
    _, verdicts = audit(lab, "expected: [sccp]\n")
    assert verdicts["LSN-03"]["sccp"] == "pass"


def test_expected_service_that_does_not_run_locks_phones_out(lab: Lab) -> None:
    _, verdicts = audit(lab, "expected: [sccp]\n")
    assert verdicts["ANS-02"]["sccp"] == "fail"


def test_relay_on_another_port_fails_until_somebody_answers_for_it(lab: Lab) -> None:
    start_sccp(lab.pbx, listen=["*:8443"])
    process = Path(sys.executable).resolve().name[:15]
    _, verdicts = audit(lab)
    assert verdicts["LSN-04"][None] == "fail"
    _, verdicts = audit(lab, "listeners: [{port: 8443/tcp, reason: tested relay}]\n")
    assert verdicts["LSN-04"][None] == "pass"
    _, verdicts = audit(lab, "listeners: [{port: 8443/tcp, process: haproxy}]\n")
    assert verdicts["LSN-04"][None] == "fail", f"it is held by {process}"


def protected(more: str = "") -> str:
    """Rules that let the phones of eth0 in, strangers nowhere, and `more` before all that."""
    return (
        "table inet t {\nchain i {\n type filter hook input priority 0; policy drop;\n"
        " icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
        f' iifname "lo" accept\n{more}'
        ' iifname "eth0" ip saddr 192.168.1.0/24 accept\n iifname "eth0" ip6 saddr fd00:1::/64 accept\n}\n}\n'
    )


def test_rules_that_let_strangers_in_over_ipv6_fail_and_sound_ones_pass(lab: Lab) -> None:
    start_sccp(lab.pbx)
    lab.pbx.load_nft(protected(" meta nfproto ipv6 tcp dport 2000 accept\n"))
    _, verdicts = audit(lab)
    assert (verdicts["EXP-01"]["sccp"], verdicts["ANS-01"]["sccp"]) == ("fail", "fail")
    lab.pbx.load_nft("delete table inet t\n" + protected())
    code, verdicts = audit(lab)
    assert (verdicts["EXP-01"]["sccp"], verdicts["EXP-02"]["sccp"], verdicts["ANS-01"]["sccp"]) == ("pass",) * 3
    assert code == 0


def test_redirect_that_leads_strangers_to_sccp_fails_until_it_is_gone(lab: Lab) -> None:
    require_tool("iptables")
    start_sccp(lab.pbx)
    lab.pbx.load_nft(protected(" ct status dnat accept\n"))
    _, verdicts = audit(lab)
    assert verdicts["EXP-03"]["sccp"] == "pass"
    lab.pbx.load_iptables("*nat\n-A PREROUTING -p tcp --dport 12000 -j REDIRECT --to-ports 2000\nCOMMIT\n")
    assert lab.stranger.dial("keepalive", "203.0.113.10", 12000).result == "answered"
    _, verdicts = audit(lab)
    assert verdicts["EXP-01"]["sccp"] == "pass"
    assert verdicts["EXP-03"]["sccp"] == "fail"


def test_dnat_through_forwarding_fails_and_a_forward_chain_that_drops_passes() -> None:
    require(lab_unavailable())
    with Lab(forwarding=True) as router:
        start_sccp(router.trusted)
        router.pbx.load_nft(
            "table ip n { chain p { type nat hook prerouting priority -100;\n"
            " tcp dport 2000 dnat to 192.168.1.50\n}\n}\n"
        )
        assert router.stranger.dial("keepalive", "203.0.113.10", 2000).result == "answered"
        _, verdicts = audit(router)
        assert verdicts["EXP-03"]["sccp"] == "fail"
        router.pbx.load_nft(
            "table inet f { chain f { type filter hook forward priority 0; policy drop;\n"
            ' iifname "eth0" accept\n ct state established accept\n}\n}\n'
        )
        _, verdicts = audit(router)
        assert verdicts["EXP-03"]["sccp"] == "pass"


def test_router_without_voip_fails_where_it_forwards_strangers_to_private_networks(lab: Lab) -> None:
    _, verdicts = audit(lab)
    assert set(verdicts["EXP-03"].values()) == {"pass"}
    with Lab(forwarding=True) as router:
        _, verdicts = audit(router)
    assert set(verdicts["EXP-03"].values()) == {"fail"}


def test_call_manager_named_behind_the_host_is_judged() -> None:
    require(lab_unavailable())
    with Lab(forwarding=True) as router:
        start_sccp(router.pbx, listen=["*:2443"], certificate=self_signed(router.directory, "pbx.lab"))
        _, verdicts = audit(router)
        assert verdicts["EXP-03"]["sccp"] == "pass"  # it offers VoIP itself: phones are behind it
        _, verdicts = audit(router, "behind: [192.168.1.0/24]\n")
        assert verdicts["EXP-03"]["sccp"] == "fail"


@pytest.mark.parametrize(("rp_filter", "verdict"), [(0, "fail"), (1, "pass")])
def test_forged_source_is_believed_unless_the_way_back_is_checked(rp_filter: int, verdict: str) -> None:
    require(lab_unavailable())
    with Lab(rp_filter=rp_filter) as lab:
        start_sccp(lab.pbx)
        lab.pbx.load_nft(
            "table inet t { chain i { type filter hook input priority 0; policy drop;\n"
            ' iifname "lo" accept\n ip saddr 192.168.1.0/24 tcp dport 2000 accept\n}\n}\n'
        )
        _, verdicts = audit(lab, baseline="voip-strict")
        assert verdicts["EXP-04"]["sccp"] == verdict
        assert verdicts["EXP-05"] == {None: "pass"}


def test_default_of_accept_fails_what_the_strict_baseline_asks(lab: Lab) -> None:
    lab.pbx.load_nft(
        "table inet t { chain i { type filter hook input priority 0;\n"
        ' iifname "eth1" tcp dport { 2000, 2443, 5060, 5061 } drop\n iifname "eth1" udp dport 5060 drop\n}\n}\n'
    )
    _, verdicts = audit(lab, baseline="voip-strict")
    assert verdicts["EXP-05"] == {None: "fail"}
    assert set(verdicts["EXP-01"].values()) == {"pass"}


def test_service_that_does_not_run_is_exposed_only_for_the_strict_baseline(lab: Lab) -> None:
    _, verdicts = audit(lab)
    assert set(verdicts["EXP-01"].values()) == {"pass"}
    _, verdicts = audit(lab, baseline="voip-strict")
    assert set(verdicts["EXP-01"].values()) == {"fail"}


def test_flow_that_outlives_the_rule_fails_until_it_is_ended(lab: Lab) -> None:
    require_tool("conntrack")
    start_sccp(lab.pbx)
    tracking = " ct state established,related accept\n"
    lab.pbx.load_nft(protected(tracking + " tcp dport 2000 accept\n"))
    held = lab.stranger.spawn([sys.executable, "-I", "-S", "-c", HOLD], log=lab.directory / "held.log")
    held.wait_ready(lambda: "held" in held.log_text(), within=10)
    lab.pbx.load_nft("delete table inet t\n" + protected(tracking))
    _, verdicts = audit(lab)
    assert verdicts["EXP-01"]["sccp"] == "pass"
    assert verdicts["EXP-06"] == {None: "fail"}
    held.stop()
    lab.pbx.run(["conntrack", "-D", "-s", "203.0.113.66"])
    _, verdicts = audit(lab)
    assert verdicts["EXP-06"] == {None: "pass"}


def test_stranger_that_sends_from_a_trusted_network_is_no_stranger(pbx_lab: Lab) -> None:
    apply_firewall(pbx_lab.pbx, "right")
    site = write_site(pbx_lab)
    text = site.read_text(encoding="utf-8").replace(pbx_lab.stranger.uri, pbx_lab.trusted.uri)
    site.write_text(text.replace("phone network", "other name"), encoding="utf-8")
    command = [sys.executable, "-m", "callgate", "audit", pbx_lab.pbx.uri, "--site", str(site), "--json", "-"]
    report = json.loads(subprocess.run(command, capture_output=True, timeout=60, check=False).stdout)
    about = [one for one in report["hosts"][0]["outcomes"] if one["control"] == "ANS-01"]
    # It got its answers as a trusted phone, so the site file is at fault, not the host.
    assert {one["verdict"] for one in about} <= {"error"}
    assert all("said to be stranger" in one["message"] for one in about)


def test_servers_of_the_demo_are_the_ones_it_names(lab: Lab) -> None:
    require_tool("kamailio")
    running = start_servers(lab.pbx).running
    assert running == ("a call manager on 2000/tcp", "Kamailio on 5060/udp and 5060/tcp")
