"""After a boot: hosts with saved rules, read where they cannot be loaded, and loaded where they can."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.evidence.boot_files import unit_states

from callgate.audit import boot_saved
from callgate.audit.boot import after_boot, booted_target
from callgate.audit.target import Target
from callgate.baseline.site import Site
from callgate.errors import NotDetermined
from callgate.evidence.bundle import Bundle, read_bundle
from callgate.lab import boot as lab_boot
from callgate.report.outcome import Verdict

from .conftest import BOOTING_HOST, QUIET_HOST, SERVING_HOST, bundle, judged, target_of

CONTROLS = tuple(f"PER-0{n}" for n in range(1, 6))
SITE = Site.model_validate({"trusted": ["192.168.1.0/24", "fd00:1::/64"]})
HOSTS = Path(__file__).parents[1] / "data" / "hosts"
OPEN = SERVING_HOST["iptables-save.txt"].replace(b"-A INPUT -s 192.168.1.0/24 -i eth0", b"-A INPUT")
CLOSED = SERVING_HOST["iptables-save.txt"].replace(b"-A INPUT -s 192.168.1.0/24 -i eth0 -j ACCEPT\n", b"")
BEHIND = SERVING_HOST["iptables-save.txt"].replace(
    b"-A INPUT -i lo", b"-A INPUT -s 192.0.2.0/24 -j ACCEPT\n-A INPUT -i lo"
)
SET = b"-A INPUT -m set --match-set voip src -p tcp -m tcp --dport 2000 -j DROP\nCOMMIT\n"
P, F, S, E = Verdict.PASS, Verdict.FAIL, Verdict.SKIP, Verdict.ERROR


@pytest.fixture
def unloadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing can be loaded for a test: what iptables-save wrote is read."""

    def refuse(*_: object, **__: object) -> None:
        raise NotDetermined("no namespaces of our own here")

    monkeypatch.setattr(lab_boot, "load_at_boot", refuse)


def host(changes: Mapping[str, bytes | None], by_hand: bool = False) -> Target:
    files = {name: data for name, data in {**BOOTING_HOST, **changes}.items() if data is not None}
    if by_hand:
        files = {name: data for name, data in files.items() if not name.startswith("boot-")}
        return target_of(Bundle("pbx1", files), SITE)
    return target_of(bundle(files), SITE)


def verdicts(target: Target) -> str:
    return " ".join(judged(control, target)[0].name[0] for control in CONTROLS)


@pytest.mark.usefixtures("unloadable")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "P P P P P"),
        # Open after a boot alone, and locked.
        ({"etc/iptables/rules.v4": OPEN}, "F P P P F"),
        ({"etc/iptables/rules.v4": CLOSED}, "P F P P F"),
        # Open now, and closed after a boot.
        ({"iptables-save.txt": OPEN}, "P P P P F"),
        ({"iptables-save.txt": BEHIND}, "P P P P F"),
        # Not saved at all, or not started: nothing is left.
        ({"etc/iptables/rules.v4": None, "etc/iptables/rules.v6": None}, "F P S F F"),
        (unit_states(), "F P S F F"),
        # A set that nothing makes: the table does not load.
        ({"etc/iptables/rules.v4": SERVING_HOST["iptables-save.txt"].replace(b"COMMIT\n", SET)}, "F P F P F"),
        # Nobody knows what the unit's state means.
        ({"boot-units.txt": b"netfilter-persistent.service static -\n"}, "E E E E E"),
        ({"boot-others.txt": b"/etc/rc.local:3:iptables -F\n"}, "E E E P E"),
    ],
)
def test_what_is_saved_is_judged(changes: dict[str, bytes | None], expected: str) -> None:
    assert verdicts(host(changes)) == expected


@pytest.mark.usefixtures("unloadable")
def test_by_hand_a_manager_is_assumed_to_start_and_its_start_is_not_judged() -> None:
    target = host({}, by_hand=True)
    assert verdicts(target) == "P P P S P"
    assert "no unit states in the bundle" in judged("PER-01", target)[1]
    assert verdicts(host({"etc/iptables/rules.v4": OPEN}, by_hand=True)) == "F P P S F"


def test_by_hand_without_boot_files_everything_is_skipped() -> None:
    files = {name: data for name, data in SERVING_HOST.items() if not name.startswith("boot-")}
    target = target_of(Bundle("pbx1", files), SITE)
    assert verdicts(target) == "S S S S S"
    assert "holds nothing about booting" in judged("PER-01", target)[1]


def test_rules_alone_are_skipped() -> None:
    target = target_of(Bundle("pbx1", {"iptables-save.txt": SERVING_HOST["iptables-save.txt"]}), SITE)
    assert verdicts(target) == "S S S S S"


def test_with_a_manifest_a_host_without_boot_evidence_is_an_error() -> None:
    files = {name: data for name, data in SERVING_HOST.items() if not name.startswith("boot-")}
    assert verdicts(target_of(bundle(files), SITE)) == "E E E E E"


def test_a_host_that_filters_nothing_and_saves_nothing_is_as_open_after_a_boot() -> None:
    target = target_of(bundle({**QUIET_HOST, "ss.txt": SERVING_HOST["ss.txt"]}), SITE)
    assert verdicts(target) == "F P S S P"
    assert "strangers reach" in judged("PER-01", target)[1]


@pytest.mark.usefixtures("unloadable")
def test_messages_name_rule_file_and_remedy() -> None:
    opened = host({"etc/iptables/rules.v4": OPEN})
    assert "every IPv4 stranger" in judged("PER-01", opened)[1]
    assert "`netfilter-persistent save`" in judged("PER-01", opened)[1]
    assert "gets in after a boot, and not now" in judged("PER-05", opened)[1]
    behind = judged("PER-05", host({"iptables-save.txt": BEHIND}))[1]
    assert "gets in now, and not after a boot: 192.0.2.0/24" in behind
    assert "nothing loads at boot: ip filter INPUT (legacy) rule 1: " in behind
    missing = host({"etc/iptables/rules.v4": SERVING_HOST["iptables-save.txt"].replace(b"COMMIT\n", SET)})
    assert "/etc/iptables/rules.v4: line 8: no set voip is made before" in judged("PER-03", missing)[1]
    disabled = judged("PER-04", host(unit_states()))[1]
    assert "netfilter-persistent.service does not start at boot (disabled)" in disabled


SIX = {
    "ip-addr.json": QUIET_HOST["ip-addr.json"].replace(
        b'{"local": "203.0.113.10", "prefixlen": 24, "scope": "global"}',
        b'{"local": "203.0.113.10", "prefixlen": 24, "scope": "global"},'
        b' {"local": "2001:db8:66::10", "prefixlen": 64, "scope": "global"}',
    )
}


@pytest.mark.usefixtures("unloadable")
def test_one_family_saved_alone_is_found_where_the_host_has_the_other() -> None:
    only_v4: dict[str, bytes | None] = {**SIX, "etc/iptables/rules.v6": None}
    verdict, message = judged("PER-03", host(only_v4))
    assert verdict is F
    assert "/etc/iptables/rules.v4 saves the rules of IPv4, and nothing saves any of IPv6" in message
    assert judged("PER-03", host({"etc/iptables/rules.v6": None}))[0] is P  # no IPv6 address but loopback's
    assert judged("PER-03", host({**SIX}))[0] is P


def test_testing_mode_and_two_managers_are_found() -> None:
    csf = host({**unit_states("netfilter-persistent", "csf"), "etc/csf/csf.conf": b'TESTING = "1"\n'})
    verdict, message = judged("PER-04", csf)
    assert verdict is F
    assert "testing mode" in message
    assert "nothing says which comes last" in message
    # Who has the last word is open, and with it everything else.
    assert [judged(control, csf)[0] for control in ("PER-01", "PER-02", "PER-03", "PER-05")] == [E] * 4


def test_csf_makes_rules_by_its_own_script_so_that_only_its_start_is_judged() -> None:
    files: dict[str, bytes | None] = {"etc/iptables/rules.v4": None, "etc/iptables/rules.v6": None}
    on: dict[str, bytes | None] = {**files, **unit_states("csf"), "etc/csf/csf.conf": b'TESTING = "0"\n'}
    assert verdicts(host(on)) == "E E E P E"
    assert verdicts(host({**on, "etc/csf/csf.conf": b'TESTING = "1"\n'})) == "E E E F E"
    assert "csf makes its rules by a script" in judged("PER-01", host(on))[1]


def test_firewalld_that_is_stopped_or_not_enabled_is_found() -> None:
    files: dict[str, bytes | None] = {"etc/firewalld/firewalld.conf": b"", "etc/iptables/rules.v4": None}

    def active(state: str) -> dict[str, bytes]:
        return {"boot-active.txt": f"Id=firewalld.service\nLoadState=loaded\nActiveState={state}\n".encode()}

    assert judged("PER-04", host({**files, **unit_states("firewalld"), **active("active")}))[0] is P
    stopped = judged("PER-04", host({**files, **unit_states("firewalld"), **active("inactive")}))
    assert stopped[0] is F
    assert "is stopped now" in stopped[1]
    enabled_not = judged("PER-04", host({**files, **unit_states(), **active("active")}))
    assert enabled_not[0] is F
    assert "runs now, but does not start at boot" in enabled_not[1]


def test_the_same_evidence_is_booted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    real = boot_saved.load_saved

    def counted(*args: object, **kwargs: object) -> object:
        calls.append(args)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("callgate.audit.boot.load_saved", counted)
    target = host({})
    assert after_boot(target) is after_boot(target.evidence)
    booted_target(target)
    assert len(calls) == 1


def test_what_runs_and_loads_alike_is_one_target() -> None:
    target = host({})
    assert booted_target(target) is target
    assert booted_target(host({"etc/iptables/rules.v4": OPEN})) is not target


LOADABLE = lab_boot.boot_unavailable()
really = pytest.mark.skipif(LOADABLE is not None, reason=f"saved rules cannot be loaded here: {LOADABLE}")


@really
@pytest.mark.parametrize("saved", [SERVING_HOST["iptables-save.txt"], OPEN, CLOSED, BEHIND])
def test_reading_says_what_loading_says(saved: bytes, request: pytest.FixtureRequest) -> None:
    changes: dict[str, bytes | None] = {"etc/iptables/rules.v4": saved}
    loaded = [judged(control, host(changes)) for control in CONTROLS]
    request.getfixturevalue("unloadable")
    read = [judged(control, host(changes)) for control in CONTROLS]
    assert [verdict for verdict, _ in loaded] == [verdict for verdict, _ in read]
    assert "were read, and not loaded" not in str(loaded)


@really
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("boot03-missing-ipset", "F P F S P"),
        ("ipt17-compliant", "S S S S S"),
        ("nft01-compliant", "S S S S S"),
        ("ufw02-allow-lan", "P F P S P"),
        ("ufw07-behind", "P F P S F"),
    ],
)
def test_recorded_host(name: str, expected: str, request: pytest.FixtureRequest) -> None:
    if name.startswith("ufw"):
        from callgate.lab.ufw import ufw_unavailable

        if missing := ufw_unavailable():
            pytest.skip(missing)
    assert verdicts(target_of(read_bundle(HOSTS / name), SITE)) == expected


@really
def test_firewalld_forgets_what_was_set_at_runtime_only() -> None:
    from callgate.lab.firewalld import firewalld_unavailable

    if missing := firewalld_unavailable():
        pytest.skip(missing)
    rich = target_of(read_bundle(HOSTS / "fw05-rich"), SITE)
    assert verdicts(rich) == "P F P S F"
    assert 'zone public has rich rules rule family="ipv4" source address="192.168.1.0/24"' in judged("PER-02", rich)[1]
    # An interface that something else bound to its zone may be bound again.
    bound = target_of(read_bundle(HOSTS / "ans-D-after"), SITE)
    assert verdicts(bound) == "E E E S E"
    assert "eth1 is in firewalld's zone trusted now" in judged("PER-01", bound)[1]


@pytest.mark.usefixtures("unloadable")
def test_unit_that_starts_without_its_file_is_said_to_load_nothing() -> None:
    gone = {name: None for name in BOOTING_HOST if name.startswith("etc/")}
    without = host({**gone, **unit_states("nftables")})
    verdict, message = judged("PER-03", without)
    assert verdict is F
    assert "nftables.service starts at boot, but /etc/nftables.conf is not there" in message
