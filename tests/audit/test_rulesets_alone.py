"""A ruleset in a pull request: firewall dumps without their host, judged on every interface and address they name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callgate.audit.target import Target
from callgate.baseline.site import DEFAULT_SITE, Site
from callgate.evidence.bundle import Bundle
from callgate.report.outcome import Verdict

from .conftest import judged, target_of

HOSTS = Path(__file__).parents[1] / "data" / "hosts"
PORTS = ("-p tcp -m multiport --dports 2000,2443,5060,5061", "-p udp --dport 5060")
LAN = "-s 192.168.1.0/24"
SITE = Site.model_validate({"trusted": ["192.168.1.0/24", "fd00:1::/64"]})
IPV4 = Site.model_validate({"trusted": ["192.168.1.0/24"]})


def save(*rules: str, policy: str = "DROP") -> str:
    lines = "".join(f"-A INPUT {rule}\n" for rule in rules)
    return f"*filter\n:INPUT {policy} [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{lines}COMMIT\n"


COMPLIANT = save("-i lo -j ACCEPT", *(f"{LAN} {ports} -j ACCEPT" for ports in PORTS))


def alone(site: Site = IPV4, **files: str) -> Target:
    named = {name.replace("_", "-") + ".txt": text.encode() for name, text in files.items()}
    return target_of(Bundle("pull request", named), site)


def verdicts(target: Target, control: str) -> dict[str, Verdict]:
    return {one.name: judged(control, target, one.name)[0] for one in target.plan.services}


def test_compliant_rules_pass_each_service_and_lock_nobody_out() -> None:
    target = alone(iptables_save=COMPLIANT)
    for control in ("EXP-01", "EXP-02", "EXP-03"):
        assert set(verdicts(target, control).values()) == {Verdict.PASS}, control


def test_order_that_lets_everybody_in_fails() -> None:
    rules = [f"{LAN} {ports} -j ACCEPT" for ports in PORTS]
    target = alone(iptables_save=save(*rules, "-p tcp -j ACCEPT", "-p tcp --dport 2000 -j DROP"))
    verdict, message = judged("EXP-01", target)
    assert verdict is Verdict.FAIL
    assert "every IPv4 stranger on (any other)" in message
    assert "rule 3: -A INPUT -p tcp -j ACCEPT" in message


def test_advice_that_takes_5060_for_skinny_fails_for_sccp() -> None:
    advised = (f"{LAN} -p udp --dport 5060 -j ACCEPT", "-p udp --dport 5060 -j DROP")
    target = alone(iptables_save=save(*advised, policy="ACCEPT"))
    assert verdicts(target, "EXP-01")["sip-udp"] is Verdict.PASS
    verdict, message = judged("EXP-01", target)
    assert verdict is Verdict.FAIL
    assert "SCCP is 2000/tcp" in message


def test_family_without_a_dump_is_not_judged_and_one_with_an_empty_dump_is() -> None:
    assert judged("EXP-01", alone(SITE, iptables_save=COMPLIANT))[0] is Verdict.PASS
    verdict, message = judged("EXP-01", alone(SITE, iptables_save=COMPLIANT, ip6tables_save=save(policy="ACCEPT")))
    assert verdict is Verdict.FAIL
    assert "IPv6" in message
    assert "IPv4 stranger" not in message


def test_nft_ruleset_is_judged_in_both_families() -> None:
    recorded = {name: (HOSTS / "nft01-compliant" / name).read_bytes() for name in ("nft.json", "nft.txt")}
    target = target_of(Bundle("pull request", recorded), SITE)
    found = {control: verdicts(target, control) for control in ("EXP-01", "EXP-02")}
    assert set(found["EXP-01"].values()) == {Verdict.PASS}
    assert [found["EXP-02"][name] for name in ("sccp", "sip-udp", "sip-tcp")] == [Verdict.PASS] * 3
    assert found["EXP-02"]["sccp-tls"] is Verdict.SKIP  # no rule opens it: taken as not offered
    for_ipv4 = json.loads(recorded["nft.json"])
    for entry in for_ipv4["nftables"]:
        for content in entry.values():
            if content.get("family") == "inet":
                content["family"] = "ip"
    text = recorded["nft.txt"].replace(b"table inet", b"table ip")
    changed = {"nft.json": json.dumps(for_ipv4).encode() + b"\n", "nft.txt": text}
    verdict, message = judged("EXP-01", target_of(Bundle("pull request", changed), SITE))
    assert verdict is Verdict.FAIL
    assert "every IPv6 stranger" in message


@pytest.mark.parametrize("site", [IPV4, DEFAULT_SITE])
def test_everything_blocked_locks_everyone_out(site: Site) -> None:
    target = alone(site, iptables_save=save("-i lo -j ACCEPT"))
    assert set(verdicts(target, "EXP-01").values()) == {Verdict.PASS}
    assert set(verdicts(target, "EXP-02").values()) == {Verdict.FAIL}
    assert "everyone is locked out: no trusted network reaches any service over IPv4" in judged("EXP-02", target)[1]


def test_service_the_rules_open_to_no_phone_is_taken_as_not_offered_unless_it_is_expected() -> None:
    rules = save(f"{LAN} -p tcp --dport 2000 -j ACCEPT")
    assert verdicts(alone(iptables_save=rules), "EXP-02") == {
        "sccp": Verdict.PASS,
        **dict.fromkeys(("sccp-tls", "sip-udp", "sip-tcp", "sip-tls"), Verdict.SKIP),
    }
    expecting = Site.model_validate({"trusted": ["192.168.1.0/24"], "expected": ["sccp", "sip-udp"]})
    found = verdicts(alone(expecting, iptables_save=rules), "EXP-02")
    assert (found["sccp"], found["sip-udp"], found["sip-tcp"]) == (Verdict.PASS, Verdict.FAIL, Verdict.SKIP)


def test_trusted_network_the_rules_forgot_is_locked_out() -> None:
    two = Site.model_validate({"trusted": ["192.168.1.0/24", "10.5.0.0/16"]})
    verdict, message = judged("EXP-02", alone(two, iptables_save=COMPLIANT))
    assert verdict is Verdict.FAIL
    assert "10.5.0.0/16" in message
    # Where nobody said which private networks phones are in, one that is served has to do.
    assert judged("EXP-02", alone(DEFAULT_SITE, iptables_save=COMPLIANT))[0] is Verdict.PASS


def test_rule_that_leads_around_fails_and_one_into_the_unknown_is_not_determined() -> None:
    nat = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 12000 -j {target}\nCOMMIT\n"
    redirect = nat.format(target="REDIRECT --to-ports 2000")
    open_after = save("-m conntrack --ctstate DNAT -j ACCEPT", *(f"{LAN} {ports} -j ACCEPT" for ports in PORTS))
    verdict, message = judged("EXP-03", alone(iptables_save=redirect + open_after))
    assert verdict is Verdict.FAIL
    assert ":12000/tcp, which becomes" in message
    elsewhere = nat.format(target="DNAT --to-destination 172.17.0.2:2000")
    forwarding = COMPLIANT.replace(":FORWARD DROP", ":FORWARD ACCEPT")
    assert judged("EXP-03", alone(iptables_save=elsewhere + forwarding))[0] is Verdict.ERROR


@pytest.mark.parametrize("control", ["LSN-04", "EXP-06", "EXP-04"])
def test_what_needs_the_host_is_skipped_with_the_reason(control: str) -> None:
    target = target_of(Bundle("pull request", {"iptables-save.txt": COMPLIANT.encode()}), IPV4, "voip-strict")
    verdict, message = judged(control, target)
    assert verdict is Verdict.SKIP
    assert "the bundle" in message


def test_default_deny_is_judged_by_rules_alone() -> None:
    strict = target_of(Bundle("pull request", {"iptables-save.txt": COMPLIANT.encode()}), IPV4, "voip-strict")
    assert judged("EXP-05", strict)[0] is Verdict.PASS
    rules = save("-p tcp --dport 2000 -j DROP", policy="ACCEPT").encode()
    lax = target_of(Bundle("pull request", {"iptables-save.txt": rules}), IPV4, "voip-strict")
    verdict, message = judged("EXP-05", lax)
    assert verdict is Verdict.FAIL
    assert "ports that no rule names" in message


def test_report_says_what_was_assumed() -> None:
    said = " ".join(alone(iptables_save=COMPLIANT).assumptions())
    assert "judged on a host that has every interface and address the rules name" in said


@pytest.mark.parametrize("control", ["EXP-01", "EXP-02", "EXP-03"])
@pytest.mark.parametrize(
    "text", ["*filter\n:INPUT DROP [0:0]\n", "nonsense\n", "*filter\n-A INPUT -j NOWHERE\nCOMMIT\n"]
)
def test_dump_that_is_none_or_cut_short_never_passes(control: str, text: str) -> None:
    assert judged(control, alone(iptables_save=text))[0] is Verdict.ERROR


def test_no_rule_at_all_lets_everybody_in() -> None:
    assert set(verdicts(alone(iptables_save=""), "EXP-01").values()) == {Verdict.FAIL}


def test_report_of_a_bundle_made_by_hand_says_what_routing_took_for_granted() -> None:
    files = {name: (HOSTS / "ipt17-compliant" / name).read_bytes() for name in ("iptables-save.txt", "ip-addr.json")}
    said = " ".join(target_of(Bundle("by hand", files), SITE).assumptions())
    assert "taken as empty: nft.json, ip6tables-save.txt" in said
    assert "tells no routes" in said
    assert "does not tell rp_filter: taken as off" in said
    routes = (HOSTS / "ipt17-compliant" / "ip-route.json").read_bytes()
    told = {**files, "ip-route.json": routes, "sysctl.txt": b"net.ipv4.conf.all.rp_filter = 1\n"}
    said = " ".join(target_of(Bundle("by hand", told), SITE).assumptions())
    assert "routes" not in said
    assert "rp_filter" not in said


def test_dump_whose_tables_may_be_dormant_is_told() -> None:
    recorded = {"nft.json": (HOSTS / "nft01-compliant" / "nft.json").read_bytes()}
    assert "plain listing" in " ".join(target_of(Bundle("pull request", recorded), SITE).assumptions())
