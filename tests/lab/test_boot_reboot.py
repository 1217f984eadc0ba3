"""A reboot of a lab host keeps what was saved and enabled, and a room of our own loads the very same."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lab.boot_dumps import contents, etc_of, of_host

from callgate.errors import LabError
from callgate.lab.availability import find_tool
from callgate.lab.boot import load_at_boot
from callgate.lab.boot_files import PACKAGED, disable, enable, reboot, save_iptables, save_nftables
from callgate.lab.boot_units import enabled_units
from callgate.lab.call_control import apply_firewall
from callgate.lab.firewalld import Backend, firewalld_unavailable, start_firewalld
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.rulesets import RIGHT_REMEDY_NFT
from callgate.lab.topology import Lab
from callgate.lab.ufw import start_ufw, ufw_unavailable

pytestmark = pytest.mark.lab

SETS = "create phones hash:net\nadd phones 192.168.1.0/24\n"
RULES = (
    "*filter\n:INPUT DROP [0:0]\n-A INPUT -i eth0 -m set --match-set phones src -p tcp --dport 2000 -j ACCEPT\nCOMMIT\n"
)
RULES6 = "*filter\n:INPUT DROP [0:0]\n-A INPUT -s fd00:1::/64 -p tcp --dport 2000 -j ACCEPT\nCOMMIT\n"


def test_nothing_of_the_machine_is_enabled_or_saved(lab: Lab) -> None:
    assert lab.pbx.run(["ls", "-A", "/etc/systemd/system"]).stdout == ""
    assert enabled_units(lab.pbx) == []
    kept = ("nftables.conf", "iptables", "ufw/ufw.conf", "default/ufw", "firewalld/firewalld.conf", "callgate", "rc2.d")
    for name in kept:
        shown = lab.pbx.run(["sh", "-c", f"ls -A /etc/{name} 2>/dev/null | wc -l"])
        assert shown.stdout.strip() == "0", name
    lab.pbx.write_etc("default/ufw", "IPV6=no\n")
    lab.pbx.write_etc("nftables.conf", "flush ruleset\n")
    assert lab.pbx.run(["cat", "/etc/default/ufw", "/etc/nftables.conf"]).stdout == "IPV6=no\nflush ruleset\n"


def test_without_anything_enabled_a_reboot_leaves_the_host_open(lab: Lab) -> None:
    legacy = find_tool("iptables-legacy-restore") is not None
    lab.pbx.load_nft(RIGHT_REMEDY_NFT)
    lab.pbx.load_iptables(RULES6, family=6, legacy=legacy)
    save_nftables(lab.pbx)
    assert len(of_host(lab.pbx)) == 2
    assert reboot(lab.pbx).started == ()
    left = of_host(lab.pbx)
    assert "-A INPUT" not in str(left)
    assert "lab" not in str(left)


def test_nftables_rules_come_back(lab: Lab) -> None:
    apply_firewall(lab.pbx, "right")
    before = of_host(lab.pbx)
    lab.pbx.run(["nft", "insert", "rule", "inet", "lab", "input", "tcp", "dport", "2000", "accept"])
    assert of_host(lab.pbx) != before
    done = reboot(lab.pbx)
    assert (done.started, dict(done.complaints), done.firewalld) == (("nftables.service",), {}, None)
    assert of_host(lab.pbx) == before
    loaded = load_at_boot(etc_of(lab.pbx, "nftables.conf"), ["nftables"], interfaces=["eth0", "eth1"])
    assert contents(loaded.texts) == before
    save_nftables(lab.pbx)
    reboot(lab.pbx)
    assert of_host(lab.pbx) == before


@pytest.mark.parametrize("legacy", [False, True])
def test_iptables_rules_come_back_with_their_sets(lab: Lab, legacy: bool) -> None:
    for tool in ("ipset", "iptables-legacy-restore" if legacy else "iptables-nft-restore"):
        require_tool(tool)
    lab.pbx.run(["ipset", "restore"], stdin=SETS)
    lab.pbx.load_iptables(RULES, legacy=legacy)
    lab.pbx.load_iptables(RULES6, family=6, legacy=legacy)
    before = of_host(lab.pbx)
    save_iptables(lab.pbx, legacy=legacy)
    enable(lab.pbx, "netfilter-persistent.service")
    done = reboot(lab.pbx)
    assert (done.started, dict(done.complaints)) == (("netfilter-persistent.service",), {})
    after = of_host(lab.pbx)
    # nf_tables gets the built-in chains that were not there before: they are in what was saved.
    assert {**after, "nft.json": None} == {**before, "nft.json": None}
    files = etc_of(lab.pbx, "iptables")
    assert set(files) == {"etc/iptables/rules.v4", "etc/iptables/rules.v6", "etc/iptables/ipsets"}
    loaded = load_at_boot(files, ["ipset", "iptables-persistent"])
    assert contents(loaded.texts) == after
    # Without its set the file of one family does not load, and the boot goes on.
    lab.pbx.run(["rm", "/etc/iptables/ipsets"])
    done = reboot(lab.pbx)
    assert "Set phones doesn't exist" in done.complaints["netfilter-persistent.service"]
    del files["etc/iptables/ipsets"]
    loaded = load_at_boot(files, ["ipset", "iptables-persistent"])
    assert contents(loaded.texts) == of_host(lab.pbx) != after


def test_units_of_red_hat_load_a_family_each(lab: Lab) -> None:
    lab.pbx.write_etc("sysconfig/iptables", RULES6.replace("-s fd00:1::/64 ", ""))
    lab.pbx.write_etc("sysconfig/ip6tables", "*filter\nnonsense\n")
    lab.pbx.write_etc("sysconfig/ip6tables.fallback", RULES6)
    for unit in ("ip6tables.service", "iptables.service"):
        enable(lab.pbx, unit)
    done = reboot(lab.pbx)
    assert done.started == ("iptables.service", "ip6tables.service")
    assert set(done.complaints) == {"ip6tables.service"}
    loaded = load_at_boot(etc_of(lab.pbx, "sysconfig"), ["iptables-services"])
    assert contents(loaded.texts) == of_host(lab.pbx)
    assert set(loaded.complaints) == {"etc/sysconfig/ip6tables"}


def test_ufws_rules_come_back_from_its_own_script(lab: Lab) -> None:
    require(ufw_unavailable())
    ufw = start_ufw(lab.pbx)
    for words in (("limit", "5060/udp"), ("allow", "from", "fd00:1::/64", "to", "any", "port", "2000", "proto", "tcp")):
        ufw.command(*words)
    lab.pbx.run(["iptables", "-I", "INPUT", "-p", "tcp", "--dport", "2000", "-j", "ACCEPT"])
    enable(lab.pbx, "ufw.service")
    done = reboot(lab.pbx)
    assert (done.started, dict(done.complaints)) == (("ufw.service",), {})
    after = of_host(lab.pbx)
    assert "-A INPUT -p tcp -m tcp --dport 2000 -j ACCEPT" not in after["iptables-save.txt"]
    assert any("fd00:1::/64" in rule for rule in after["ip6tables-save.txt"])
    loaded = load_at_boot(_without_programs(etc_of(lab.pbx, "ufw", "default/ufw")), ["ufw"])
    assert contents(loaded.texts) == after
    ufw.command("disable")
    assert reboot(lab.pbx).started == ("ufw.service",)
    assert of_host(lab.pbx) == {}


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_firewallds_permanent_settings_come_back_and_no_others(lab: Lab, backend: Backend) -> None:
    require(firewalld_unavailable())
    if backend == "iptables":
        require_tool("ipset")
    firewalld = start_firewalld(lab.pbx, backend=backend)
    firewalld.command("--permanent", "--zone=trusted", "--add-interface=eth0")
    firewalld.command("--add-port=2000/tcp")
    enable(lab.pbx, "firewalld.service")
    done = reboot(lab.pbx)
    assert (done.started, dict(done.complaints)) == (("firewalld.service",), {})
    assert done.firewalld is not None
    assert done.firewalld.command("--get-zone-of-interface=eth0") == "trusted"
    assert done.firewalld.command("--zone=public", "--list-ports") == ""
    after = of_host(lab.pbx)
    loaded = load_at_boot(etc_of(lab.pbx, "firewalld"), ["firewalld"], interfaces=["eth0", "eth1"])
    assert not loaded.complaints
    assert contents(loaded.texts) == after
    if backend == "iptables":
        return
    lab.pbx.write_etc("firewalld/zones/trusted.xml", "<zone>")
    done = reboot(lab.pbx)
    assert "INVALID_ZONE" in done.complaints["firewalld.service"]
    assert contents(load_at_boot(etc_of(lab.pbx, "firewalld"), ["firewalld"], interfaces=["eth0"]).texts) == of_host(
        lab.pbx
    )


def test_a_unit_that_loads_a_gate_comes_last_and_stops_at_its_first_failure(lab: Lab) -> None:
    gate = "*filter\n:callgate - [0:0]\n-I INPUT -j callgate\nCOMMIT\n"
    lab.pbx.write_etc("callgate/gate.v4", gate)
    lab.pbx.write_etc(
        "systemd/system/callgate-gate.service",
        "[Service]\nType=oneshot\nExecStart=-/usr/sbin/nft -f /etc/callgate/gate.nft\n"
        "ExecStart=/usr/sbin/iptables-restore --noflush /etc/callgate/gate.v4\n"
        "ExecStart=/usr/sbin/ip6tables-restore --noflush /etc/callgate/gate.v6\n"
        "ExecStart=/bin/touch /run/behind\n[Install]\nWantedBy=multi-user.target\n",
    )
    lab.pbx.write_etc("iptables/rules.v4", RULES6.replace("-s fd00:1::/64 ", ""))
    for unit in ("callgate-gate.service", "netfilter-persistent.service"):
        enable(lab.pbx, unit)
    done = reboot(lab.pbx)
    assert done.started == ("netfilter-persistent.service", "callgate-gate.service")
    assert set(done.complaints) == {"callgate-gate.service"}
    assert of_host(lab.pbx)["iptables-save.txt"][-3:-1] == [
        "-A INPUT -j callgate",
        "-A INPUT -p tcp -m tcp --dport 2000 -j ACCEPT",
    ]
    assert lab.pbx.run(["test", "-e", "/run/behind"], check=False).returncode == 1
    loaded = load_at_boot(etc_of(lab.pbx, "iptables", "callgate"), ["iptables-persistent", "callgate"])
    assert contents(loaded.texts) == of_host(lab.pbx)


def test_enabling_makes_the_links_that_systemctl_makes(lab: Lab) -> None:
    require_tool("systemctl")
    units = [unit for unit in ("nftables.service", "ufw.service", "firewalld.service") if _has(unit)]
    require(None if units else "no unit of nftables, ufw or firewalld here")

    def links() -> list[str]:
        script = (
            'find /etc/systemd/system -type l | sort | while read -r link; do echo "$link $(readlink -f "$link")"; done'
        )
        return lab.pbx.run(["sh", "-c", script]).stdout.split()

    for unit in units:
        enable(lab.pbx, unit)
        assert lab.pbx.run(["systemctl", "is-enabled", unit]).stdout == "enabled\n"
    ours = links()
    for unit in units:
        disable(lab.pbx, unit)
        assert lab.pbx.run(["systemctl", "is-enabled", unit], check=False).stdout == "disabled\n"
    assert links() == []
    lab.pbx.run(["systemctl", "enable", *units])
    assert links() == ours
    for unit in PACKAGED:
        enable(lab.pbx, unit)
        assert lab.pbx.run(["systemctl", "is-enabled", unit]).stdout == "enabled\n"
    assert set(enabled_units(lab.pbx)) == {*units, *PACKAGED}


def test_what_no_host_has_cannot_be_enabled(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"^pbx: there is no nonsense\.service$"):
        enable(lab.pbx, "nonsense.service")
    with pytest.raises(LabError, match=r"^pbx: not the name of a service: '\.\./x\.service'$"):
        enable(lab.pbx, "../x.service")
    lab.pbx.write_etc("systemd/system/bare.service", "[Service]\nExecStart=/bin/true\n")
    with pytest.raises(LabError, match=r"^pbx: bare\.service has no \[Install\] section$"):
        enable(lab.pbx, "bare.service")


def test_rules_that_nft_cannot_load_again_are_not_saved_silently(lab: Lab) -> None:
    require_tool("iptables-nft-restore")
    lab.pbx.load_iptables("*filter\n-A INPUT -m string --algo bm --string x -j DROP\nCOMMIT\n")
    with pytest.raises(LabError, match=r"nft --check"):
        save_nftables(lab.pbx)


def _without_programs(files: dict[str, str]) -> dict[str, str]:
    """Without ufw's two programs, which are not executable as it is installed."""
    return {name: text for name, text in files.items() if not name.endswith(".init")}


def _has(unit: str) -> bool:
    return any(Path(place, unit).exists() for place in ("/usr/lib/systemd/system", "/lib/systemd/system"))
