"""What changed of what loads at boot: by meaning where that can be told, else by units and files."""

from __future__ import annotations

from pathlib import Path

from tests.change.policies import filtered, plan_of

from callgate.audit.target import Target
from callgate.change.comparison import Comparison, compare
from callgate.change.snapshot import target_of
from callgate.evidence.bundle import Bundle

HOST = Path(__file__).parents[1] / "data" / "hosts" / "ipt17-compliant"
SAVED = "etc/iptables/rules.v4"
PHONES = "-s 192.168.1.0/24 -p tcp --dport 2000 -j ACCEPT"


def saving(files: dict[str, bytes]) -> Target:
    """A recorded host whose rules let phones in, with these boot files."""
    own = {path.name: path.read_bytes() for path in HOST.iterdir() if path.is_file() and path.name != "expected.json"}
    return target_of(Bundle("pbx1", {**own, **files}), plan_of())


def said(found: Comparison) -> list[str]:
    return [change.text for change in found.of("persistence")]


def test_comments_counters_and_order_of_saved_rules_are_no_change() -> None:
    before = saving({SAVED: filtered(PHONES)})
    commented = b"# saved by hand\n" + filtered(PHONES).replace(b"[0:0]", b"[7:420]")
    assert compare(before, saving({SAVED: commented})).nothing
    needless = "-s 192.168.1.7/32 -p tcp --dport 2000 -j ACCEPT"
    doubled = compare(before, saving({SAVED: filtered(PHONES, needless)}))
    assert said(doubled) == ["the rules that load at boot differ, but not in who reaches the services"]


def test_saved_rules_that_let_others_in_are_told_by_who_gets_in() -> None:
    strangers = "-s 203.0.113.0/24 -p tcp --dport 2000 -j ACCEPT"
    found = compare(saving({SAVED: filtered(PHONES)}), saving({SAVED: filtered(PHONES, strangers)}))
    assert [(one.data["change"], one.data["service"], one.data["interface"]) for one in found.of("persistence")] == [
        ("gains at boot", "sccp", "eth0"),
        ("gains at boot", "sccp", "eth1"),
    ]
    assert "203.0.113.0/24" in said(found)[0]
    assert found.notes == (f"{SAVED} changed",)
    assert found.widened is True  # nothing runs otherwise, until the next boot
    assert found.reasons == ("after a boot strangers gain SCCP (Skinny): 203.0.113.0/24 on eth1",)
    assert not found.nothing


def test_saved_rules_that_do_not_load_are_told() -> None:
    found = compare(saving({SAVED: filtered(PHONES)}), saving({SAVED: filtered("-m nonsense -j ACCEPT")}))
    assert any(SAVED in one for one in (*said(found), *found.notes))
    assert not found.nothing


def test_manager_that_starts_to_load_rules_is_told() -> None:
    ufw = {"etc/ufw/ufw.conf": b"ENABLED=no\n", "etc/default/ufw": b'DEFAULT_INPUT_POLICY="DROP"\n'}
    found = compare(saving(ufw), saving({**ufw, "etc/ufw/ufw.conf": b"ENABLED=yes\n"}))
    assert said(found)[0] == "ufw.service loads its rules at boot, and did not before"
    assert found.of("persistence")[0].data["after"] is True


def test_side_that_tells_nothing_of_booting_is_noted() -> None:
    found = compare(saving({}), saving({SAVED: filtered(PHONES)}))
    assert not found.of("persistence")
    assert found.notes == ("what loads at boot is not compared: before tells nothing of it",)
