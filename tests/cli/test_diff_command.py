"""`callgate diff` as a user and a pipeline meet it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.audit.conftest import QUIET_HOST

from callgate.change.comparison import Comparison
from callgate.change.flips import Flip
from callgate.change.shift import Change, Shift
from callgate.cli.diff_lines import Outcome, as_text, verdict
from callgate.firewall.intervals import Intervals
from callgate.firewall.sources import Door, Entrance
from callgate.report.outcome import Verdict

Callgate = Callable[..., subprocess.CompletedProcess[str]]
HOSTS = Path(__file__).parents[1] / "data" / "hosts"
KEYS = {"gained", "lost", "controls", "regression", "listeners", "translations", "sysctls", "persistence", "notes"}


@pytest.fixture
def diff(run_callgate: Callgate, tmp_path: Path) -> Callgate:
    """Compare two recorded hosts with the site they were recorded in."""
    (tmp_path / "site.yaml").write_text('trusted: [192.168.1.0/24, "fd00:1::/64"]\n')

    def run(before: str, after: str, *options: str) -> subprocess.CompletedProcess[str]:
        sides = [str(HOSTS / name) if (HOSTS / name).is_dir() else name for name in (before, after)]
        return run_callgate("diff", *sides, "--site", "site.yaml", *options)

    return run


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows(shifts: Iterable[dict[str, Any]], service: str) -> list[tuple[int, str]]:
    return [(row["family"], row["interface"]) for row in shifts if row["service"] == service]


def test_widened_exposure_is_a_regression_with_rows_controls_and_exit_code(diff: Callgate) -> None:
    done = diff("ipt17-compliant", "nft03-vmap-leak", "--json")
    found = told(done)
    assert done.returncode == 1
    assert found["regression"] is True
    assert set(found) >= KEYS
    assert rows(found["gained"], "sccp") == [(4, "eth0"), (4, "eth1"), (6, "eth0"), (6, "eth1")]
    row = found["gained"][1]
    assert {"service", "family", "interface", "sources", "doubtful", "rules", "offered"} <= set(row)
    assert "203.0.113.64/26" in row["sources"]
    assert row["rules"][0] == "inet filter voip rule 4: ip ttl > 0 accept"
    assert row["offered"] is True
    flips = {(one["control"], one["service"]): (one["before"], one["after"]) for one in found["controls"]}
    assert flips["EXP-01", "sccp"] == ("pass", "fail")
    assert flips["EXP-02", "sip-tcp"] == ("pass", "fail")
    assert set(found["controls"][0]) == {"control", "case", "service", "before", "after"}


def test_what_one_direction_gains_the_other_loses(diff: Callgate) -> None:
    there = told(diff("ipt17-compliant", "dk01-published", "--json", "--no-controls"))
    back = told(diff("dk01-published", "ipt17-compliant", "--json", "--no-controls"))
    shape = ("service", "family", "interface", "sources", "doubtful", "offered")
    assert [[row[key] for key in shape] for row in there["gained"]] == [
        [row[key] for key in shape] for row in back["lost"]
    ]
    assert there["controls"] == []
    assert len(there["translations"]) == len(back["translations"]) == 7


def test_lost_phones_are_named_with_the_rule_that_refuses_them(diff: Callgate) -> None:
    done = diff("ans-B-before", "ans-B-after", "--no-controls")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert "  phones lose SIP over UDP: 192.168.1.0/24" in lines
    assert "gained access: no change" in lines
    assert any("192.168.1.1 to 192.168.1.10:5060/udp is rejected, by inet firewalld" in line for line in lines)
    assert lines[-1] == "regression: phones lost access"


def test_another_order_and_other_counters_are_no_change(diff: Callgate, tmp_path: Path) -> None:
    shutil.copytree(HOSTS / "ipt17-compliant", tmp_path / "after")
    save = tmp_path / "after" / "iptables-save.txt"
    text = save.read_text().replace("[0:0]", "[12:3456]")
    accepted = [line for line in text.splitlines() if "-j ACCEPT" in line and "--dport" in line]
    assert len(accepted) > 1
    for old, new in zip(accepted, accepted[::-1], strict=True):
        text = text.replace(old, f"@{new}@")
    save.write_text(text.replace("@", ""))
    # Of nf_tables' tables the native dump tells: here the same rules are legacy ones.
    (tmp_path / "after" / "nft.json").write_bytes(QUIET_HOST["nft.json"])
    (tmp_path / "after" / "nft.txt").write_text("")
    for path in (save, tmp_path / "after" / "ip6tables-save.txt"):
        path.write_text(path.read_text().replace(" (nf_tables)", ""))
    done = diff("ipt17-compliant", str(tmp_path / "after"), "--no-controls")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("no change")


def test_percent_sign_in_a_path_hides_no_verdict(diff: Callgate, tmp_path: Path) -> None:
    shutil.copytree(HOSTS / "nft03-vmap-leak", tmp_path / "after%41")
    found = told(diff("ipt17-compliant", str(tmp_path / "after%41"), "--json"))
    assert ("EXP-01", "pass", "fail") in {(one["control"], one["before"], one["after"]) for one in found["controls"]}


def test_host_against_itself_is_no_change_without_collecting_twice(diff: Callgate) -> None:
    done = diff("ipt17-compliant", "ipt17-compliant", "-q")
    assert (done.returncode, done.stdout) == (0, "no change\n")


def test_what_cannot_be_compared_is_3_with_the_reason(diff: Callgate, tmp_path: Path) -> None:
    shutil.copytree(HOSTS / "ipt17-compliant", tmp_path / "after")
    (tmp_path / "after" / "nft.json").write_text("not JSON\n")
    done = diff("ipt17-compliant", str(tmp_path / "after"), "--json", "--no-controls")
    found = told(done)
    assert done.returncode == 3
    assert found["regression"] is None
    assert found["undetermined"][0].startswith("after: nft.json")
    quiet = diff("ipt17-compliant", str(tmp_path / "after"), "-q", "--no-controls")
    assert quiet.stdout.startswith("not determined whether it is a regression: after: nft.json")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["one"], 2, "Missing argument 'AFTER'"),
        (["nowhere", "nowhere"], 2, "there is no such bundle"),
        (["gopher://pbx", "nowhere"], 2, "no back end is called 'gopher'"),
        (["ssh://nobody@127.0.0.1:1", "ssh://nobody@127.0.0.1:2"], 3, "cannot be reached"),
        ([str(HOSTS / "ipt17-compliant"), str(HOSTS / "ipt17-compliant"), "--site", "none"], 2, "does not exist"),
        ([str(HOSTS / "ipt17-compliant"), str(HOSTS / "ipt17-compliant"), "--baseline", "none"], 2, "no baseline"),
    ],
)
def test_mistakes_and_hosts_out_of_reach_are_one_line(
    run_callgate: Callgate, arguments: list[str], code: int, said: str
) -> None:
    done = run_callgate("diff", *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


HOSTILE = "eth0\x1b[31m\u202e\nno regression"
NOTHING = Comparison(
    gained=(), lost=(), others=(), notes=(), undetermined=(), widened=False, locked_out=False, same_rules=True
)
SHIFT = Shift("sccp", Entrance(4, HOSTILE), Door(Intervals.single(1, 9)), (HOSTILE,), True, HOSTILE)


def test_hostile_text_of_a_host_draws_nothing_and_breaks_no_line() -> None:
    found = replace(
        NOTHING, gained=(SHIFT,), lost=(SHIFT,), others=(Change("listeners", HOSTILE),), notes=(HOSTILE,),
        undetermined=(HOSTILE,), reasons=(HOSTILE,), doubtful=(SHIFT,), widened=None,
    )  # fmt: skip
    flip = Flip("EXP-01", HOSTILE, None, Verdict.PASS, Verdict.ERROR, HOSTILE)
    outcome = Outcome(HOSTILE, HOSTILE, found, (flip,), (HOSTILE,))
    text = as_text(outcome)
    assert not {char for char in text if char != "\n" and not char.isprintable()}
    assert "no regression" not in text.splitlines()
    assert "\n" not in verdict(outcome)
    assert json.dumps(outcome.as_json()).isascii()


@pytest.mark.parametrize(
    ("found", "flips", "regression", "last"),
    [
        (NOTHING, (), False, "no change"),
        (
            replace(NOTHING, same_rules=False),
            (),
            False,
            "no change: the rules are written otherwise, and let in the same",
        ),
        (replace(NOTHING, gained=(SHIFT,)), (), False, "no regression"),
        (replace(NOTHING, widened=True), (), True, "regression: strangers gained access"),
        (NOTHING, (Flip("A", "a", None, Verdict.PASS, Verdict.FAIL),), True, "regression: A passed and now fails"),
        (
            NOTHING,
            (Flip("A", "a", None, Verdict.PASS, Verdict.ERROR),),
            None,
            "not determined whether it is a regression: A is error",
        ),
        (NOTHING, (Flip("A", "a", None, Verdict.FAIL, Verdict.PASS),), False, "no regression"),
        (
            replace(NOTHING, locked_out=None),
            None,
            None,
            "not determined whether it is a regression: it rests on something the evidence does not tell",
        ),
    ],
)
def test_last_line_is_the_verdict(
    found: Comparison, flips: tuple[Flip, ...] | None, regression: bool | None, last: str
) -> None:
    outcome = Outcome("one", "two", found, flips)
    assert outcome.regression is regression
    assert as_text(outcome).splitlines()[-1] == verdict(outcome) == last
