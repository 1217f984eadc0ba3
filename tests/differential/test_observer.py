"""The harness itself: rulesets whose effect is known, and what must be seen of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.differential.kernel_host import ADDRESSES, KernelHost, RulesetError
from tests.differential.observer import BATCH, Observed
from tests.differential.probe import Probe, Protocol, Seen, marks_in_packet
from tests.differential.ruleset import Ruleset

import callgate
from callgate.errors import LabError

pytestmark = pytest.mark.lab

ROOT = str(Path(__file__).parents[2])
SOURCE = str(Path(callgate.__file__).parents[1])
SOURCES = {4: "203.0.113.5", 6: "2001:db8:5::5"}


def probe(
    iif: str = "eth0",
    source: str | None = None,
    destination: str | None = None,
    *,
    family: int = 4,
    protocol: Protocol = "tcp",
    source_port: int = 40000,
    port: int = 2000,
    flags: str = "SYN",
    ttl: int = 64,
) -> Probe:
    if destination is None:
        destination = next(str(own.ip) for own in ADDRESSES[iif] if own.version == family)
    return Probe(
        iif, ip_address(source or SOURCES[family]), ip_address(destination), protocol, source_port, port, flags, ttl
    )


def local(address: str, protocol: Protocol = "tcp", *, port: int = 2000, flags: str = "SYN") -> Probe:
    return Probe("lo", ip_address(address), ip_address(address), protocol, 40001, port, flags)


EVERYWHERE = [
    *(
        probe(iif, family=family, protocol=protocol)
        for iif in ADDRESSES
        for family in (4, 6)
        for protocol in ("tcp", "udp")
    ),
    *(
        local(address, protocol)
        for address in ("127.0.0.1", "198.51.100.10", "::1", "fd00:50::1")
        for protocol in ("tcp", "udp")
    ),
]


def seen(host: KernelHost, ruleset: Ruleset, *probes: Probe) -> list[Observed]:
    host.load(ruleset)
    return host.observer.verdicts(probes)


def nft_input(rules: str, *, policy: str = "accept") -> Ruleset:
    return Ruleset(
        nft=f"table inet t {{ chain c {{ type filter hook input priority 0; policy {policy};\n{rules}\n}}\n}}\n"
    )


def test_without_rules_all_arrives(kernel_host: KernelHost) -> None:
    assert kernel_host.observer.verdicts(EVERYWHERE) == ["accept"] * len(EVERYWHERE)


def test_a_drop_is_a_drop_everywhere(kernel_host: KernelHost) -> None:
    assert seen(kernel_host, nft_input("", policy="drop"), *EVERYWHERE) == ["drop"] * len(EVERYWHERE)


def test_a_reject_is_a_reject_where_its_answer_leaves_the_host(kernel_host: KernelHost) -> None:
    expected = ["drop" if one.iif == "lo" else "reject" for one in EVERYWHERE]
    assert seen(kernel_host, nft_input("reject"), *EVERYWHERE) == expected
    with_reset = nft_input("meta l4proto tcp reject with tcp reset\nreject with icmpx admin-prohibited")
    assert seen(kernel_host, with_reset, *EVERYWHERE) == expected


def test_an_answer_that_output_drops_is_no_reject(kernel_host: KernelHost) -> None:
    quiet = "table inet o { chain c { type filter hook output priority 0; policy drop; }; }\n"
    ruleset = Ruleset(nft=nft_input("reject").nft + quiet)
    assert seen(kernel_host, ruleset, probe(), probe(family=6, protocol="udp")) == ["drop"] * 2


@pytest.mark.parametrize("flags", ["ACK", "SYN,ACK", "FIN", "FIN,ACK", "NONE", "FIN,PSH,URG", "SYN,FIN"])
def test_a_reset_is_told_from_a_refused_connection(kernel_host: KernelHost, flags: str) -> None:
    """The kernel answers a packet to a closed port by a RST as well: what arrived is accepted."""
    probes = [
        probe(flags=flags),
        probe(flags=flags, family=6),
        local("127.0.0.1", flags=flags),
        local("::1", flags=flags),
    ]
    assert kernel_host.observer.verdicts(probes) == ["accept"] * 4
    assert seen(kernel_host, nft_input("meta l4proto tcp reject with tcp reset"), *probes) == [
        *(["reject"] * 2),
        *(["drop"] * 2),
    ]
    assert seen(kernel_host, nft_input("drop"), *probes) == ["drop"] * 4


def test_rejects_are_all_answered(kernel_host: KernelHost) -> None:
    """However many: the host limits no ICMP errors."""
    many = [probe(family=family, protocol="udp", source_port=port) for port in range(1000, 2500) for family in (4, 6)]
    assert set(seen(kernel_host, nft_input("reject"), *many)) == {"reject"}


def test_ports_interfaces_and_sources_decide(kernel_host: KernelHost) -> None:
    ruleset = Ruleset(
        iptables="*filter\n:INPUT DROP\n-A INPUT -i eth1 -j REJECT\n"
        "-A INPUT -s 203.0.113.0/24 -p tcp --dport 2000 -j ACCEPT\n"
        "-A INPUT -p udp --dport 5060 -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n"
    )
    assert seen(
        kernel_host,
        ruleset,
        probe(),
        probe(source="203.0.114.5"),
        probe(port=2001),
        probe("eth1"),
        probe(protocol="udp", port=5060),
        probe(family=6),
    ) == ["accept", "drop", "drop", "reject", "reject", "accept"]


def test_a_redirected_packet_is_recognised(kernel_host: KernelHost) -> None:
    ruleset = Ruleset(
        iptables="*nat\n-A PREROUTING -p tcp --dport 12000 -j REDIRECT --to-ports 2000\nCOMMIT\n"
        "*filter\n:INPUT DROP\n-A INPUT -p tcp --dport 2000 -j ACCEPT\nCOMMIT\n"
    )
    assert seen(kernel_host, ruleset, probe(port=12000), probe(port=12001)) == ["accept", "drop"]


@pytest.mark.parametrize(("forward", "expected"), [("ACCEPT", "accept"), ("DROP", "drop"), ("REJECT", "reject")])
def test_what_goes_to_the_container_is_seen_there(kernel_host: KernelHost, forward: str, expected: str) -> None:
    text = (
        "*nat\n-A PREROUTING -p tcp --dport 2000 -j DNAT --to-destination {}:2443\nCOMMIT\n"
        "*filter\n:INPUT DROP\n-A FORWARD -p tcp --dport 2443 -j {}\nCOMMIT\n"
    )
    ruleset = Ruleset(iptables=text.format("172.17.0.2", forward), ip6tables=text.format("[fd00:17::2]", forward))
    probes = [probe(), probe(family=6), probe(destination="172.17.0.2", port=2443)]
    assert seen(kernel_host, ruleset, *probes) == [expected] * 3


def test_a_packet_that_dies_on_the_way_is_dropped(kernel_host: KernelHost) -> None:
    """Time exceeded is an ICMP error too, and no REJECT."""
    to_the_container = [probe(destination="172.17.0.2", ttl=ttl) for ttl in (1, 2)]
    assert kernel_host.observer.verdicts(to_the_container[:1]) == ["drop"]
    assert kernel_host.observer.verdicts(to_the_container[1:]) == ["accept"]


def test_strange_sources(kernel_host: KernelHost) -> None:
    dropped = ("127.0.0.1", "0.0.0.0", "224.0.0.1", "198.51.100.10")
    passed = ("240.0.0.1", "0.1.2.3", "192.168.50.7")
    probes = [probe(source=source) for source in dropped + passed]
    assert kernel_host.observer.verdicts(probes) == ["drop"] * 4 + ["accept"] * 3


def test_broadcast_and_multicast_arrive(kernel_host: KernelHost) -> None:
    groups = ("198.51.100.255", "255.255.255.255", "224.0.0.1", "ff02::1")
    probes = [probe(source=SOURCES[6 if ":" in to else 4], destination=to, protocol="udp") for to in groups]
    assert kernel_host.observer.verdicts(probes) == ["accept"] * 4


def test_what_output_drops_does_not_arrive(kernel_host: KernelHost) -> None:
    ruleset = Ruleset(
        nft="table inet t { chain c { type filter hook output priority 0;"
        " tcp dport 2000 drop; udp dport 2000 reject; }; }\n"
    )
    probes = [local("127.0.0.1"), local("::1"), local("127.0.0.1", "udp"), local("::1", port=2001)]
    assert seen(kernel_host, ruleset, *probes) == ["drop", "drop", "drop", "accept"]


def test_drops_before_routing_and_at_ingress(kernel_host: KernelHost) -> None:
    ruleset = Ruleset(
        iptables_legacy="*raw\n-A PREROUTING -p tcp --dport 2001 -j DROP\nCOMMIT\n",
        nft="table netdev n { chain c { type filter hook ingress device eth0 priority 0; tcp dport 2002 drop; }; }\n",
    )
    probes = [*(probe(port=port) for port in (2000, 2001, 2002)), probe("eth1", port=2002)]
    assert seen(kernel_host, ruleset, *probes) == ["accept", "drop", "drop", "accept"]


def test_all_dropped_at_ingress_still_settles(kernel_host: KernelHost) -> None:
    ruleset = Ruleset(
        nft="table netdev n { chain c { type filter hook ingress device eth0 priority -1000; policy drop; }; }\n"
    )
    started = time.monotonic()
    assert set(seen(kernel_host, ruleset, *(probe(source_port=port) for port in range(1000, 1200)))) == {"drop"}
    assert time.monotonic() - started < 2


def test_each_packet_has_its_own_verdict(kernel_host: KernelHost) -> None:
    probes = [probe(source_port=1024 + at, port=2000 + at % 2) for at in range(10 * BATCH + 3)]
    expected = ["accept" if one.destination_port == 2000 else "drop" for one in probes]
    assert seen(kernel_host, nft_input("tcp dport 2001 drop"), *probes) == expected


def test_equal_packets_in_later_batches_are_new_again(kernel_host: KernelHost) -> None:
    ruleset = nft_input("ct state new accept", policy="drop")
    kernel_host.load(ruleset)
    for _ in range(3):
        assert kernel_host.observer.verdicts([probe(protocol="udp"), probe()]) == ["accept"] * 2


def test_verdicts_hold_under_load(kernel_host: KernelHost) -> None:
    """Both CPUs busy, and the verdicts still come whole: nothing depends on a time."""
    spin = [sys.executable, "-c", "import time\nend = time.time() + 60\nwhile time.time() < end: pass"]
    busy = [subprocess.Popen(spin) for _ in range(2 * len(os.sched_getaffinity(0)))]
    try:
        probes = [
            probe(source_port=1024 + at, port=2000 + at % 3, protocol="udp" if at % 2 else "tcp") for at in range(BATCH)
        ]
        named: list[Observed] = ["accept", "drop", "reject"]
        expected = [named[at % 3] for at in range(BATCH)]
        kernel_host.load(nft_input("th dport 2001 drop\nth dport 2002 reject"))
        for _ in range(100):
            assert kernel_host.observer.verdicts(probes) == expected
    finally:
        for one in busy:
            one.kill()
            one.wait()


def test_a_ruleset_leaves_nothing_behind(kernel_host: KernelHost) -> None:
    dumped = kernel_host.load(
        Ruleset(
            ipset="create s hash:net\nadd s 203.0.113.0/24\ncreate l list:set\nadd l s\n",
            iptables="*filter\n:INPUT DROP\n:mine -\n-A INPUT -m set --match-set l src -j mine\nCOMMIT\n",
            iptables_legacy="*filter\n:INPUT DROP\n:mine -\n-A INPUT -m set --match-set s src -j mine\nCOMMIT\n",
            ip6tables_legacy="*nat\n-A PREROUTING -p tcp -j REDIRECT --to-ports 1\nCOMMIT\n",
            nft="table inet t { chain c { type filter hook input priority 0; policy drop; }; }\n",
        )
    )
    assert "add l s" in dumped["ipset-save.txt"]
    assert "-A INPUT" in dumped["iptables-legacy-save.txt"]
    empty = kernel_host.load(Ruleset())
    assert [list(one) for one in json.loads(empty["nft.json"])["nftables"]] == [["metainfo"]]
    assert empty["nft.txt"] == empty["iptables-save.txt"] == empty["ipset-save.txt"] == ""
    assert "iptables-legacy-save.txt" not in empty
    for command in ("iptables-legacy-save", "ip6tables-legacy-save"):
        left = kernel_host.host.run([command]).stdout
        assert "-A" not in left
        assert "DROP" not in left
        assert "mine" not in left
    assert kernel_host.host.run(["ipset", "save"]).stdout == ""
    assert kernel_host.observer.verdicts(EVERYWHERE) == ["accept"] * len(EVERYWHERE)


def test_dumps_are_those_of_a_bundle(kernel_host: KernelHost) -> None:
    dumps = kernel_host.load(nft_input("tcp dport 2000 accept"))
    assert set(dumps) == {
        "nft.json", "nft.txt", "iptables-save.txt", "ip6tables-save.txt", "ipset-save.txt",
        "ip-addr.json", "ip-route.json", "ip6-route.json", "sysctl.txt",
    }  # fmt: skip
    assert "dport" in dumps["nft.json"]
    assert {link["ifname"] for link in json.loads(dumps["ip-addr.json"])} == {"lo", *ADDRESSES}
    assert any(route["dst"] == "default" for route in json.loads(dumps["ip-route.json"]))
    assert any(route["dst"] == "default" for route in json.loads(dumps["ip6-route.json"]))
    settings = dict(line.split(" = ") for line in dumps["sysctl.txt"].splitlines())
    assert settings["net.ipv4.ip_forward"] == settings["net.ipv6.conf.all.forwarding"] == "1"
    assert settings["net.netfilter.nf_conntrack_tcp_loose"] == "1"
    assert settings["net.ipv4.conf.all.rp_filter"] == settings["net.ipv4.conf.eth0.rp_filter"] == "0"


def test_a_refused_ruleset_names_the_complaint(kernel_host: KernelHost) -> None:
    with pytest.raises(RulesetError, match="syntax error"):
        kernel_host.load(Ruleset(nft="table inet t { nonsense }\n"))
    with pytest.raises(RulesetError, match="no-such-set"):
        kernel_host.load(Ruleset(iptables="*filter\n-A INPUT -m set --match-set no-such-set src -j DROP\nCOMMIT\n"))
    assert seen(kernel_host, Ruleset(), probe()) == ["accept"]


def test_hosts_stand_side_by_side_and_end_with_their_tests(kernel_host: KernelHost) -> None:
    kernel_host.load(nft_input("drop"))
    with KernelHost() as other:
        assert other.observer.verdicts([probe()]) == ["accept"]
        assert kernel_host.observer.verdicts([probe()]) == ["drop"]
        pid, directory = other.host.pid, other.directory
    assert not directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(LabError):
        other.load(Ruleset())


def test_a_killed_builder_leaves_nothing(kernel_host: KernelHost) -> None:
    """Killed while its ruleset is loaded: namespaces, processes and files go all the same."""
    build = (
        "from tests.differential.kernel_host import KernelHost\n"
        "from tests.differential.ruleset import Ruleset\n"
        "import time\n"
        "with KernelHost() as host:\n"
        "    host.load(Ruleset(ipset='create s hash:net\\n', nft='table inet t { }\\n'))\n"
        "    print(host.host.pid, host.directory, flush=True)\n"
        "    time.sleep(60)\n"
    )
    builder = subprocess.Popen(
        [sys.executable, "-c", build],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in (ROOT, SOURCE))},
    )
    with builder:
        assert builder.stdout is not None
        pid, directory = builder.stdout.readline().split()
        assert Path(directory).exists()
        builder.kill()
    deadline = time.monotonic() + 5
    while (Path(f"/proc/{pid}").exists() or Path(directory).exists()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{pid}").exists()
    assert not Path(directory).exists()


def test_settings_are_shown_and_taken_back(kernel_host: KernelHost) -> None:
    changed = Ruleset(settings=(("net.ipv4.conf.all.rp_filter", "1"), ("net.ipv4.ip_forward", "0")))
    spoofed, routed = probe(source="192.168.50.7"), probe(destination="172.17.0.2")
    assert seen(kernel_host, changed, spoofed, routed, probe()) == ["drop", "drop", "accept"]
    assert "net.ipv4.conf.all.rp_filter = 1\n" in kernel_host.load(changed)["sysctl.txt"]
    usual = kernel_host.load(Ruleset())["sysctl.txt"]
    assert usual == kernel_host.load(Ruleset())["sysctl.txt"]
    assert "net.ipv4.conf.all.rp_filter = 0\nnet.ipv4.conf.all.forwarding = 1\n" in usual
    assert kernel_host.observer.verdicts([spoofed, routed, probe()]) == ["accept"] * 3


def test_probes_are_described_and_read_alike() -> None:
    for one in (probe(), probe("eth1", family=6, protocol="udp"), probe(flags="SYN,ACK", ttl=3), probe(flags="NONE")):
        assert Probe.read(one.describe()) == one
    assert set(probe().describe()) == {
        "iif", "source", "destination", "protocol", "source_port", "destination_port",
    }  # fmt: skip
    with pytest.raises(ValueError, match="no probe speaks 'sctp'"):
        Probe.read(probe().describe() | {"protocol": "sctp"})


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_packet_and_its_quote_in_an_icmp_error_are_told_apart(family: int, protocol: Protocol) -> None:
    sent = probe(family=family, protocol=protocol)
    packet = sent.ip_packet(0x10203040)
    assert list(marks_in_packet(packet)) == [Seen("arrival", 0x10203040, sent.flag_byte)]
    icmp, kind, head = (
        (1, 3, bytes((0x45, *bytes(8), 1, *bytes(10))))
        if family == 4
        else (58, 1, bytes((0x60, *bytes(5), 58, *bytes(33))))
    )
    assert head[9 if family == 4 else 6] == icmp
    quoting = head + bytes((kind, 3, 0, 0)) + bytes(4) + packet
    assert [(one.kind, one.mark) for one in marks_in_packet(quoting)] == [("refusal", 0x10203040)]
    exceeded = head + bytes((11 if family == 4 else 3, 0, 0, 0)) + bytes(4) + packet
    assert list(marks_in_packet(exceeded)) == []
    for cut in range(len(quoting)):
        list(marks_in_packet(quoting[:cut]))  # nothing raises
