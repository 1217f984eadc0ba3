"""Changes that show at the next boot alone: they are regressions, or not determined, and never `no change`."""

from __future__ import annotations

import pytest
from tests.audit.conftest import BOOTING_HOST, SERVING_HOST, bundle
from tests.change.policies import plan_of

from callgate.audit.target import Target
from callgate.change.comparison import compare
from callgate.change.snapshot import target_of
from callgate.cli.diff_lines import Outcome
from callgate.errors import NotDetermined
from callgate.lab import boot as lab_boot

SAVED = "etc/iptables/rules.v4"
V4 = SERVING_HOST["iptables-save.txt"]
OPEN = V4.replace(b"-s 192.168.1.0/24 -i eth0 ", b"")
SOME = V4.replace(b"COMMIT", b"-A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 2000 -j ACCEPT\nCOMMIT")
LOCKED = V4.replace(b"-A INPUT -s 192.168.1.0/24 -i eth0 -j ACCEPT\n", b"")
UNTOLD = {"boot-others.txt": b"/etc/rc.local:3:iptables -F\n"}


@pytest.fixture(autouse=True)
def unloadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing can be loaded for a test: what iptables-save wrote is read."""

    def refuse(*_: object, **__: object) -> None:
        raise NotDetermined("no namespaces of our own here")

    monkeypatch.setattr(lab_boot, "load_at_boot", refuse)


def host(changes: dict[str, bytes]) -> Target:
    return target_of(bundle({**BOOTING_HOST, **changes}), plan_of())


def regression(before: dict[str, bytes], after: dict[str, bytes]) -> bool | None:
    """As the command says it without verdicts of controls."""
    return Outcome("a", "b", compare(host(before), host(after)), None).regression


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, False),
        ({}, {SAVED: OPEN}, True),
        ({SAVED: SOME}, {SAVED: OPEN}, True),  # strangers get in after a boot in both: PER-01 fails twice
        ({SAVED: OPEN}, {SAVED: SOME}, False),
        ({}, {SAVED: LOCKED}, True),
        ({SAVED: LOCKED}, {}, False),
        ({}, {"boot-units.txt": b"netfilter-persistent.service disabled enabled\n"}, True),
        ({}, UNTOLD, None),
        (UNTOLD, {**UNTOLD, SAVED: OPEN}, None),
        (UNTOLD, UNTOLD, False),
        ({}, {"boot-units.txt": b"nonsense\n"}, None),
    ],
)
def test_what_the_next_boot_brings_counts(
    before: dict[str, bytes], after: dict[str, bytes], expected: bool | None
) -> None:
    assert regression(before, after) is expected


def test_strangers_of_the_next_boot_are_told() -> None:
    found = compare(host({}), host({SAVED: OPEN}))
    assert not found.gained
    assert all(reason.startswith("after a boot strangers gain ") for reason in found.reasons)
    assert len(found.reasons) > 0


def test_forwarding_that_a_file_switches_on_is_told() -> None:
    found = compare(host({}), host({"boot-sysctl.txt": b"# /etc/sysctl.d/9.conf\nnet.ipv4.ip_forward = 1\n"}))
    assert [one.text for one in found.of("persistence")] == [
        "net.ipv4.ip_forward is set to 1 at boot, and was set by no file"
    ]
    assert not found.nothing
