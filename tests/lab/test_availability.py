from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from callgate.lab import availability
from callgate.lab.availability import find_tool, lab_unavailable
from callgate.lab.pytest_fixtures import REQUIRE, require, require_tool

Script = Callable[..., subprocess.CompletedProcess[str]]

REASON = "from callgate.lab.availability import lab_unavailable; print(lab_unavailable())"
ENTER = """
import os, sys
from callgate.errors import LabError
from callgate.lab.availability import enter_user_namespace
try:
    enter_user_namespace()
except LabError as error:
    print("refused:", error)
    sys.exit(2)
"""
BUILD = """
from callgate.lab.rulesets import RIGHT_REMEDY_NFT
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab
with Lab() as lab:
    start_sccp(lab.pbx)
    def seen():
        for client in (lab.trusted, lab.stranger):
            for address in ("192.168.1.10", "fd00:1::10"):
                yield client.dial("keepalive", address, 2000, timeout=0.4).result
    print(os.geteuid(), *seen())
    lab.pbx.load_nft(RIGHT_REMEDY_NFT)
    print(*seen())
    lab.pbx.write_etc("nftables.conf", RIGHT_REMEDY_NFT)
    print(lab.pbx.run(["cat", "/etc/nftables.conf"]).stdout == RIGHT_REMEDY_NFT)
"""


@pytest.mark.lab
def test_an_ordinary_user_is_told_what_is_missing(unprivileged: Script) -> None:
    line = unprivileged(REASON).stdout.strip()
    assert line.startswith("not root")
    assert "\n" not in line
    assert "unshare --user --map-root-user" in line or "no user namespaces here: " in line


@pytest.mark.lab
def test_an_ordinary_user_builds_a_lab_in_a_user_namespace(unprivileged: Script) -> None:
    line = unprivileged(REASON).stdout.strip()
    if "no user namespaces here" in line:
        pytest.skip(line)
    done = unprivileged(ENTER + BUILD)
    assert done.stdout.splitlines() == [
        "0 answered answered answered answered",
        "answered answered unanswered unanswered",
        "True",
    ], done.stderr


@pytest.mark.lab
def test_where_nothing_is_allowed_the_kernels_word_is_passed_on(powerless: Script) -> None:
    line = powerless(REASON).stdout.strip()
    assert line.startswith("no namespaces of our own here: unshare")
    assert "not permitted" in line
    user = powerless("import os; os.geteuid = lambda: 1000\n" + REASON).stdout.strip()
    assert user.startswith("not root, and no user namespaces here: unshare")


@pytest.mark.lab
def test_a_user_namespace_that_cannot_be_entered_is_an_error_and_no_loop(powerless: Script) -> None:
    done = powerless(ENTER)
    assert done.returncode == 2
    assert done.stdout.startswith("refused: no namespaces of our own here: ")


@pytest.mark.lab
def test_where_a_lab_can_be_built_nothing_is_executed_anew(script: Script) -> None:
    require(lab_unavailable())
    done = script("print('begun', flush=True)" + ENTER + "print(os.environ.get('CALLGATE_IN_USER_NAMESPACE'))")
    assert done.stdout == "begun\nNone\n"


@pytest.mark.parametrize(("tool", "package"), sorted(availability.TOOLS.items()))
def test_a_missing_tool_is_named_with_its_package(tool: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "find_tool", lambda name: None if name == tool else find_tool(name))
    assert lab_unavailable() == f"{tool} not found (Debian package {package})"


@pytest.mark.lab
def test_the_administrators_tools_are_found_by_a_user_without_their_path(monkeypatch: pytest.MonkeyPatch) -> None:
    known = require_tool("nft")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert availability.search_path() == "/nonexistent:/usr/local/sbin:/usr/sbin:/sbin"
    assert find_tool("nft") in (known, f"/usr/sbin/{known.rpartition('/')[2]}", f"/sbin/{known.rpartition('/')[2]}")


def test_a_test_without_its_tool_is_skipped_unless_the_lab_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-tool not found"):
        require_tool("no-such-tool")
    monkeypatch.setenv(REQUIRE, "1")
    with pytest.raises(pytest.fail.Exception, match=r"no-such-tool not found \(CALLGATE_REQUIRE_LAB=1\)"):
        require_tool("no-such-tool")
    assert require_tool("sh").endswith("/sh")
    require(None)
