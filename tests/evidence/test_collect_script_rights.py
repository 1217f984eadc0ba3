"""The real script with this machine's own tools: as an ordinary user, where nothing can be written, without /proc."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callgate.errors import NotDetermined
from callgate.evidence.bundle import bundle_of
from callgate.evidence.collector import script
from callgate.evidence.evidence import Evidence
from callgate.evidence.stream import FileState, Taken, read_stream

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DUMPS = {
    "nft.json": "nft",
    "nft.txt": "nft",
    "iptables-save.txt": "iptables-save",
    "ip6tables-save.txt": "ip6tables-save",
}
ADMIN_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def collected(*before: str, text: str | None = None, cwd: str = "/") -> dict[str, Taken]:
    """What the script prints, run behind the words of another command."""
    done = subprocess.run(
        [*before, "sh", "-c", script() if text is None else text],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=100,
    )
    return {one.file: one for one in read_stream(done.stdout)}


def needs(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool, path=ADMIN_PATH) is None:
            pytest.skip(f"there is no {tool} here")


@pytest.fixture(scope="module")
def as_nobody() -> Mapping[str, Taken]:
    if os.geteuid() != 0:
        return collected()
    needs("setpriv")
    return collected("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.mark.parametrize("file", DUMPS)
def test_an_ordinary_user_is_refused_the_rules_and_never_shown_none(as_nobody: Mapping[str, Taken], file: str) -> None:
    needs(DUMPS[file])
    assert as_nobody[file].state is FileState.FAILED
    assert as_nobody[file].exit_code
    assert as_nobody[file].stderr


def test_an_ordinary_user_cannot_tell_whether_anything_is_filtered(as_nobody: Mapping[str, Taken]) -> None:
    evidence = Evidence(bundle_of("local://", NOON, "1", as_nobody.values()))
    assert evidence.bundle.manifest is not None
    assert evidence.bundle.manifest.user_id != 0
    with pytest.raises(NotDetermined):
        _ = evidence.filtering
    with pytest.raises(NotDetermined):
        evidence.rules_name(next(iter(evidence.addresses)).address)


def test_an_ordinary_user_sees_every_listener(as_nobody: Mapping[str, Taken]) -> None:
    seen = Evidence(bundle_of("local://", NOON, "1", as_nobody.values())).listeners
    assert isinstance(seen, tuple)
    assert {as_nobody[f"proc-net-{name}.txt"].state for name in ("tcp", "udp")} == {FileState.COLLECTED}


def test_nothing_needs_to_be_written() -> None:
    """Every file system of a namespace of its own is made read-only; /tmp, too."""
    needs("unshare", "mount")
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    inside = ("unshare", *user, "--mount", "--net", "--", "sh", "-c", 'eval "$0"; cd /tmp && exec "$@"')
    lock = """
      mount --make-rprivate / && mount -t tmpfs none /tmp && while read -r _ place kind _; do
        case $kind in proc|sysfs|cgroup*|devtmpfs|devpts) continue ;; esac
        mount -o remount,bind,ro "$place" 2>/dev/null
      done </proc/self/mounts
      for place in /tmp /var/tmp /run "$HOME"; do
        if touch "$place/callgate-test" 2>/dev/null; then rm "$place/callgate-test"; exit 9; fi
      done"""
    tried = subprocess.run([*inside, lock, "true"], capture_output=True, timeout=60)
    if tried.returncode != 0:
        pytest.skip(f"no read-only mount namespace here: {tried.stderr.decode(errors='replace')[:200] or 'writable'}")
    free = collected("unshare", *user, "--mount", "--net", "--")
    locked = collected(*inside, lock)
    assert {file: one.state for file, one in locked.items()} == {file: one.state for file, one in free.items()}
    assert locked["sysctl.txt"].state is FileState.COLLECTED


def with_proc_net(folder: Path) -> dict[str, Taken]:
    """The script looks at another place for what /proc/net holds."""
    text = script()
    assert "/proc/net/" in text
    return collected(text=text.replace("/proc/net/", f"{folder}/"))


def test_a_list_the_kernel_does_not_have_is_absent(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text("  sl  local_address\n")
    taken = with_proc_net(tmp_path)
    assert taken["proc-net-tcp.txt"].output == b"  sl  local_address\n"
    assert taken["proc-net-tcp6.txt"].state is FileState.ABSENT
    assert taken["ip_tables_names.txt"].state is FileState.ABSENT
    assert "iptables-legacy-save.txt" not in taken


def test_without_proc_nothing_is_said_to_be_absent(tmp_path: Path) -> None:
    taken = with_proc_net(tmp_path / "not-mounted")
    for file in ("proc-net-tcp.txt", "proc-net-udp6.txt", "proc-net-ip_vs.txt", "ip_tables_names.txt"):
        assert taken[file].state is FileState.FAILED


def test_legacy_tables_are_asked_for_where_the_kernel_lists_some(tmp_path: Path) -> None:
    (tmp_path / "ip_tables_names").write_text("filter\n")
    (tmp_path / "ip6_tables_names").write_text("")
    text = script().replace("/proc/net/", f"{tmp_path}/").replace("iptables-legacy-save -c", "no-such-tool -c")
    taken = collected(text=text)
    assert taken["ip_tables_names.txt"].output == b"filter\n"
    assert taken["iptables-legacy-save.txt"].state is FileState.TOOL_MISSING
    assert "ip6tables-legacy-save.txt" not in taken


def test_a_list_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ip_tables_names").mkdir()  # cat fails on it, for root too
    assert with_proc_net(tmp_path)["ip_tables_names.txt"].state is FileState.FAILED


def test_the_current_folder_is_not_searched_for_tools(tmp_path: Path) -> None:
    (tmp_path / "ss").write_text("#!/bin/sh\necho hostile\n")
    (tmp_path / "ss").chmod(0o755)
    text = "PATH=\n" + script().replace("/usr/local/sbin:", "/usr/local/sbin:/usr/bin:/bin:")
    taken = collected(text=text, cwd=str(tmp_path))
    assert taken["identity.txt"].state is FileState.COLLECTED
    assert "ss.txt" not in taken or b"hostile" not in taken["ss.txt"].output


def test_the_script_is_plain_ascii() -> None:
    """Else testinfra would ask each host for its encoding first: a second round trip."""
    assert script().isascii()
