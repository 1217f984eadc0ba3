from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from callgate.errors import EvidenceError
from callgate.evidence.bundle import Bundle, bundle_of
from callgate.evidence.evidence import Evidence
from callgate.evidence.filtering import NOTHING, Filtering
from callgate.evidence.stream import FileState, Taken

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EMPTY_NFT = b'{"nftables": [{"metainfo": {"version": "1.0.6"}}]}\n'
ONE_RULE = b"*filter\n-A INPUT -s 192.168.1.9/32 -j DROP\nCOMMIT\n"
SS = b"udp UNCONN 0 0 0.0.0.0:5060 0.0.0.0:*\n"
HEADER = b"  sl  local_address rem_address   st\n"
HEADER6 = b"  sl  local_address                         remote_address                        st\n"
KERNEL = {"proc-net-tcp.txt": HEADER, "proc-net-udp.txt": b" " + HEADER}
KERNEL6 = {"proc-net-tcp6.txt": HEADER6, "proc-net-udp6.txt": HEADER6}
SIP = b"   0: 00000000:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000  0 0 7 2\n"

Content = bytes | FileState | None
"""What a file holds, why it is none, or None where the collector did not ask."""

SOUND: dict[str, Content] = {
    "ss.txt": SS,
    "nft.json": EMPTY_NFT,
    "nft.txt": b"",
    "iptables-save.txt": b"",
    "ip6tables-save.txt": b"",
    "ip_tables_names.txt": FileState.ABSENT,
    "proc-net-ip_vs.txt": FileState.ABSENT,
    "ip6_tables_names.txt": FileState.ABSENT,
    "sysctl.txt": b"net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\n",
    "ip-addr.json": b'[{"ifname": "lo", "addr_info": [{"local": "::1", "prefixlen": 128}]}]\n',
    "ip-route.json": b"[]\n",
    "ip6-route.json": b"[]\n",
}


def collected(changes: Mapping[str, Content]) -> Evidence:
    """The evidence of a host whose collector took these files."""
    taken = []
    for file, content in {**SOUND, **changes}.items():
        if isinstance(content, bytes):
            taken.append(Taken(file, f"show {file}", FileState.COLLECTED, 0, content, ""))
        elif content is not None:
            code = 1 if content is FileState.FAILED else None
            taken.append(Taken(file, f"show {file}", content, code, b"", "denied"))
    return Evidence(bundle_of("ssh://pbx1", NOON, "1", taken))


def made(files: Mapping[str, bytes]) -> Evidence:
    return Evidence(Bundle("pbx1", files))


def ports(evidence: Evidence) -> list[int]:
    return [one.port for one in evidence.listeners]


def test_an_empty_list_of_sockets_is_believed_with_a_manifest_only() -> None:
    assert collected({"ss.txt": b""}).listeners == ()
    with pytest.raises(EvidenceError, match="is empty, and no manifest says that it is complete"):
        _ = made({"ss.txt": b""}).listeners
    with pytest.raises(EvidenceError, match="is empty, and no manifest"):
        _ = made({"ss.txt": b"", **KERNEL}).listeners
    assert made({"ss.txt": b"", **KERNEL, **KERNEL6}).listeners == ()


def test_the_kernel_stands_in_for_ss_when_all_its_lists_are_there() -> None:
    shown = {**KERNEL, **KERNEL6, "proc-net-udp.txt": b" " + HEADER + SIP}
    assert ports(made(shown)) == [5060]
    assert ports(collected({"ss.txt": FileState.FAILED, **shown})) == [5060]
    no_ipv6 = {"proc-net-tcp6.txt": FileState.ABSENT, "proc-net-udp6.txt": FileState.ABSENT}
    assert ports(collected({"ss.txt": FileState.TIMED_OUT, **shown, **no_ipv6})) == [5060]


@pytest.mark.parametrize("file", [*KERNEL, *KERNEL6])
@pytest.mark.parametrize("state", [FileState.FAILED, FileState.TIMED_OUT, None])
def test_without_one_of_its_lists_the_kernel_cannot_stand_in(file: str, state: Content) -> None:
    with pytest.raises(EvidenceError, match=r"ss\.txt: `show ss\.txt` ended with exit code 1: denied"):
        _ = collected({"ss.txt": FileState.FAILED, **KERNEL, **KERNEL6, file: state}).listeners


def test_an_absent_ipv4_list_is_no_proof_of_anything() -> None:
    with pytest.raises(EvidenceError):
        _ = collected({"ss.txt": None, **KERNEL6, **KERNEL, "proc-net-tcp.txt": FileState.ABSENT}).listeners


def test_what_the_kernel_shows_beside_ss_is_added() -> None:
    relay = b"   0: 00000000:3A98 00000000:0000 07 00000000:00000000 00:00000000 00000000  0 0 7 2\n"
    for evidence in (
        collected({**KERNEL, "proc-net-udp.txt": b" " + HEADER + SIP + relay}),
        made({"ss.txt": SS, "proc-net-udp.txt": b" " + HEADER + SIP + relay}),
    ):
        assert ports(evidence) == [5060, 15000]


def test_netstat_serves_where_there_is_no_ss() -> None:
    netstat = b"Proto Recv-Q Send-Q Local Address\nudp 0 0 0.0.0.0:5060 0.0.0.0:* 911/asterisk\n"
    assert collected({"ss.txt": None, "netstat.txt": netstat}).listeners[0].processes[0].name == "asterisk"
    with pytest.raises(EvidenceError, match=r"ss\.txt: is not in the manifest"):
        _ = collected({"ss.txt": None, "netstat.txt": FileState.FAILED}).listeners


def test_routes_need_both_families_where_a_manifest_promises_them() -> None:
    assert collected({}).routes == ()
    with pytest.raises(EvidenceError, match=r"ip6-route\.json"):
        _ = collected({"ip6-route.json": FileState.FAILED}).routes


def test_a_route_both_files_show_counts_once() -> None:
    six = {"dst": "default", "gateway": "fe80::1", "dev": "eth0", "pref": "medium"}
    both = json.dumps([{"dst": "10.0.0.0/8", "dev": "eth0"}, six]).encode() + b"\n"
    found = collected({"ip-route.json": both, "ip6-route.json": json.dumps([six]).encode() + b"\n"}).routes
    assert [str(one.destination) for one in found] == ["10.0.0.0/8", "::/0"]


@pytest.mark.parametrize(
    ("text", "forwards"),
    [
        ("net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\n", False),
        ("net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 0\n", True),
        ("net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 1\n", True),
        ("net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\nnet.ipv4.conf.eth0.forwarding = 1\n", True),
        ("net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\nnet.ipv6.conf.eth0/1.forwarding = 2\n", True),
        ("net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\nnet.ipv4.conf.all.mc_forwarding = 1\n", False),
    ],
)
def test_forwarding_in_either_family_or_on_one_interface(text: str, forwards: bool) -> None:
    assert collected({"sysctl.txt": text.encode()}).forwards() is forwards


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "net.ipv6.conf.all.forwarding = 0\n",
        "net.ipv4.ip_forward = 0\n",
        "net.ipv4.ip_forward = \nnet.ipv6.conf.all.forwarding = 0\n",
        "net.ipv4.ip_forward = yes\nnet.ipv6.conf.all.forwarding = 0\n",
        "net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\nnet.ipv4.conf.eth0.forwarding = x\n",
        "net.ipv4.ip_forward: 0\n",
        "sysctl: cannot stat /proc/sys: No such file = or directory\n",
        "net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0",
    ],
)
def test_forwarding_that_is_not_told_is_an_error(text: str) -> None:
    with pytest.raises(EvidenceError, match=r"^sysctl\.txt"):
        collected({"sysctl.txt": text.encode()}).forwards()


def test_a_host_without_ipv6_need_not_tell_how_it_forwards_it() -> None:
    four = b'[{"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}]}]\n'
    only = {"sysctl.txt": b"net.ipv4.ip_forward = 0\n", "ip-addr.json": four}
    assert collected(only).forwards() is False
    with pytest.raises(EvidenceError, match=r"ip-addr\.json"):
        collected({**only, "ip-addr.json": FileState.FAILED}).forwards()


def test_nothing_is_filtered_only_when_every_dump_says_so() -> None:
    assert collected({}).filtering == NOTHING
    assert collected({"ip6tables-save.txt": ONE_RULE}).filtering == Filtering(1, 0, False)


def test_a_collected_bundle_takes_nothing_for_granted() -> None:
    assert collected({}).assumptions() == ()


@pytest.mark.parametrize("file", ["nft.json", "iptables-save.txt", "ip6tables-save.txt"])
@pytest.mark.parametrize("state", [FileState.FAILED, FileState.TIMED_OUT, FileState.TOO_LARGE, FileState.DAMAGED, None])
def test_a_dump_that_is_not_evidence_is_an_error(file: str, state: Content) -> None:
    evidence = collected({file: state})
    for ask in (
        lambda: evidence.filtering,
        evidence.translates,
        lambda: evidence.rules_name(ip_address("192.168.1.9")),
    ):
        with pytest.raises(EvidenceError, match=f"^{file}: "):
            ask()


def test_nft_alone_shows_every_table_where_iptables_is_not_installed() -> None:
    missing = {"iptables-save.txt": FileState.TOOL_MISSING, "ip6tables-save.txt": FileState.TOOL_MISSING}
    assert collected({**missing}).filtering == NOTHING
    with pytest.raises(EvidenceError, match=r"nft\.json: the host has no show"):
        _ = collected({"nft.json": FileState.TOOL_MISSING}).filtering


NAMES = {"iptables-legacy-save.txt": "ip_tables_names.txt", "ip6tables-legacy-save.txt": "ip6_tables_names.txt"}


@pytest.mark.parametrize(("dump", "names"), NAMES.items())
class TestLegacyTables:
    def test_none_when_the_kernel_lists_none(self, dump: str, names: str) -> None:
        for content in (FileState.ABSENT, b""):
            assert collected({names: content}).filtering == NOTHING

    def test_unknown_when_the_list_is_refused_or_was_not_asked_for(self, dump: str, names: str) -> None:
        for content in (FileState.FAILED, FileState.TIMED_OUT, None):
            with pytest.raises(EvidenceError, match=f"^{names}: "):
                _ = collected({names: content}).filtering

    def test_unknown_when_the_kernel_lists_some_that_are_not_dumped(self, dump: str, names: str) -> None:
        for content in (FileState.TOOL_MISSING, FileState.FAILED, None):
            with pytest.raises(EvidenceError, match=f"^{dump}: "):
                _ = collected({names: b"filter\n", dump: content}).filtering

    def test_counted_when_they_are_dumped(self, dump: str, names: str) -> None:
        evidence = collected({names: b"filter\n", dump: ONE_RULE})
        assert evidence.filtering == Filtering(1, 0, False)
        assert evidence.rules_name(ip_address("192.168.1.9"))

    def test_a_bundle_made_by_hand_is_held_to_its_own_list(self, dump: str, names: str) -> None:
        with pytest.raises(EvidenceError, match=f"^{dump}: is not in the bundle"):
            _ = made({"nft.json": EMPTY_NFT, names: b"filter\n"}).filtering
        assert made({"nft.json": EMPTY_NFT, names: b""}).filtering == NOTHING
        assert made({"nft.json": EMPTY_NFT, dump: ONE_RULE}).filtering.rules == 1


@pytest.mark.parametrize("state", [FileState.FAILED, FileState.TIMED_OUT, None])
def test_without_the_plain_listing_nobody_knows_which_networks_rules_name(state: Content) -> None:
    with pytest.raises(EvidenceError, match=r"^nft\.txt: "):
        collected({"iptables-save.txt": ONE_RULE, "nft.txt": state}).rules_name(ip_address("10.0.0.1"))


def test_rules_that_name_an_address() -> None:
    evidence = collected({"iptables-save.txt": ONE_RULE})
    assert evidence.rules_name(ip_address("192.168.1.9"))
    assert not evidence.rules_name(ip_address("192.168.1.8"))
    assert not collected({}).rules_name(ip_address("192.168.1.9"))


def test_a_set_that_rules_use_must_be_there_to_say_whom_it_names() -> None:
    banned = b"*filter\n-A INPUT -m set --match-set f2b src -j DROP\nCOMMIT\n"
    members = b"create f2b hash:ip family inet\nadd f2b 192.168.1.9 timeout 600\n"
    for content in (FileState.FAILED, FileState.TOOL_MISSING, None):
        with pytest.raises(EvidenceError, match=r"^ipset-save\.txt: "):
            collected({"iptables-save.txt": banned, "ipset-save.txt": content}).rules_name(ip_address("10.0.0.1"))
    evidence = collected({"iptables-save.txt": banned, "ipset-save.txt": members})
    assert evidence.rules_name(ip_address("192.168.1.9"))
    assert not evidence.rules_name(ip_address("10.0.0.1"))


IPVS = b"""IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
"""
"""The head of /proc/net/ip_vs, as net/netfilter/ipvs/ip_vs_ctl.c prints it."""


@pytest.mark.parametrize(
    "service",
    [
        b"TCP  C0A8010A:07D0 rr  \n  -> 0A000005:07D0      Masq    1      0          0         \n",
        b"UDP  [fd00:0001:0000:0000:0000:0000:0000:0010]:13C4 rr  \n",
        b"FWM  00000001 wlc  \n",
    ],
)
def test_a_virtual_service_hands_packets_on_without_any_rule(service: bytes) -> None:
    assert collected({"proc-net-ip_vs.txt": IPVS + service}).translates()
    assert made({"nft.json": EMPTY_NFT, "proc-net-ip_vs.txt": IPVS + service}).translates()


@pytest.mark.parametrize("content", [FileState.ABSENT, IPVS])
def test_a_kernel_without_virtual_services_hands_nothing_on(content: Content) -> None:
    assert not collected({"proc-net-ip_vs.txt": content}).translates()


@pytest.mark.parametrize("content", [None, FileState.FAILED, FileState.TIMED_OUT, b"", IPVS[:60], b"TCP 1:07D0 rr\n"])
def test_virtual_services_that_cannot_be_told_are_unknown(content: Content) -> None:
    with pytest.raises(EvidenceError, match=r"^proc-net-ip_vs\.txt"):
        collected({"proc-net-ip_vs.txt": content}).translates()
