"""Hosts that look protected after a boot and are not, and good hosts that look broken."""

from __future__ import annotations

import pytest
from tests.evidence.boot_files import unit_states

from callgate.audit.boot import after_boot
from callgate.audit.boot_owners import with_owners
from callgate.audit.target import Target
from callgate.baseline.site import Site
from callgate.errors import NotDetermined
from callgate.evidence.boot import BootPlan, boot_plan
from callgate.evidence.evidence import Evidence
from callgate.firewall.dumps import read_ruleset
from callgate.firewall.rule import ChainName, Ruleset
from callgate.lab import boot as lab_boot

from .conftest import BOOTING_HOST, SERVING_HOST, bundle, judged, target_of

CONTROLS = tuple(f"PER-0{n}" for n in range(1, 6))
SITE = Site.model_validate({"trusted": ["192.168.1.0/24"]})
V4, V6 = SERVING_HOST["iptables-save.txt"], SERVING_HOST["ip6tables-save.txt"]
SIX: dict[str, bytes | None] = {
    "ip-addr.json": SERVING_HOST["ip-addr.json"].replace(
        b'"local": "203.0.113.10", "prefixlen": 24, "scope": "global"}',
        b'"local": "203.0.113.10", "prefixlen": 24, "scope": "global"},'
        b' {"local": "2001:db8:66::10", "prefixlen": 64, "scope": "global"}',
    ),
    "ip6-route.json": b'[{"dst": "2001:db8:66::/64", "dev": "eth1"}, {"dst": "default", "dev": "eth1"}]\n',
}
PERSISTENT = b"# /usr/lib/systemd/system/netfilter-persistent.service\nExecStart=/usr/sbin/netfilter-persistent start\n"
OWN = b"# /etc/systemd/system/netfilter-persistent.service\n"


@pytest.fixture(autouse=True)
def unloadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing can be loaded for a test: what iptables-save wrote is read."""

    def refuse(*_: object, **__: object) -> None:
        raise NotDetermined("no namespaces of our own here")

    monkeypatch.setattr(lab_boot, "load_at_boot", refuse)


def host(changes: dict[str, bytes | None]) -> Target:
    files = {name: data for name, data in {**BOOTING_HOST, **changes}.items() if data is not None}
    return target_of(bundle(files), SITE)


def verdicts(target: Target) -> str:
    return " ".join(judged(control, target)[0].name[0] for control in CONTROLS)


def services(ip6tables: str) -> dict[str, bytes | None]:
    states = unit_states("iptables")
    states["boot-units.txt"] += f"ip6tables.service {ip6tables} enabled\n".encode()
    moved: dict[str, bytes | None] = {"etc/iptables/rules.v4": None, "etc/iptables/rules.v6": None}
    return {**SIX, **moved, **states, "etc/sysconfig/iptables": V4, "etc/sysconfig/ip6tables": V6}


def test_saved_ipv6_rules_of_red_hat_need_their_own_unit() -> None:
    assert verdicts(host(services("enabled"))) == "P P P P P"
    forgotten = host(services("disabled"))
    assert verdicts(forgotten) == "F P F P F"
    assert "ip6tables.service does not start at boot" in judged("PER-02", forgotten)[1]
    assert verdicts(host(services("static"))) == "E E E P E"


@pytest.mark.parametrize(
    "commands",
    [
        PERSISTENT.replace(b"/usr/lib", b"/etc") + b"ExecStartPost=/usr/sbin/iptables -I INPUT -j ACCEPT\n",
        PERSISTENT.replace(b"/usr/lib", b"/etc") + b"  ExecStartPre = /root/rules.sh\n",
        OWN + b"ExecStart = /root/rules.sh\n" + PERSISTENT,
        OWN + PERSISTENT,  # its own file starts nothing that is known
        PERSISTENT + b"# /etc/systemd/system/netfilter-persistent.service.d/x.conf\n ExecStartPost=/root/rules.sh\n",
    ],
)
def test_unit_that_an_administrator_changed_may_load_anything(commands: bytes) -> None:
    assert verdicts(host({"boot-commands.txt": commands})) == "E E E P E"


def test_unit_as_its_package_has_it_loads_its_files() -> None:
    assert verdicts(host({"boot-commands.txt": PERSISTENT})) == "P P P P P"
    shown = b"# /usr/lib/systemd/system/firewalld.service\nExecStart=/usr/sbin/firewalld --nofork --nopid\n"
    shown += b"ExecStartPost=/usr/bin/firewall-cmd --state\n"
    firewalld = {**BOOTING_HOST, **unit_states("firewalld"), "boot-commands.txt": shown}
    assert boot_plan(Evidence(bundle(firewalld))).others == ()


def test_other_name_of_a_unit_is_no_second_manager() -> None:
    # systemd before 247 lists the names that netfilter-persistent.service goes by as enabled units.
    states = unit_states("netfilter-persistent")
    states["boot-units.txt"] += b"iptables.service enabled enabled\nip6tables.service enabled enabled\n"
    assert verdicts(host({**states})) == "P P P P P"


@pytest.mark.parametrize(
    ("plugins", "expected"),
    [
        (b"10-ipset\n15-ip4tables\n25-ip6tables\n40-ipset\n", "P P P P P"),
        (b"25-ip6tables\n", "F P S F F"),
        (b"15-ip4tables\n25-ip6tables\n99-own\n", "E E E P E"),
    ],
)
def test_saved_rules_need_the_plugin_that_loads_them(plugins: bytes, expected: str) -> None:
    no_six: dict[str, bytes | None] = {"etc/iptables/rules.v6": None} if expected.startswith("F") else {}
    assert verdicts(host({**no_six, "boot-plugins.txt": plugins})) == expected


def test_sets_that_no_plugin_loads_are_not_there_for_the_rules_that_name_them() -> None:
    rule = b"-A INPUT -m set --match-set voip src -p tcp -m tcp --dport 2000 -j DROP\nCOMMIT\n"
    saved: dict[str, bytes | None] = {
        "etc/iptables/rules.v4": V4.replace(b"COMMIT\n", rule),
        "etc/iptables/ipsets": b"create voip hash:net family inet\n",
    }
    assert (
        judged("PER-03", host({**saved, "boot-plugins.txt": b"10-ipset\n15-ip4tables\n25-ip6tables\n"}))[0].name
        == "PASS"
    )
    verdict, message = judged("PER-03", host({**saved, "boot-plugins.txt": b"15-ip4tables\n25-ip6tables\n"}))
    assert verdict.name == "FAIL"
    assert "no set voip is made" in message


@pytest.mark.parametrize(
    ("line", "weighs"),
    [
        (b"/etc/systemd/system/own.service:3:/root/fw.sh: iptables -F", True),
        (b"/etc/systemd/system/off.service:3:ExecStart=/usr/sbin/nft -f /root/x", False),
        (b"/usr/lib/systemd/system/off.service:3:ExecStart=/usr/sbin/nft -f /root/x", False),
        (b"/etc/systemd/system/own.service.d/x.conf:2:ExecStartPost=/usr/sbin/nft -f /root/x", True),
        (b"/etc/systemd/system/netfilter-persistent.service.d/x.conf:2:ExecStop=/usr/sbin/nft flush ruleset", False),
        (b"/etc/rc2.d/S01ufw:9:ufw start", False),
        (b"/etc/rc2.d/S01mine:9:iptables -F", True),
        (b"/etc/rc2.d/S01generated:9:iptables -F", True),
        (b"/etc/rc2.d/S01native:9:iptables -F", False),
        (b"/var/spool/cron/crontabs/root:1:/root/fw.sh: nft -f /root/x", True),
        (b"/etc/cron.d/fw:0:is not to be read", True),
    ],
)
def test_what_runs_at_boot_beside_the_managers_leaves_the_boot_untold(line: bytes, weighs: bool) -> None:
    states = unit_states("netfilter-persistent")
    states["boot-units.txt"] += b"own.service enabled enabled\noff.service disabled enabled\n"
    states["boot-units.txt"] += b"generated.service generated -\nnative.service enabled enabled\n"
    target = host({**states, "boot-others.txt": line + b"\n"})
    assert verdicts(target) == ("E E E P E" if weighs else "P P P P P")


def test_carriage_return_is_part_of_what_a_shell_reads() -> None:
    ufw = unit_states("ufw")
    said = boot_plan(Evidence(bundle({**BOOTING_HOST, **ufw, "etc/ufw/ufw.conf": b"ENABLED=yes\r\n"}))).loaders
    assert [(one.enabled, one.because) for one in said if one.name == "ufw"] == [
        (False, "/etc/ufw/ufw.conf does not say ENABLED=yes: ufw loads nothing")
    ]


def test_forwarding_that_a_file_switches_on_leads_to_the_service_behind() -> None:
    led = b"*nat\n:PREROUTING ACCEPT [0:0]\n"
    led += b"-A PREROUTING -i eth1 -p tcp -m tcp --dport 2000 -j DNAT --to-destination 192.168.1.77\nCOMMIT\n"
    rules = V4.replace(b":FORWARD DROP", b":FORWARD ACCEPT") + led
    files: dict[str, bytes | None] = {"iptables-save.txt": rules, "etc/iptables/rules.v4": rules}
    on = b"# /etc/sysctl.d/90-pbx.conf\nnet.ipv4.ip_forward = 1\n"
    assert verdicts(host(files)) == "P P P P P"
    target = host({**files, "boot-sysctl.txt": on})
    verdict, message = judged("PER-01", target)
    assert verdict.name == "FAIL"
    assert "strangers are led to" in message
    assert judged("PER-05", target)[0].name == "FAIL"
    assert after_boot(target).evidence.sysctls["net.ipv4.ip_forward"] == "1"


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("", {}),
        ("# /etc/sysctl.conf\nnet.ipv4.ip_forward=1\nnet.ipv6.conf.all.forwarding = 1\n", {4: True, 6: True}),
        # The file of that name in /etc counts, and later names come later.
        ("# /usr/lib/sysctl.d/50-a.conf\nnet.ipv4.ip_forward=1\n# /etc/sysctl.d/50-a.conf\n", {}),
        ("# /etc/sysctl.d/6.conf\nnet.ipv4.ip_forward=0\n# /lib/sysctl.d/5.conf\n-net.ipv4.ip_forward=1\n", {4: False}),
        ("# /etc/sysctl.d/60-b.conf\nnet/ipv4/conf/all/forwarding=1\nnet.ipv4.conf.eth0.forwarding = 0\n", {4: True}),
        ("# /etc/ufw/sysctl.conf\nnet/ipv4/ip_forward=1\n", {}),  # ufw does not start
    ],
)  # fmt: skip
def test_last_file_of_parameters_has_the_last_word(listing: str, expected: dict[int, bool]) -> None:
    assert boot_plan(host({"boot-sysctl.txt": listing.encode()}).evidence).forwarding == expected


DOCKER = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
{first}-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
{docker}-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p udp -m udp --dport 5060 -j ACCEPT
-A DOCKER ! -i docker0 -o docker0 -j DROP
{user}-A DOCKER-USER -j RETURN
COMMIT
"""
GUARDS = {
    "first": "-A FORWARD -o docker0 -p udp -m udp --dport 5060 -j DROP\n",
    "docker": "-A DOCKER ! -s 192.168.1.0/24 -p udp -m udp --dport 5060 -j DROP\n",
    "user": "-A DOCKER-USER ! -s 192.168.1.0/24 -p udp -m udp --dport 5060 -j DROP\n",
}
NOBODY = dict.fromkeys(GUARDS, "")
NOTHING = '{"nftables": [{"metainfo": {"json_schema_version": 1}}]}'


def rules(ruleset: Ruleset) -> list[str]:
    names = [ChainName("nft", "ip", "filter", chain) for chain in ("FORWARD", "DOCKER", "DOCKER-USER")]
    return [rule.text for name in names for rule in ruleset.chains[name].rules]


@pytest.mark.parametrize("guard", GUARDS)
def test_guard_that_an_administrator_put_among_docker_s_rules_is_not_docker_s(guard: str) -> None:
    running = read_ruleset({"iptables-save.txt": DOCKER.format(**{**NOBODY, guard: GUARDS[guard]})})
    bare = read_ruleset({"iptables-save.txt": DOCKER.format(**NOBODY)})
    starting = BootPlan(owners={"docker": True})
    unsaved, _ = with_owners(running, read_ruleset({"nft.json": NOTHING}), starting)
    assert rules(unsaved) == rules(bare)
    if guard != "docker":  # docker makes that chain anew, whatever is saved
        saved, _ = with_owners(running, running, starting)
        assert rules(saved) == rules(running)


@pytest.mark.parametrize(
    ("text", "clashes"),
    [
        ("table inet pbx { }; flush ruleset\n", True),
        ("add table ip filter\ndelete table ip filter\n", True),
        ("flush chain ip6 filter INPUT\n", True),
        ("add table inet pbx\ndelete table inet pbx\n", False),
        ("# x; flush ruleset\n", False),
    ],
)
def test_what_nftables_takes_out_of_iptables_depends_on_which_comes_first(text: str, clashes: bool) -> None:
    both = unit_states("nftables", "netfilter-persistent")
    plan = boot_plan(host({**both, "etc/nftables.conf": text.encode()}).evidence)
    assert bool(plan.conflicts) is clashes


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('define a = 1; include "/etc/rules.d/*.nft"\n', False),
        ('table inet pbx { include "/etc/rules.d/pbx.nft"\n}\n', False),
        ('include "/etc/nftables.d/.hidden.nft"\n', False),
        ('include "/etc/nftables.d/*.nft"\n', True),
        ('include "/etc/nftables.d/missing.nft"\n', True),  # surely not there: it does not load
    ],
)
def test_include_that_is_not_collected_leaves_the_boot_untold(text: str, told: bool) -> None:
    folder = ("folder /etc/nftables.d", "file /etc/nftables.d/a.nft")
    states = unit_states("nftables", folders=folder)
    files = {**states, "etc/nftables.conf": text.encode(), "etc/nftables.d/a.nft": b"table inet a {\n}\n"}
    assert (boot_plan(host({**files}).evidence).others == ()) is told
