"""`callgate change` over ssh, from the command line: a PBX, phones on one side of it and strangers on the other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.lab.guarded_host import leftovers

from callgate.lab.availability import lab_unavailable
from callgate.lab.call_control import apply_firewall, write_site
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.rulesets import RIGHT_REMEDY_NFT
from callgate.lab.sccp import start_sccp
from callgate.lab.sshd import Sshd, sshd_unavailable, start_sshd
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Story:
    """One change of a PBX, and how long the host waits for the confirmation."""

    apply: str
    rollback: str
    confirm_within: int = 60
    more: tuple[str, ...] = ()


STORIES = {
    "good": Story(
        # What is on the disk is changed too: the control for what loads at boot passes before and after.
        "sed -i 's/5060, 5061/5061/' /etc/nftables.conf && nft -f /etc/nftables.conf",
        "sed -i 's/2443, 5061/2443, 5060, 5061/' /etc/nftables.conf && nft -f /etc/nftables.conf",
    ),
    "regression": Story("nft insert rule inet lab input tcp dport 2000 accept", "nft -f /etc/nftables.conf"),
    "phones locked out": Story("nft insert rule inet lab trusted tcp dport 2000 drop", "nft -f /etc/nftables.conf"),
    "auditor locked out": Story("nft insert rule inet lab input tcp dport 22 drop", "nft -f /etc/nftables.conf", 20),
}


@dataclass
class Pbx:
    lab: Lab
    sshd: Sshd
    site: Path

    def rules(self) -> str:
        return self.lab.pbx.run(["nft", "-s", "list", "ruleset"]).stdout

    def command(self, story: Story, journal: Path) -> list[str]:
        words = ["--apply", story.apply, "--rollback", story.rollback, "--confirm-within", str(story.confirm_within)]
        words += ["--apply-within", "20", "--site", str(self.site), "--journal", str(journal), *story.more]
        return [*CHANGE, f"ssh://{self.sshd.alias}", "--ssh-config", str(self.sshd.ssh_config), *words]


CHANGE = [sys.executable, "-m", "callgate", "change"]


def start_pbx(stack: ExitStack) -> Pbx:
    lab = stack.enter_context(Lab())
    start_sccp(lab.pbx)
    apply_firewall(lab.pbx, "right")
    lab.pbx.write_etc("nftables.conf", RIGHT_REMEDY_NFT)
    wants = "/etc/systemd/system/sysinit.target.wants"
    lab.pbx.run(["sh", "-c", f"mkdir -p {wants}; ln -sf /lib/systemd/system/nftables.service {wants}/"])
    return Pbx(lab, start_sshd(lab.pbx, via=lab.trusted), write_site(lab))


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    require(lab_unavailable())
    require(sshd_unavailable())
    require_tool("ssh")
    with ExitStack() as opened:
        yield opened


@dataclass
class Told:
    """What became of a story."""

    code: int
    said: list[str]
    steps: dict[tuple[str, str], dict[str, object]]
    before: str
    after: str
    seconds: float
    left: list[str]
    folder: Path


@pytest.fixture(scope="module")
def told(stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """All stories, side by side: they mostly wait."""
    folder = tmp_path_factory.mktemp("stories")
    running = {}
    for name, story in STORIES.items():
        pbx = start_pbx(stack)
        journal = folder / name.replace(" ", "-")
        before = pbx.rules()
        process: subprocess.Popen[str] = subprocess.Popen(
            pbx.command(story, journal), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8"
        )
        stack.callback(process.kill)
        running[name] = (pbx, journal, before, process, time.monotonic())
    found = {}
    for name, (pbx, journal, before, process, begun) in running.items():
        said, _ = process.communicate(timeout=240)
        found[name] = Told(
            process.returncode,
            said.splitlines(),
            read_steps(journal),
            before,
            pbx.rules(),
            time.monotonic() - begun,
            list(leftovers(pbx.lab.pbx)),
            journal,
        )
    return found


def read_steps(journal: Path) -> dict[tuple[str, str], dict[str, object]]:
    entries = [json.loads(line) for line in (journal / "journal.jsonl").read_text().splitlines()]
    return {(entry["step"], entry["state"]): entry["details"] for entry in entries}


def test_a_good_change_is_verified_and_confirmed(told: dict[str, Told]) -> None:
    good = told["good"]
    assert (good.code, good.said[-1]) == (0, "ssh://pbx: the change is applied, verified and confirmed"), good.said
    assert good.after != good.before
    assert "5060" not in good.after.partition("udp dport")[0].partition("chain trusted")[2]
    assert good.left == []
    difference = json.loads((good.folder / "diff.json").read_text())
    assert difference["regression"] is False
    assert {row["service"] for row in difference["lost"]} == {"sip-tcp"}
    assert sorted(path.name for path in good.folder.iterdir()) == [
        "after",
        "audit-after.json",
        "audit-before.json",
        "before",
        "diff.json",
        "guard.log",
        "journal.jsonl",
    ]


def test_a_change_that_lets_strangers_in_is_rolled_back_at_once(told: dict[str, Told]) -> None:
    bad = told["regression"]
    assert (bad.code, bad.after) == (1, bad.before), bad.said
    assert "strangers gain SCCP" in bad.said[0]
    assert bad.said[-1].endswith("rolled back by the rollback command; " + PROVEN)
    assert bad.steps["prove", "done"] == {"differences": []}
    assert ("audit after", "begun") not in bad.steps
    assert bad.left == []


PROVEN = "a new snapshot proves that it is as it was before the change"


def test_a_change_that_locks_phones_out_is_rolled_back(told: dict[str, Told]) -> None:
    bad = told["phones locked out"]
    assert (bad.code, bad.after) == (1, bad.before), bad.said
    assert "lose" in bad.said[0]
    assert bad.said[-1].endswith(PROVEN)


def test_a_change_that_locks_the_auditor_out_is_healed_by_the_timer_on_the_host(told: dict[str, Told]) -> None:
    out = told["auditor locked out"]
    assert (out.code, out.after) == (1, out.before), out.said
    # The connection that was frozen may go on once the timer has healed the host, before a new one is given up.
    no_answer = "ssh://pbx did not answer until its timer had rolled the change back"
    assert (
        out.said[0].strip().startswith(("the change locked this auditor out: ssh://pbx: cannot be reached", no_answer))
    )
    assert out.steps["roll back", "done"]["reason"] == "nobody confirmed the change in time"
    assert out.said[-1].endswith(PROVEN)
    assert out.left == []


def test_an_interrupted_change_is_rolled_back_and_a_running_one_is_told(stack: ExitStack, tmp_path: Path) -> None:
    pbx = start_pbx(stack)
    before = pbx.rules()
    slow = Story("nft insert rule inet lab input tcp dport 2000 accept; sleep 15", "nft -f /etc/nftables.conf")
    command = pbx.command(slow, tmp_path / "j")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            deadline = time.monotonic() + 60
            while pbx.rules() == before:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            status = [*CHANGE, "--status", str(tmp_path / "j")]
            running = subprocess.run(
                status, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60
            )
            assert running.returncode == 3
            assert "the change is armed; the timer rolls it back in" in running.stdout
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 3
    assert said.splitlines()[0] == "  interrupted"
    assert said.splitlines()[-1].endswith(PROVEN)
    assert pbx.rules() == before
    assert leftovers(pbx.lab.pbx) == []
    over = subprocess.run(
        [*CHANGE, "--resume", str(tmp_path / "j")], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    assert over.returncode == 3
    assert over.stdout.decode().splitlines()[-1] == said.splitlines()[-1]
