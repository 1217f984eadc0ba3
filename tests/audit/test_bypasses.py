"""Ways in which a host that "is fixed" still answers strangers, by number: each fails a control, by its own reason.

The numbers are those of a list of twenty-seven that were made to happen on real kernels. Hosts are recorded ones
(tests/data/hosts) or made of texts; five of the list are not about rules, sockets, flows or parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from callgate.baseline.site import Site
from callgate.evidence.bundle import Bundle, read_bundle
from callgate.report.outcome import Verdict

from .conftest import judged, target_of

HOSTS = Path(__file__).parents[1] / "data" / "hosts"
SITE = Site.model_validate({"trusted": ["192.168.1.0/24", "fd00:1::/64"]})
ELSEWHERE = {
    18: "what boots differs from what runs: about saved rules, which are no evidence of what the kernel does now",
    19: "the manager is stopped: about unit states; the kernel's rules are judged as they are",
    26: "the application lets strangers in: about the PBX's own configuration",
    27: "a log line says BLOCKED: about log analysis",
}
_LAN = "-s 192.168.1.0/24"
DROPPING = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{rules}COMMIT\n"


@dataclass(frozen=True)
class Bypass:
    """A host, the control it fails, and words its message must hold."""

    number: int
    host: str
    control: str
    service: str
    words: tuple[str, ...]
    changes: Mapping[str, str | None] = field(default_factory=dict)
    """Files that differ from the recorded host's; None takes one away."""
    baseline: str = "voip-core"
    verdict: Verdict = Verdict.FAIL

    @property
    def name(self) -> str:
        return f"{self.number:02}-{self.host}-{self.control}-{self.service}"


def iptables(*rules: str) -> dict[str, str]:
    """A default of drop with these rules, for IPv4; nothing native, and IPv6 closed."""
    return {
        "iptables-save.txt": DROPPING.format(rules="".join(f"-A INPUT {rule}\n" for rule in rules)),
        "ip6tables-save.txt": DROPPING.format(rules=""),
        "nft.json": '{"nftables": [{"metainfo": {"json_schema_version": 1}}]}\n',
        "nft.txt": "",
    }


def sysctl(**rp_filter: int) -> str:
    lines = [f"net.ipv4.conf.{name}.rp_filter = {value}\n" for name, value in rp_filter.items()]
    return "net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 0\n" + "".join(lines)


FLOW = (
    "udp      17 29 src=203.0.113.66 dst=203.0.113.10 sport=5060 dport=5060 src=203.0.113.10 dst=203.0.113.66 "
    "sport=5060 dport=5060 [ASSURED] mark=0 use=1\n"
)
DORMANT = "table inet filter {\n\tflags dormant\n"
SSH_ALONE = 'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))\n'

BYPASSES = [
    Bypass(1, "ipt02-before-broad-first", "EXP-01", "sip-udp", ("INPUT rule 1", "narrow ip filter INPUT rule 1")),
    Bypass(2, "ipt01-given", "EXP-01", "sccp", ("the rules speak of 5060, which is SIP's port; SCCP is 2000/tcp",)),
    Bypass(2, "ipt01-given", "EXP-01", "sip-tcp", ("every IPv4 stranger",)),
    Bypass(3, "ipt09-v4-tight-v6-open", "EXP-01", "sccp", ("every IPv6 stranger", "give it the rules that IPv4 has")),
    Bypass(4, "fw10-nat-redirect", "EXP-03", "sccp", (":12000/tcp, which becomes", "take the translation out")),
    Bypass(4, "ipt06-redirect-away", "EXP-03", "sip-udp", (":5060/udp, which becomes", ":15060")),
    Bypass(5, "dk01-published", "EXP-03", "sccp", ("which becomes 172.17.0.2:2000", "DOCKER")),
    Bypass(6, "dk01-published", "EXP-03", "sccp", ("which becomes 172.17.0.2:2000",), {"ss.txt": SSH_ALONE}),
    Bypass(7, "relay01-userland", "LSN-04", "sccp", ("8443/tcp",)),
    Bypass(8, "ipt11-split-halves", "EXP-01", "sccp", ("every IPv4 stranger",)),
    Bypass(9, "ipt17-compliant", "EXP-01", "sip-udp", ("rule 1: -A INPUT",), iptables("-p udp --sport 5060 -j ACCEPT")),
    Bypass(
        9, "ipt17-compliant", "EXP-01", "sccp", ("rule 1: -A INPUT",),
        iptables("-p tcp -m multiport --ports 2000 -j ACCEPT"),
    ),
    Bypass(
        9, "ipt17-compliant", "EXP-01", "sccp", ("rule 1: -A INPUT",), iptables("-p tcp --dport 1000:3000 -j ACCEPT"),
    ),
    Bypass(
        9, "ipt17-compliant", "EXP-01", "sccp", ("rule 2: -A INPUT",),
        iptables(f"{_LAN} -j ACCEPT", "-p tcp -j ACCEPT"),
    ),
    Bypass(10, "ipt20-rate-accept", "EXP-01", "sccp", ("IPv4 stranger",)),
    Bypass(11, "ipt15-user-chain-return", "EXP-01", "sccp", ("every IPv4 stranger",)),
    Bypass(11, "nft03-vmap-leak", "EXP-01", "sccp", ("stranger",)),
    Bypass(12, "nft01-compliant", "EXP-01", "sccp", ("every IPv4 stranger", "no rule"), {"nft.txt": DORMANT}),
    Bypass(13, "ipt25-legacy-drop", "EXP-02", "sccp", ("192.168.1.0/24 on eth0 cannot reach it", "(legacy)")),
    Bypass(13, "ipt25-legacy-drop", "EXP-01", "sip-udp", ("every IPv4 stranger",)),
    Bypass(14, "ans-D-after", "EXP-01", "sccp", ("every IPv4 stranger on eth1",)),
    Bypass(
        15, "ipt17-compliant", "EXP-04", "sip-udp", ("claims to be of 192.168.1.0/24", "eth1", "rp_filter to 1"),
        {"sysctl.txt": sysctl(all=0, eth0=0, eth1=0)}, "voip-strict",
    ),
    Bypass(
        15, "ipt17-compliant", "EXP-04", "sip-udp", ("claims to be of 192.168.1.0/24", "eth1"),
        {"sysctl.txt": sysctl(all=2, eth0=1, eth1=1)}, "voip-strict",
    ),
    Bypass(
        15, "ipt17-compliant", "EXP-04", "sip-udp", ("claims to be of fd00:1::/64",),
        {"sysctl.txt": sysctl(all=1, eth0=1, eth1=1)}, "voip-strict",
    ),
    Bypass(16, "ipt17-compliant", "EXP-06", "sccp", ("203.0.113.66 on SIP over UDP",), {"conntrack.txt": FLOW}),
    Bypass(17, "ufw07-behind", "EXP-01", "sccp", ("INPUT rule 1",)),
    Bypass(17, "fw23-nft-behind", "EXP-01", "sccp", ("inet firewalld",)),
    Bypass(20, "fpbx02-responsive-on", "EXP-01", "sip-udp", ("fpbxrfw rule 3",)),
    Bypass(21, "f2b01-probe-source-banned", "EXP-01", "sccp", ("every IPv4 stranger but 203.0.113.66/32",)),
    Bypass(22, "nft14-reject-rst", "EXP-01", "sip-udp", ("every IPv6 stranger",)),
    Bypass(
        23, "ipt17-compliant", "EXP-01", "sccp", ("rule 1: -A INPUT",),
        iptables('-m comment --comment "-s 192.168.1.0/24 -p tcp --dport 2000 -j ACCEPT" -j ACCEPT'),
    ),
    Bypass(
        24, "boot03-missing-ipset", "EXP-01", "sccp", ("every IPv4 stranger",),
        {"ss.txt": "tcp LISTEN 0 100 192.168.1.10:2000 0.0.0.0:*\n"},
    ),
    Bypass(
        24, "boot03-missing-ipset", "EXP-01", "sccp", ("every IPv4 stranger",),
        {"ss.txt": "tcp LISTEN 0 100 *:2000 *:* \n", "ip6tables-save.txt": DROPPING.format(rules="")},
    ),
    Bypass(25, "fw01-default-public", "EXP-02", "sccp", ("192.168.1.0/24 on eth0 cannot reach it", "is rejected by")),
]  # fmt: skip


def host(bypass: Bypass) -> Bundle:
    recorded = read_bundle(HOSTS / bypass.host)
    files = {name: recorded.read(name) for name in recorded.names()}
    for name, text in bypass.changes.items():
        files.pop(name, None)
        if text is not None:
            files[name] = text.encode()
    return Bundle(bypass.name, files)


def test_every_bypass_of_the_list_is_here_or_is_anothers() -> None:
    assert {one.number for one in BYPASSES} | set(ELSEWHERE) == set(range(1, 28))
    assert not {one.number for one in BYPASSES} & set(ELSEWHERE)


@pytest.mark.parametrize("bypass", BYPASSES, ids=lambda one: one.name)
def test_bypass_fails_a_control_and_says_how(bypass: Bypass) -> None:
    verdict, message = judged(bypass.control, target_of(host(bypass), SITE, bypass.baseline), bypass.service)
    assert verdict is bypass.verdict, message
    for words in bypass.words:
        assert words in message


@pytest.mark.parametrize(
    ("rules", "service"),
    [
        ((f"{_LAN} -j ACCEPT",), "sccp"),
        ((f"{_LAN} -p udp --dport 5060 -j ACCEPT", "-p udp --sport 53 -j DROP"), "sip-udp"),
        (("-p tcp --dport 2001:65535 -j ACCEPT", f"{_LAN} -j ACCEPT"), "sccp"),
        ((f'-m comment --comment "-j ACCEPT" {_LAN} -j ACCEPT',), "sccp"),
    ],
)
def test_sound_rules_of_the_same_kinds_pass(rules: tuple[str, ...], service: str) -> None:
    sound = Bypass(0, "ipt17-compliant", "EXP-01", service, (), iptables(*rules))
    verdict, message = judged("EXP-01", target_of(host(sound), SITE), service)
    assert verdict is Verdict.PASS, message


def test_strict_reverse_path_filter_keeps_forged_ipv4_sources_out() -> None:
    site = Site.model_validate({"trusted": ["192.168.1.0/24"]})
    changes = {"sysctl.txt": sysctl(all=1, eth0=1, eth1=1)}
    sound = Bypass(0, "ipt17-compliant", "EXP-04", "sip-udp", (), changes)
    assert judged("EXP-04", target_of(host(sound), site, "voip-strict"), "sip-udp")[0] is Verdict.PASS


def test_reverse_path_filter_that_is_not_told_is_not_determined() -> None:
    sound = Bypass(0, "ipt17-compliant", "EXP-04", "sip-udp", ())
    site = Site.model_validate({"trusted": ["192.168.1.0/24"]})
    verdict, message = judged("EXP-04", target_of(host(sound), site, "voip-strict"), "sip-udp")
    assert verdict is Verdict.ERROR
    assert "unless net.ipv4.conf.eth1.rp_filter is 1, which the evidence does not tell" in message
