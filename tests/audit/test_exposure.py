"""Exposure, lock-outs and live flows, case by case, on hosts made of texts."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate.audit.target import Target
from callgate.baseline.site import Site
from callgate.report.outcome import Verdict

from .conftest import QUIET_HOST, SERVING_HOST, bundle, judged, target_of

Host = Callable[..., Target]
SITE = Site.model_validate({"trusted": ["192.168.1.0/24"]})
HEAD = b"*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
FORWARDING = b"net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 0\n"
IPVS = (
    b"IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n"
    b"  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\nTCP  CB00710A:07D0 rr\n"
    b"  -> 0A000002:07D0      Masq    1      0          0\n"
)


def serving(**changes: bytes) -> dict[str, bytes]:
    names = {name.replace("_", "-") + ".txt": text for name, text in changes.items()}
    return {**SERVING_HOST, **names}


def rules(*lines: str) -> bytes:
    return HEAD + b"".join(f"-A {line}\n".encode() for line in lines) + b"COMMIT\n"


def test_service_that_nothing_provides_passes_with_a_note_and_fails_where_the_rule_is_demanded(host: Host) -> None:
    verdict, message = judged("EXP-01", host())
    assert verdict is Verdict.PASS
    assert "nothing listens on 2000/tcp" in message
    assert "the firewall would let strangers in if it ran: every IPv4 stranger on eth1" in message
    verdict, message = judged("EXP-01", host(baseline="voip-strict"))
    assert verdict is Verdict.FAIL
    assert "no firewall rule refuses anything" in message
    assert judged("EXP-01", host(serving(ss=QUIET_HOST["ss.txt"]), baseline="voip-strict"))[0] is Verdict.PASS


def test_pass_names_the_sockets_and_the_interfaces_that_were_weighed(host: Host) -> None:
    verdict, message = judged("EXP-01", host(SERVING_HOST))
    assert verdict is Verdict.PASS
    assert "tcp LISTEN 0 128 *:2000" in message
    assert "strangers may come in by eth1 (IPv4); eth0 leads to trusted networks only" in message


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("INPUT -s 203.0.113.0/24 -j ACCEPT", "203.0.113.0/24 on eth1"),
        ("INPUT -j ACCEPT", "every IPv4 stranger on eth1"),
        ("INPUT ! -s 203.0.113.66/32 -j ACCEPT", "every IPv4 stranger but 203.0.113.66/32 on eth1"),
        ("INPUT -s 128.0.0.0/1 -j ACCEPT", "and"),
        ("INPUT -m ttl --ttl-gt 63 -j ACCEPT", "every IPv4 stranger on eth1"),
        ("INPUT -p tcp --sport 5060 -j ACCEPT", "every IPv4 stranger on eth1"),
    ],
)
def test_message_says_who_gets_in_through_which_rule_and_what_to_change(host: Host, rule: str, words: str) -> None:
    verdict, message = judged("EXP-01", host(serving(iptables_save=rules(rule))))
    assert verdict is Verdict.FAIL
    assert words in message
    assert f"rule 1: -A {rule}" in message
    assert (
        "rule 1 to the trusted networks (192.168.1.0/24), or put a rule that drops everyone else's 2000/tcp" in message
    )


def test_accept_that_only_sometimes_holds_is_not_determined(host: Host) -> None:
    text = rules('INPUT -p tcp -m string --string "x" --algo bm -j ACCEPT', "INPUT -s 192.168.1.0/24 -j ACCEPT")
    verdict, message = judged("EXP-01", host(serving(iptables_save=text)))
    assert verdict is Verdict.ERROR
    assert "perhaps every IPv4 stranger on eth1" in message


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 32))
def test_any_network_of_strangers_that_is_let_in_is_found(address: int, length: int) -> None:
    base = address >> (32 - length) << (32 - length)
    network = f"{'.'.join(str(base >> shift & 255) for shift in (24, 16, 8, 0))}/{length}"
    text = rules(f"INPUT -s {network} -j ACCEPT", "INPUT -i eth0 -s 192.168.1.0/24 -j ACCEPT")
    verdict, _ = judged("EXP-01", target_of(bundle(serving(iptables_save=text)), SITE))
    first, last = base, base + (1 << (32 - length)) - 1
    lan, loopback, multicast = (0xC0A80100, 0xC0A801FF), (127 << 24, (128 << 24) - 1), (224 << 24, (240 << 24) - 1)
    spared = [lan, loopback, multicast, (0, 0), (2**32 - 1,) * 2]
    # Its own addresses, and broadcast ones, are no sources of packets either.
    spared += [(0xCB00710A,) * 2, (0xCB0071FF,) * 2, (0xC0A8010A,) * 2]
    inside = any(low <= first and last <= high for low, high in spared)
    assert (verdict is Verdict.PASS) == inside


def test_everything_blocked_locks_every_trusted_network_out(host: Host) -> None:
    verdict, message = judged("EXP-02", host(serving(iptables_save=rules("INPUT -i lo -j ACCEPT"))))
    assert verdict is Verdict.FAIL
    assert "192.168.1.0/24 on eth0 cannot reach it: 192.168.1.1 to 192.168.1.10 port 2000 is dropped by" in message
    assert "policy drop" in message


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        (("INPUT -s 192.168.1.0/24 -j ACCEPT",), Verdict.PASS),
        (("INPUT -s 192.168.1.128/25 -j ACCEPT",), Verdict.FAIL),
        (("INPUT -i eth1 -s 192.168.1.0/24 -j ACCEPT",), Verdict.FAIL),
        (("INPUT -s 192.168.1.0/24 -p tcp --sport 5060 -j ACCEPT",), Verdict.FAIL),
        (("INPUT -s 192.168.1.0/24 -j ACCEPT", "OUTPUT -p tcp --sport 2000 -j DROP"), Verdict.FAIL),
        (("INPUT -m iprange --src-range 192.168.1.1-192.168.1.254 -j ACCEPT",), Verdict.PASS),
        (("INPUT -s 192.168.1.0/24 -m limit --limit 1/sec -j ACCEPT",), Verdict.ERROR),
    ],
)
def test_trusted_network_is_served_whole_and_its_answers_get_out(
    host: Host, lines: tuple[str, ...], verdict: Verdict
) -> None:
    found, message = judged("EXP-02", host(serving(iptables_save=rules(*lines))))
    assert found is verdict, message


def test_trusted_network_is_owed_an_answer_where_the_way_back_to_it_leads(host: Host) -> None:
    wide = {"trusted": ["192.168.1.0/24", "10.5.0.0/16"]}
    verdict, message = judged("EXP-02", host(SERVING_HOST, **wide))
    assert verdict is Verdict.FAIL
    assert "10.5.0.0/16 on eth1 cannot reach it" in message
    both = rules("INPUT -i eth0 -s 192.168.1.0/24 -j ACCEPT", "INPUT -i eth1 -s 10.5.0.0/16 -j ACCEPT")
    assert judged("EXP-02", host(serving(iptables_save=both), **wide))[0] is Verdict.PASS


def test_service_that_is_neither_offered_nor_expected_owes_nothing(host: Host) -> None:
    assert judged("EXP-02", host())[0] is Verdict.SKIP
    loopback = {"ss.txt": b"tcp LISTEN 0 5 127.0.0.1:2000 0.0.0.0:*\n"}
    assert judged("EXP-02", host(loopback))[0] is Verdict.SKIP
    verdict, message = judged("EXP-02", host(expected=["sccp"]))
    assert verdict is Verdict.FAIL
    assert "nothing listens on 2000/tcp" in message
    assert judged("EXP-02", host(SERVING_HOST, trusted=["fd00:1::/64"]))[0] is Verdict.SKIP


def test_translation_alone_counts_as_an_offer(host: Host) -> None:
    nat = b"*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 2000 -j DNAT --to 10.88.0.2\nCOMMIT\n"
    routes = b'[{"dst": "10.88.0.0/24", "dev": "eth1"}, ' + QUIET_HOST["ip-route.json"][1:]
    forward = rules("FORWARD -i eth0 -s 192.168.1.0/24 -j ACCEPT").replace(b"INPUT DROP", b"INPUT ACCEPT")
    files = {"iptables-save.txt": nat + forward, "ip-route.json": routes, "sysctl.txt": FORWARDING}
    assert judged("EXP-02", host(files))[0] is Verdict.PASS
    assert judged("EXP-03", host(files))[0] is Verdict.PASS
    everybody = forward.replace(b"-i eth0 -s 192.168.1.0/24 ", b"")
    verdict, message = judged("EXP-03", host({**files, "iptables-save.txt": nat + everybody}))
    assert verdict is Verdict.FAIL
    assert "which becomes 10.88.0.2:2000" in message


def test_host_that_forwards_strangers_to_private_networks_fails_unless_phones_stand_there(host: Host) -> None:
    verdict, message = judged("EXP-03", host({"sysctl.txt": FORWARDING}))
    assert verdict is Verdict.FAIL
    assert "every IPv4 stranger on eth1" in message
    routing = rules("INPUT -i eth0 -j ACCEPT").replace(b"FORWARD DROP", b"FORWARD ACCEPT")
    offering = serving(sysctl=FORWARDING, iptables_save=routing)
    assert judged("EXP-03", host(offering))[0] is Verdict.PASS
    assert judged("EXP-03", host(offering, behind=["192.168.1.0/24"]))[0] is Verdict.FAIL
    assert judged("EXP-03", host(offering, hosts={"pbx1": {"behind": ["192.168.1.0/24"]}}))[0] is Verdict.FAIL
    assert judged("EXP-03", host(offering, hosts={"pbx2": {"behind": ["192.168.1.0/24"]}}))[0] is Verdict.PASS
    assert judged("EXP-03", host(offering, baseline="voip-strict"))[0] is Verdict.FAIL


def test_virtual_services_are_not_determined(host: Host) -> None:
    verdict, message = judged("EXP-03", host({"proc-net-ip_vs.txt": IPVS}))
    assert verdict is Verdict.ERROR
    assert "IPVS" in message


IPV6_ADDRESS = QUIET_HOST["ip-addr.json"].replace(
    b'"prefixlen": 24, "scope": "global"}]}',
    b'"prefixlen": 24, "scope": "global"}, {"local": "fd00:1::10", "prefixlen": 64, "scope": "global"}]}',
    1,
)


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("", Verdict.FAIL),
        ("-A INPUT -p icmpv6 -j ACCEPT\n", Verdict.PASS),
        ("-A INPUT -p icmpv6 -m icmp6 --icmpv6-type 135 -j ACCEPT\n", Verdict.PASS),
        ("-A INPUT -m conntrack --ctstate UNTRACKED -j ACCEPT\n", Verdict.PASS),
        ("-A INPUT -p icmpv6 -m conntrack --ctstate ESTABLISHED -j ACCEPT\n", Verdict.FAIL),
    ],
)
def test_host_that_no_neighbour_finds_locks_ipv6_phones_out(host: Host, rule: str, verdict: Verdict) -> None:
    phones = "-A INPUT -s fd00:1::/64 -p tcp --dport 2000 -j ACCEPT\n"
    text = f"*filter\n:INPUT DROP [0:0]\n{rule}{phones}COMMIT\n".encode()
    found, message = judged("EXP-02", host({**serving(ip6tables_save=text), "ip-addr.json": IPV6_ADDRESS}))
    assert found is verdict, message
    assert ("no neighbour on eth0 finds fd00:1::10: all ICMPv6 is dropped" in message) == (verdict is Verdict.FAIL)


FLOW = (
    "tcp      6 99 {state} src={peer} dst={dst} sport=40000 dport={port} "
    "src={end} dst={peer} sport={end_port} dport=40000 [ASSURED] mark=0 use=1\n"
)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.FAIL),
        ({"peer": "192.168.1.50"}, Verdict.PASS),
        ({"state": "TIME_WAIT"}, Verdict.PASS),
        ({"state": "CLOSE"}, Verdict.PASS),
        ({"state": "SYN_RECV"}, Verdict.FAIL),
        ({"port": "2443"}, Verdict.FAIL),
        ({"port": "22", "end_port": "22"}, Verdict.PASS),
        ({"port": "12000"}, Verdict.FAIL),  # redirected to 2000
        ({"end": "10.88.0.2", "end_port": "2001"}, Verdict.FAIL),  # translated to another host
        ({"peer": "203.0.113.10", "dst": "198.51.100.7", "end": "198.51.100.7"}, Verdict.PASS),  # its own call out
        ({"dst": "198.51.100.7", "end": "198.51.100.7"}, Verdict.PASS),  # only passes through
    ],
)
def test_live_flow_of_a_stranger_on_a_voip_port_fails(host: Host, changes: dict[str, str], verdict: Verdict) -> None:
    values = {
        "state": "ESTABLISHED", "peer": "203.0.113.66", "dst": "203.0.113.10", "port": "2000",
        "end": "203.0.113.10", "end_port": "2000", **changes,
    }  # fmt: skip
    found, message = judged("EXP-06", host({"conntrack.txt": FLOW.format(**values).encode()}))
    assert found is verdict
    assert ("203.0.113.66 on SCCP" in message) == (verdict is Verdict.FAIL)


def test_flows_that_were_not_collected_are_not_determined() -> None:
    collected = bundle(SERVING_HOST)
    record = collected.manifest.files["conntrack.txt"] if collected.manifest else None
    assert record is not None
    kept = record.model_copy(update={"command": 'conntrack -L | grep -E "[sd]port=(2000|5060) "'})
    assert collected.manifest is not None
    files = {**collected.manifest.files, "conntrack.txt": kept}
    collected.manifest = collected.manifest.model_copy(update={"files": files})
    verdict, message = judged("EXP-06", target_of(collected, SITE))
    assert verdict is Verdict.ERROR
    assert "those of 2443/tcp, 5061/tcp were not collected" in message


def test_hundreds_of_listeners_are_judged_in_a_few_questions(host: Host) -> None:
    lines = [
        f'tcp LISTEN 0 5 0.0.0.0:{port} 0.0.0.0:* users:(("app",pid={port},fd=3))' for port in range(10_000, 10_600)
    ]
    sockets = ("\n".join(lines) + "\n").encode()
    start = time.perf_counter()
    assert judged("LSN-04", host(serving(ss=QUIET_HOST["ss.txt"] + sockets)))[0] is Verdict.PASS
    verdict, message = judged("LSN-04", host({"ss.txt": QUIET_HOST["ss.txt"] + sockets}))
    assert time.perf_counter() - start < 20
    assert verdict is Verdict.FAIL
    assert "and 594 more" in message


def test_listener_strangers_perhaps_reach_is_not_determined(host: Host) -> None:
    text = rules('INPUT -p tcp -m string --string "x" --algo bm -j ACCEPT')
    line = b'tcp LISTEN 0 5 0.0.0.0:8080 0.0.0.0:* users:(("web",pid=9,fd=3))\n'
    files = {"ss.txt": QUIET_HOST["ss.txt"] + line, "iptables-save.txt": text}
    verdict, message = judged("LSN-04", host(files))
    assert verdict is Verdict.ERROR
    assert "8080/tcp (web) on every IPv4 address" in message
