"""What a guarded change does with what its host answers. The host itself is in tests/lab."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.audit.conftest import SERVING_HOST, bundle
from tests.change.guarded.host_by_script import (
    APPLIED,
    ARMED,
    CONFIRMED,
    GONE,
    KEY,
    OPEN,
    PROTECTED,
    ROLLED_BACK,
    UNREACHABLE,
    Answer,
    HostByScript,
    audited,
    guarded,
    says,
)

from callgate.change.guarded.journal import Entry, read_journal
from callgate.change.guarded.report import TIMER
from callgate.errors import CollectionError, EvidenceError
from callgate.evidence.bundle import Bundle, read_bundle
from callgate.report.outcome import AuditReport, Verdict

AS_BEFORE = "a new snapshot proves that it is as it was before the change"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callgate.change.guarded.undoing.time.sleep", lambda _: None)


def test_a_change_that_harms_nobody_is_confirmed(tmp_path: Path) -> None:
    host = HostByScript([PROTECTED])
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.proven) == (0, True)
    assert ending.host == f"{KEY}: the change is applied, verified and confirmed"
    assert host.asked == ["collect", "audit", "arm", "wait", "apply", "wait", "collect", "audit", "confirm", "clear"]


def test_the_folder_keeps_snapshots_audits_difference_and_journal(tmp_path: Path) -> None:
    guarded(HostByScript([PROTECTED]), tmp_path / "j").run()
    for name in ("before", "after"):
        assert read_bundle(tmp_path / "j" / name).names() == PROTECTED.names()
        assert json.loads((tmp_path / "j" / f"audit-{name}.json").read_text())["exit_code"] == 0
    assert json.loads((tmp_path / "j" / "diff.json").read_text()) == {"regression": False, "flips": 0}
    entries = [(entry.step, entry.state) for entry in read_journal(tmp_path / "j")]
    steps = [step for step, state in entries if state == "begun"]
    looked = ["snapshot after", "compare", "audit after"]
    assert steps == ["snapshot before", "audit before", "arm", "apply", *looked, "confirm", "clear"]
    for step in steps:
        assert entries.index((step, "begun")) < entries.index((step, "done"))
    assert entries[-1] == ("end", "done")


def test_strangers_who_gained_access_roll_it_back(tmp_path: Path) -> None:
    host = HostByScript([PROTECTED, OPEN, PROTECTED])
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.proven) == (1, True)
    assert ending.host == f"{KEY}: rolled back by the rollback command; {AS_BEFORE}"
    assert any("sccp" in reason.lower() for reason in ending.reasons)
    # No second audit: it would only leave the door open for longer.
    assert host.asked[-5:] == ["wait", "collect", "fire", "collect", "clear"]
    assert json.loads((tmp_path / "j" / "diff.json").read_text()) == {"regression": True, "flips": None}


@pytest.mark.parametrize(
    ("after", "code"), [(Verdict.FAIL, 1), (Verdict.ERROR, 3), (Verdict.SKIP, 3)], ids=["fails", "unknown", "skipped"]
)
def test_a_control_that_no_longer_passes_rolls_it_back(tmp_path: Path, after: Verdict, code: int) -> None:
    host = HostByScript([PROTECTED])
    ending = guarded(host, tmp_path / "j", audits=[audited(), audited(after)]).run()
    assert ending.code == code
    assert AS_BEFORE in ending.host
    assert "confirm" not in host.asked


def test_evidence_that_is_damaged_after_the_change_rolls_it_back_as_unknown(tmp_path: Path) -> None:
    damaged = bundle({**SERVING_HOST, "iptables-save.txt": b"*filter\n:INPUT DROP [0:0]\nand no more"})
    ending = guarded(HostByScript([PROTECTED, damaged, PROTECTED]), tmp_path / "j").run()
    assert ending.code == 3
    assert AS_BEFORE in ending.host
    assert any(reason.startswith("not determined: ") for reason in ending.reasons)


NOTHING = f"{KEY}: nothing was changed"


@pytest.mark.parametrize(
    ("snapshots", "audits", "arm", "said"),
    [
        ([UNREACHABLE], [], ARMED, "Connection timed out"),
        ([bundle({**SERVING_HOST, "nft.json": b"{}\n"})], [], ARMED, "nft.json"),
        ([PROTECTED], [EvidenceError("x", "broken")], ARMED, "broken"),
        ([PROTECTED], [KeyboardInterrupt()], ARMED, "interrupted"),
        ([PROTECTED], [], says("refused", "refused another change is under way"), "another change is under way"),
    ],
    ids=["unreachable", "damaged evidence", "broken audit", "interrupted", "refused"],
)
def test_what_stops_it_before_the_timer_runs_leaves_the_host_alone(
    tmp_path: Path, snapshots: Sequence[Bundle | BaseException], audits: list[AuditReport], arm: str, said: str
) -> None:
    host = HostByScript(snapshots, arm=arm)
    ending = guarded(host, tmp_path / "j", audits=audits).run()
    assert (ending.code, ending.host, ending.proven) == (3, NOTHING, True)
    assert said in " ".join(ending.reasons)
    assert not {"apply", "fire"} & set(host.asked)
    assert read_journal(tmp_path / "j")[-1].details["host"] == NOTHING


def test_where_it_is_unknown_whether_the_timer_started_it_is_stopped_and_nothing_applied(tmp_path: Path) -> None:
    host = HostByScript([PROTECTED], arm=UNREACHABLE, fire=[UNREACHABLE, says("not-applied")])
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.proven) == (3, True)
    assert "never applied" in ending.host
    assert "apply" not in host.asked


def test_a_timer_that_dies_with_the_login_is_no_guard(tmp_path: Path) -> None:
    host = HostByScript([PROTECTED], wait="@guard state armed\n@guard watchdog dead\n@guard end\n")
    ending = guarded(host, tmp_path / "j").run()
    assert ending.code == 3
    assert "does not outlive the login" in ending.reasons[0]
    assert "apply" not in host.asked


def test_a_lockout_of_the_auditor_is_waited_out_until_the_timer_healed_it(tmp_path: Path) -> None:
    by_timer = says("restored", "reason nobody confirmed the change in time", "rollback.code 1")
    host = HostByScript(
        [PROTECTED], apply=UNREACHABLE, wait=[ARMED, UNREACHABLE], fire=[UNREACHABLE, UNREACHABLE, by_timer]
    )
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.proven) == (1, True)
    assert "locked this auditor out" in ending.reasons[0]
    assert "the rollback command ended with 1, and the guard restored the firewall it had saved" in ending.host
    waits = [entry for entry in read_journal(tmp_path / "j") if "waiting" in entry.details]
    assert len(waits) == 2  # for a new connection, and for the timer


def test_a_login_that_is_cut_while_the_change_goes_well_is_no_lockout(tmp_path: Path) -> None:
    host = HostByScript([PROTECTED], apply=UNREACHABLE, wait=[ARMED, APPLIED])
    assert guarded(host, tmp_path / "j").run().code == 0


def test_new_connections_that_fail_after_the_change_are_a_lockout_though_the_old_one_lived(tmp_path: Path) -> None:
    ending = guarded(HostByScript([PROTECTED], wait=[ARMED, UNREACHABLE]), tmp_path / "j").run()
    assert (ending.code, ending.proven) == (1, True)
    assert "locked this auditor out" in ending.reasons[0]


def test_a_snapshot_that_cannot_be_taken_after_the_change_is_unknown(tmp_path: Path) -> None:
    ending = guarded(HostByScript([PROTECTED, UNREACHABLE, PROTECTED]), tmp_path / "j").run()
    assert (ending.code, ending.proven) == (3, True)
    assert "Connection timed out" in ending.reasons[0]


def test_a_timer_that_was_faster_than_the_first_look_is_not_taken_for_the_change(tmp_path: Path) -> None:
    host = HostByScript([PROTECTED], wait=[ARMED, says("rolled-back", "reason nobody confirmed", "apply.code 0")])
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.reasons[0]) == (3, "nobody confirmed")
    assert host.asked.count("audit") == 1


def test_an_answer_that_the_timer_set_free_is_a_lock_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100_000, 500))  # the apply command is answered only when 120 seconds are long over
    monkeypatch.setattr("callgate.change.guarded.conduct.monotonic", lambda: float(next(clock)))
    freed = says("rolled-back", f"reason {TIMER}", "apply.code 0")
    ending = guarded(HostByScript([PROTECTED, PROTECTED], wait=[ARMED, freed]), tmp_path / "j").run()
    assert (ending.code, ending.proven) == (1, True)
    assert "did not answer until its timer had rolled the change back" in ending.reasons[0]


def test_an_apply_that_failed_tells_what_it_said(tmp_path: Path) -> None:
    failed = says("rolling-back", "reason the apply command ended with 2", "apply.code 2", "apply.out no such file")
    ending = guarded(HostByScript([PROTECTED], apply=failed), tmp_path / "j").run()
    assert (ending.code, ending.reasons) == (1, ("the apply command ended with 2", "no such file"))


@pytest.mark.parametrize("state", ["rolling-back", "rolled-back", "gone"])
def test_a_confirmation_that_comes_too_late_is_no_success(tmp_path: Path, state: str) -> None:
    host = HostByScript([PROTECTED], confirm=says(state))
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.proven) == (3, True)
    assert "came too late" in ending.reasons[0]


def test_a_confirmation_whose_answer_was_lost_is_told_from_the_host(tmp_path: Path) -> None:
    host = HostByScript([PROTECTED], confirm=UNREACHABLE, fire=CONFIRMED)
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.host) == (0, f"{KEY}: the change is applied, verified and confirmed")


@pytest.mark.parametrize("state", ["rolled-back", "restored", "differs", "failed"])
def test_a_rollback_that_is_not_proven_is_loud_and_leaves_the_guards_folder(tmp_path: Path, state: str) -> None:
    host = HostByScript([PROTECTED, OPEN, OPEN], fire=says(state, "folder /run/callgate-change-0"))
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.proven) == (3, False)
    assert "NOT PROVEN" in ending.host
    assert ending.reasons[-1] == "the guard's folder /run/callgate-change-0 is left there"
    assert "clear" not in host.asked


def test_a_state_that_differs_in_text_and_not_in_meaning_is_proven(tmp_path: Path) -> None:
    ending = guarded(HostByScript([PROTECTED, OPEN, PROTECTED], fire=says("differs")), tmp_path / "j").run()
    assert (ending.code, ending.proven) == (1, True)


def test_a_host_that_never_comes_back_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 100_000, 20))
    monkeypatch.setattr("callgate.change.guarded.undoing.time.monotonic", lambda: next(ticks))
    ending = guarded(HostByScript([PROTECTED, OPEN], fire=UNREACHABLE), tmp_path / "j").run()
    assert (ending.code, ending.proven) == (3, False)
    assert "cannot be reached" in ending.host


def test_a_host_that_was_restarted_meanwhile_is_rolled_back_without_its_guard(tmp_path: Path) -> None:
    host = HostByScript([PROTECTED, OPEN, OPEN, PROTECTED], fire=GONE, run="")
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.proven) == (1, True)
    assert "the host was restarted" in ending.host
    assert host.asked[-4:] == ["fire", "collect", "run", "collect"]


def test_files_that_the_rollback_left_changed_are_told_in_the_journal(tmp_path: Path) -> None:
    before, after = (bundle({**SERVING_HOST, "etc/nftables.conf": text}) for text in (b"# 1\n", b"# 2\n"))
    host = HostByScript([before, after, after], apply=says("rolling-back", "apply.code 1"))
    guarded(host, tmp_path / "j").run()
    told = [entry.details for entry in read_journal(tmp_path / "j") if entry.step == "files"]
    assert told == [{"changed": ["etc/nftables.conf"]}]


def steps_of(tmp_path: Path) -> list[tuple[str, str]]:
    guarded(HostByScript([PROTECTED]), tmp_path / "good").run()
    return [(entry.step, entry.state) for entry in read_journal(tmp_path / "good")]


def test_an_interruption_at_any_step_ends_in_a_known_state(tmp_path: Path) -> None:
    entries = steps_of(tmp_path)
    armed, confirmed = entries.index(("arm", "begun")), entries.index(("confirm", "done"))
    for number in range(len(entries)):
        seen = 0

        def interrupt(entry: Entry, at: int = number) -> None:
            nonlocal seen
            seen += 1
            if seen == at + 1:
                raise KeyboardInterrupt

        host = HostByScript([PROTECTED], fire=ROLLED_BACK if number < confirmed else CONFIRMED)
        ending = guarded(host, tmp_path / str(number), observe=interrupt).run()
        assert ending.proven, entries[number]
        assert ending.code == (3 if number < confirmed else 0), entries[number]
        assert ("fire" in host.asked) is (number > armed), entries[number]
        if number < armed:
            assert ending.host == NOTHING


def test_a_disk_that_is_full_at_any_step_does_not_keep_the_host_from_being_rolled_back(tmp_path: Path) -> None:
    entries = steps_of(tmp_path)
    for number in range(entries.index(("arm", "begun")) + 1, entries.index(("confirm", "done"))):
        seen = 0

        def fail(entry: Entry, at: int = number) -> None:
            nonlocal seen
            seen += 1
            if seen > at:
                raise OSError(28, "No space left on device")

        host = HostByScript([PROTECTED])
        ending = guarded(host, tmp_path / str(number), observe=fail).run()
        assert (ending.code, ending.proven) == (3, True), entries[number]
        assert "fire" in host.asked


def test_a_second_interruption_does_not_stop_the_rollback(tmp_path: Path) -> None:
    host = HostByScript([PROTECTED], apply=KeyboardInterrupt(), fire=[KeyboardInterrupt(), ROLLED_BACK])
    ending = guarded(host, tmp_path / "j").run()
    assert (ending.code, ending.proven) == (3, True)
    assert host.asked.count("fire") == 2


def test_an_answer_that_is_not_the_guards_is_not_believed(tmp_path: Path) -> None:
    liar: list[Answer] = ["hello\n", "@guard state confirmed\n", ROLLED_BACK]
    host = HostByScript([PROTECTED], confirm="@guard state confirmed\n", fire=liar)
    ending = guarded(host, tmp_path / "j").run()
    assert ending.code == 3
    assert host.asked.count("fire") == 3


@pytest.mark.parametrize(
    ("error", "reason"), [(CollectionError(KEY, "no login"), f"{KEY}: no login"), (KeyError("x"), "KeyError: 'x'")]
)
def test_errors_are_told_and_mistakes_of_ours_with_their_trace(tmp_path: Path, error: Exception, reason: str) -> None:
    ending = guarded(HostByScript([PROTECTED]), tmp_path / "j", audits=[error]).run()
    assert ending.reasons == (reason,)
    traces = [entry.details for entry in read_journal(tmp_path / "j") if entry.step == "error"]
    assert bool(traces) is isinstance(error, KeyError)


def test_a_host_that_is_lost_while_it_is_armed_was_never_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(0, 100_000, 20))
    monkeypatch.setattr("callgate.change.guarded.undoing.time.monotonic", lambda: next(ticks))
    ending = guarded(HostByScript([PROTECTED], arm=UNREACHABLE, fire=UNREACHABLE), tmp_path / "j").run()
    assert (ending.code, ending.host) == (3, f"{KEY}: cannot be reached any more; the change was never applied")
