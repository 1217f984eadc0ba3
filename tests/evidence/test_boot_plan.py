"""Which managers load which rules at boot, by the files and unit states of a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from tests.evidence.boot_files import BOOT_FILES, UFW, unit_states

from callgate.errors import EvidenceError
from callgate.evidence.boot import BootPlan, boot_plan
from callgate.evidence.bundle import Bundle, bundle_of
from callgate.evidence.evidence import Evidence
from callgate.evidence.stream import FileState, Taken

RULES = b"*filter\n:INPUT DROP [0:0]\nCOMMIT\n"
FLUSHING = b"#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter {\n}\n"
UFW_FILES = {
    "etc/default/ufw": b'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\n',
    "etc/ufw/ufw.conf": b"ENABLED=yes\nLOGLEVEL=low\n",
    **{f"etc/ufw/{path.name}": path.read_bytes() for path in UFW.glob("*.rules")},
}
Files = dict[str, bytes | FileState]
CSF = b'TESTING = "0"\nTESTING_INTERVAL = "5"\n'


def collected(
    files: Mapping[str, bytes | FileState], *enabled: str, folders: tuple[str, ...] = (), units: bytes | None = None
) -> BootPlan:
    """The plan of a host that was collected with these boot files, and no others."""
    taken = []
    told: Files = {**unit_states(*enabled, folders=folders), **files}
    if units is not None:
        told["boot-units.txt"] = units
    for name in (*told, *(name for name in BOOT_FILES if name not in told)):
        content = told.get(name, FileState.ABSENT)
        if isinstance(content, bytes):
            taken.append(Taken(name, f"cat /{name}", FileState.COLLECTED, 0, content, ""))
        else:
            command = "systemctl list-unit-files" if name == "boot-units.txt" else f"cat /{name}"
            taken.append(Taken(name, command, content, 1, b"", "Permission denied"))
    return boot_plan(Evidence(bundle_of("ssh://pbx1", datetime(2026, 11, 22, tzinfo=UTC), "1", taken)))


def by_hand(files: Mapping[str, bytes]) -> BootPlan:
    return boot_plan(Evidence(Bundle("pbx1", files)))


def loading(plan: BootPlan) -> list[str]:
    return [loader.name for loader in plan.loading]


def test_a_host_without_boot_files_loads_nothing() -> None:
    plan = collected({})
    assert plan.told
    assert plan.loaders == ()
    assert plan.others == plan.conflicts == plan.findings == plan.missing == ()


def test_a_bundle_made_by_hand_without_boot_files_tells_nothing() -> None:
    assert not by_hand({"nft.json": b"", "firewalld-permanent.txt": b"public\n"}).told
    assert not by_hand({"etc/asterisk/sip.conf": b"[general]\n", "etc/sysconfig/network": b"\n"}).told
    for told in ("boot-units.txt", "etc/nftables.conf", "etc/firewalld/zones/public.xml", "etc/sysconfig/iptables"):
        assert by_hand({told: b"\n"}).told, told


def test_every_manager_is_known_by_its_files_and_its_unit() -> None:
    for unit, name, files in (
        ("nftables", "nftables", {"etc/nftables.conf": FLUSHING}),
        ("nftables", "nftables", {"etc/sysconfig/nftables.conf": FLUSHING}),
        ("netfilter-persistent", "iptables-persistent", {"etc/iptables/rules.v4": RULES}),
        ("iptables", "iptables-services", {"etc/sysconfig/iptables": RULES}),
        ("ip6tables", "iptables-services", {"etc/sysconfig/ip6tables": RULES}),
        ("ipset", "ipset", {"etc/sysconfig/ipset": b"create voip hash:net\n"}),
        ("ufw", "ufw", UFW_FILES),
        ("firewalld", "firewalld", {"etc/firewalld/firewalld.conf": b"DefaultZone=public\n"}),
        ("csf", "csf", {"etc/csf/csf.conf": CSF}),
        ("callgate-gate", "callgate", {"etc/callgate/gate.nft": b"table inet callgate {\n}\n"}),
    ):
        plan = collected(files, unit)
        assert loading(plan) == [name], name
        (loader,) = plan.loaders
        assert loader.unit == f"{unit}.service"
        assert set(loader.files) == set(files)
        assert not loader.assumed
        assert plan.findings == plan.missing == plan.others == ()
        assert loading(collected(files)) == [], name
        assert [loader.enabled for loader in collected(files).loaders] == [False], name


def test_sets_come_before_the_rules_and_our_gate_behind_them() -> None:
    files = {
        "etc/iptables/rules.v4": RULES,
        "etc/iptables/ipsets": b"create voip hash:net\n",
        "etc/callgate/gate.v4": RULES,
        "etc/nftables.conf": b"table inet pbx {\n}\n",
    }
    plan = collected(files, "netfilter-persistent", "callgate-gate", "nftables")
    assert loading(plan) == ["ipset", "nftables", "iptables-persistent", "callgate"]
    assert plan.conflicts == ()


@pytest.mark.parametrize(
    ("state", "enabled"),
    [
        ("enabled", True),
        ("enabled-runtime", False),
        ("masked", False),
        ("disabled", False),
        ("linked", False),
        ("static", None),
        ("indirect", None),
    ],
)
def test_a_unit_starts_at_boot_by_its_state(state: str, enabled: bool | None) -> None:
    plan = collected({"etc/nftables.conf": FLUSHING}, units=f"nftables.service {state} enabled\n".encode())
    assert [loader.enabled for loader in plan.loaders] == [enabled]
    assert (plan.loaders[0].because == "") is (enabled is True)


def test_a_unit_that_does_not_exist_loads_nothing() -> None:
    plan = collected({"etc/nftables.conf": FLUSHING}, units=b"ssh.service enabled enabled\n")
    assert [loader.enabled for loader in plan.loaders] == [False]


def test_links_tell_where_there_is_no_systemctl() -> None:
    files: Files = {"etc/iptables/rules.v4": RULES, "boot-units.txt": FileState.TOOL_MISSING}
    linked = collected({**files, "boot-links.txt": b"/etc/rc2.d/S01ssh\n/etc/rc3.d/S05netfilter-persistent\n"})
    assert loading(linked) == ["iptables-persistent"]
    others = collected({**files, "boot-links.txt": b"/etc/rc2.d/S01ssh\n"})
    assert [loader.enabled for loader in others.loaders] == [False]
    alpine = collected({**files, "boot-links.txt": b"             iptables | default\n"})
    assert alpine.others == ("OpenRC starts iptables: which files its script loads is not weighed",)
    # No init at all, as in a container: nobody knows.
    nothing = collected(files)
    assert [loader.enabled for loader in nothing.loaders] == [None]


def test_a_bundle_made_by_hand_is_taken_to_load_its_files_and_says_so() -> None:
    plan = by_hand({"etc/iptables/rules.v4": RULES, "etc/iptables/rules.v6": RULES})
    (loader,) = plan.loaders
    assert loader.enabled
    assert loader.assumed
    assert any("no unit states" in note and "/etc/iptables/rules.v4" in note for note in plan.notes)
    assert not plan.units_told


def test_ufw_that_is_switched_off_loads_nothing_whatever_its_unit() -> None:
    off = {**UFW_FILES, "etc/ufw/ufw.conf": b"# ENABLED=yes\nENABLED=no\n"}
    for plan in (collected(off, "ufw"), by_hand(off)):
        (loader,) = plan.loaders
        assert loader.enabled is False
        assert "ENABLED=yes" in loader.because


def test_settings_that_are_a_script_leave_it_open_what_loads() -> None:
    plan = collected({**UFW_FILES, "etc/ufw/ufw.conf": b"ENABLED=yes\nIPT_MODULES=$(touch /tmp/x)\n"}, "ufw")
    assert plan.others == ("/etc/ufw/ufw.conf:2 is a script: 'IPT_MODULES=$(touch /tmp/x)'",)


def test_testing_mode_is_found() -> None:
    on = collected({"etc/csf/csf.conf": b'TESTING = "1"\n'}, "csf")
    assert "testing mode" in on.findings[0]
    assert collected({"etc/csf/csf.conf": CSF}, "csf").findings == ()
    disabled = collected({"etc/csf/csf.conf": CSF, "etc/csf/csf.disable": b""}, "csf")
    assert [loader.enabled for loader in disabled.loaders] == [False]


def test_units_that_failed_are_stopped_or_run_without_being_enabled_are_found() -> None:
    def active(unit: str, state: str) -> Files:
        said = f"Id={unit}.service\nLoadState=loaded\nActiveState={state}\nSubState=x\n"
        return {"boot-active.txt": said.encode()}

    conf: Files = {"etc/nftables.conf": FLUSHING}
    firewalld: Files = {"etc/firewalld/firewalld.conf": b""}
    assert collected(conf | active("nftables", "active"), "nftables").findings == ()
    assert "failed when" in collected(conf | active("nftables", "failed"), "nftables").findings[0]
    assert collected(conf | active("nftables", "inactive"), "nftables").findings == ()
    assert "is stopped now" in collected(firewalld | active("firewalld", "inactive"), "firewalld").findings[0]
    assert "runs now, but does not start" in collected(firewalld | active("firewalld", "active")).findings[0]


@pytest.mark.parametrize(
    ("files", "units", "conflict"),
    [
        ({"etc/nftables.conf": FLUSHING, **UFW_FILES}, ("nftables", "ufw"), True),
        ({"etc/nftables.conf": b"table inet pbx {\n}\n", **UFW_FILES}, ("nftables", "ufw"), False),
        ({"etc/nftables.conf": b"# flush ruleset\n", **UFW_FILES}, ("nftables", "ufw"), False),
        ({"etc/nftables.conf": FLUSHING, "etc/iptables/rules.v4": RULES}, ("nftables", "netfilter-persistent"), True),
        ({"etc/iptables/rules.v4": RULES, **UFW_FILES}, ("netfilter-persistent", "ufw"), True),
        ({"etc/firewalld/firewalld.conf": b"", **UFW_FILES}, ("firewalld", "ufw"), True),
        ({"etc/firewalld/firewalld.conf": b"", "etc/nftables.conf": b""}, ("firewalld", "nftables"), True),
        ({"etc/firewalld/firewalld.conf": b"", "etc/nftables.conf": FLUSHING}, ("firewalld",), False),
        ({"etc/nftables.conf": FLUSHING, "etc/callgate/gate.nft": b""}, ("nftables", "callgate-gate"), False),
    ],
)
def test_managers_that_undo_each_other_are_found(
    files: dict[str, bytes], units: tuple[str, ...], conflict: bool
) -> None:
    assert bool(collected(files, *units).conflicts) is conflict


def test_includes_bring_their_files_along() -> None:
    conf = b'include "/etc/nftables.d/*.nft"\n'
    plan = collected(
        {"etc/nftables.conf": conf, "etc/nftables.d/pbx.nft": b"table inet pbx {\n}\n"},
        "nftables",
        folders=("folder /etc/nftables.d", "file /etc/nftables.d/pbx.nft"),
    )
    assert set(plan.files) == {"etc/nftables.conf", "etc/nftables.d/pbx.nft"}
    assert plan.others == ()


@pytest.mark.parametrize("target", ["/opt/rules.nft", "/etc/shadow", "../opt/x", "/etc/nftables.d/../shadow"])
def test_an_include_of_what_is_not_collected_leaves_it_open(target: str) -> None:
    plan = collected({"etc/nftables.conf": f'table ip a {{\n}}\ninclude "{target}"\n'.encode()}, "nftables")
    assert plan.others == (f"/etc/nftables.conf:3 includes '{target}', which is not in the bundle",)


def test_an_include_by_hand_of_an_empty_folder_leaves_it_open() -> None:
    assert by_hand({"etc/nftables.conf": b'include "/etc/nftables.d/*.nft"\n'}).others


def test_a_folder_that_could_not_be_read_is_no_empty_one() -> None:
    files: Files = {"etc/nftables.conf": b'include "/etc/nftables.d/*.nft"\n'}
    with pytest.raises(EvidenceError, match="collect as root"):
        collected(files, "nftables", folders=("refused /etc/nftables.d",))
    with pytest.raises(EvidenceError, match="more files"):
        collected(files, "nftables", folders=("folder /etc/nftables.d", "more /etc/nftables.d"))
    with pytest.raises(EvidenceError, match="not in the manifest"):
        collected(files, "nftables", folders=("folder /etc/nftables.d", "file /etc/nftables.d/a.nft"))


def test_a_file_that_could_not_be_read_is_no_absent_one() -> None:
    with pytest.raises(EvidenceError, match="Permission denied"):
        collected({"etc/iptables/rules.v4": FileState.FAILED}, "netfilter-persistent")
    with pytest.raises(EvidenceError):
        collected({"boot-others.txt": FileState.FAILED})


def test_a_unit_that_starts_something_else_leaves_it_open() -> None:
    conf: Files = {"etc/nftables.conf": FLUSHING}
    shipped = "# /usr/lib/systemd/system/nftables.service\nExecStart=/usr/sbin/nft -f /etc/nftables.conf\n"
    assert collected(conf | {"boot-commands.txt": shipped.encode()}, "nftables").others == ()
    own = "# /etc/systemd/system/nftables.service\nExecStart=/usr/sbin/nft -f /opt/pbx.nft\n" + shipped
    assert "/opt/pbx.nft" in collected(conf | {"boot-commands.txt": own.encode()}, "nftables").others[0]
    drop_in = shipped + "# /etc/systemd/system/nftables.service.d/x.conf\nExecStartPost=/usr/local/bin/open-it\n"
    assert "open-it" in collected(conf | {"boot-commands.txt": drop_in.encode()}, "nftables").others[0]
    # Of a unit that does not start, it does not matter.
    assert collected(conf | {"boot-commands.txt": own.encode()}).others == ()


def test_what_else_changes_rules_at_boot_is_told_with_its_place() -> None:
    said = b"/etc/rc.local:3:iptables -I INPUT -j ACCEPT\n/etc/systemd/system/fw.service:7:ExecStart=/sbin/nft -f /x\n"
    told = {"boot-others.txt": said}
    assert [one.split(" ")[0] for one in collected(told, "fw").others] == [
        "/etc/rc.local:3",
        "/etc/systemd/system/fw.service:7",
    ]
    # A unit that does not start does nothing.
    assert [one.split(" ")[0] for one in collected(told).others] == ["/etc/rc.local:3"]
    assert "shorewall" in collected({}, "shorewall").others[0]


def test_hostile_lists_raise_and_never_read_as_nothing() -> None:
    for name in ("boot-units.txt", "boot-others.txt", "boot-folders.txt"):
        with pytest.raises(EvidenceError):
            collected({name: b"\x1b[31m nonsense\n", "etc/firewalld/firewalld.conf": b""}, "firewalld")


def test_owners_start_by_their_units() -> None:
    owners = collected({}, "docker").owners
    assert owners["docker"] is True
    assert owners["fail2ban"] is False
    assert by_hand({"etc/iptables/rules.v4": RULES}).owners["docker"] is None
