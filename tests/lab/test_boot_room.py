"""The room in which a stranger's boot files are loaded: what it holds, and what cannot be done in it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callgate.errors import NotDetermined
from callgate.lab import boot
from callgate.lab.availability import lab_unavailable
from callgate.lab.boot import boot_unavailable, load_at_boot, plan_links, run_plan
from callgate.lab.boot_steps import Plan, Step
from callgate.lab.pytest_fixtures import require

pytestmark = pytest.mark.lab

PROGRAMS = {"bin", "lib", "lib32", "lib64", "libx32", "sbin", "usr"}
Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    require(lab_unavailable())


def done(*steps: Step, files: dict[str, str] | None = None, interfaces: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """What came of steps of our own, in a room."""
    plan = Plan(
        files or {}, lambda name: f"/usr/bin/{name}" if Path(f"/usr/bin/{name}").exists() else f"/usr/sbin/{name}"
    )
    plan_links(plan, interfaces)
    plan.steps.extend(steps)
    return [result for result in run_plan(plan)[1:] if result is not None]


def shell(script: str, **options: Any) -> Step:
    return Step("", ("/bin/sh", "-c", script), **options)


def said(script: str, *, files: dict[str, str] | None = None, interfaces: tuple[str, ...] = ()) -> str:
    (result,) = done(shell(script), files=files, interfaces=interfaces)
    return f"{result['said']}{result['err']}"


def test_nothing_of_the_machine_is_there_but_its_programs() -> None:
    listed = said(
        "ls /; echo --; ls /etc; echo --; ls -A /root /usr/share /usr/local; echo --;"
        "cat /etc/shadow /etc/passwd /etc/hostname"
    )
    top, etc, empty, rest = listed.split("--\n")
    assert set(top.split()) <= PROGRAMS | {"bare", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var"}
    assert set(etc.split()) <= {"alternatives", "protocols", "services", "ethertypes"}
    assert rest.count("No such file or directory") == 3
    assert "root:x" not in rest
    assert empty.split() == ["/root:", "/usr/local:", "/usr/share:"]


def test_mounts_of_the_machine_do_not_show() -> None:
    mounts = [line.split()[4] for line in said("cat /proc/self/mountinfo").splitlines()]
    assert "/" in mounts
    assert not any(path.startswith(("/home", "/mnt", "/opt", "/srv")) for path in mounts)
    assert len([path for path in mounts if path == "/"]) == 1


def test_nft_gets_a_root_without_proc_sys_and_dev() -> None:
    (result,) = done(Step("", ("/bin/ls", "/"), bare=True), files={"etc/nftables.conf": ""})
    assert {"etc", "usr"} <= set(result["said"].split()) <= PROGRAMS | {"etc"}


def test_files_that_libraries_of_the_tools_read_stay_out() -> None:
    names = (
        "ld.so.preload",
        "nsswitch.conf",
        "hosts",
        "passwd",
        "alternatives/iptables",
        "python3.11/sitecustomize.py",
    )
    files = {f"etc/{name}": "nonsense" for name in names} | {"etc/nftables.conf": "", "etc/iptables/rules.v4": ""}
    bare, other = done(Step("", ("/bin/ls", "/etc"), bare=True), shell("ls /etc; cat /etc/alternatives/*"), files=files)
    lists = {"protocols", "services", "ethertypes"}
    assert set(bare["said"].split()) - lists == {"iptables", "nftables.conf", "python3.11"}
    assert set(other["said"].split()) & {*names, "python3.11", "nftables.conf", "nonsense"} == set()
    assert "iptables" in other["said"].split()


def test_only_the_rooms_network_can_be_changed() -> None:
    before = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    shown = said(
        "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter && cat /proc/sys/net/ipv4/conf/all/rp_filter;"
        "for path in kernel/core_pattern kernel/hostname vm/drop_caches; do"
        " (echo 3 >/proc/sys/$path) 2>/dev/null && echo written; done;"
        "touch /usr/mark /bin/mark 2>/dev/null && echo written;"
        "mount -t tmpfs tmpfs /usr 2>/dev/null && echo mounted; umount /usr 2>/dev/null && echo unmounted;"
        "mknod /tmp/disk b 8 0 2>/dev/null && echo made; ls /sys/class/net;"
        "(echo 1 >/sys/class/net/lo/mtu) 2>/dev/null && echo set;"
        "true",
        interfaces=("eth7",),
    )
    assert shown.split() == ["1", "cgpeer0", "eth7", "lo"]
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == before
    assert not Path("/usr/mark").exists()


def test_a_step_has_power_over_the_network_alone_and_cannot_gain_more() -> None:
    status = dict(line.split(":\t", 1) for line in said("cat /proc/self/status").splitlines() if ":\t" in line)
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 1 << 12 | 1 << 13
    assert status["NoNewPrivs"] == "1"


def test_files_of_the_host_are_data_and_cannot_be_executed() -> None:
    files = {"etc/iptables/rules.v4": "#!/bin/sh\necho executed\n"}
    shown = said("chmod 755 /etc/iptables/rules.v4; /etc/iptables/rules.v4; cat /etc/iptables/rules.v4", files=files)
    assert "Permission denied" in shown
    assert shown.count("executed") == 1  # what cat shows


def test_time_and_output_of_a_step_are_bounded() -> None:
    start = time.monotonic()
    late, long, after = done(
        shell("sleep 600 & sleep 600", seconds=0.3),
        shell("yes", dump="x"),
        shell("ps -e -o stat= -o comm= | grep -v ^Z"),
    )
    assert late["code"] is None
    assert long["code"] != 0
    assert long["large"]
    assert "sleep" not in after["said"]
    assert "ps" in after["said"]
    assert time.monotonic() - start < 10


def test_an_ordinary_user_loads_the_same(unprivileged: Script) -> None:
    load = """
from callgate.errors import NotDetermined
from callgate.lab.boot import load_at_boot
rules = "*filter\\n:INPUT DROP [0:0]\\n-A INPUT -p tcp --dport 2000 -j ACCEPT\\nCOMMIT\\n"
files = {"etc/iptables/rules.v4": rules, "etc/iptables/rules.v6": rules + "nonsense\\n"}
files["etc/nftables.conf"] = 'include "/etc/shadow"\\n'
try:
    loaded = load_at_boot(files, ["nftables", "iptables-persistent"], interfaces=["eth0"])
except NotDetermined as error:
    print(error)
else:
    print("-A INPUT -p tcp -m tcp --dport 2000 -j ACCEPT" in loaded.texts["iptables-save.txt"])
    for file, words in sorted(loaded.complaints.items()):
        print(file, words.splitlines()[0])
"""
    lines = unprivileged(load).stdout.splitlines()
    if "no namespaces" in lines[0]:
        pytest.skip(lines[0])
    assert lines == [
        "True",
        "etc/iptables/rules.v6 ip6tables-nft-restore: line 5 failed",
        "etc/nftables.conf /etc/nftables.conf:1:1-22: Error: File not found: /etc/shadow",
    ]


def test_where_nothing_is_allowed_that_is_said(powerless: Script) -> None:
    shown = powerless("from callgate.lab.boot import boot_unavailable; print(boot_unavailable())").stdout
    assert shown.startswith("what loads at boot is not determined: no namespaces of our own here: unshare")
    assert "not permitted" in shown


@pytest.mark.parametrize(("tool", "package"), [("nft", "nftables"), ("ip", "iproute2"), ("unshare", "util-linux")])
def test_a_missing_tool_is_named_with_its_package(tool: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = boot.find_in_room
    monkeypatch.setattr(boot, "find_in_room", lambda name: None if name == tool else find(name))
    monkeypatch.setattr(boot, "find_tool", lambda name: None if name == tool else f"/usr/bin/{name}")
    with pytest.raises(NotDetermined, match=rf"not determined here: {tool} not found \(Debian package {package}\)"):
        load_at_boot({"etc/nftables.conf": f"# without {tool}\n"}, ["nftables"])


def test_what_is_the_same_is_loaded_once() -> None:
    files = {"etc/nftables.conf": "table ip once {\n}\n"}
    assert load_at_boot(files, ["nftables"]) is load_at_boot(dict(files), ("nftables",))
    assert boot_unavailable() is None


def test_no_process_and_no_mount_is_left() -> None:
    def mine() -> set[str]:
        return {entry for entry in os.listdir("/proc") if entry.isdecimal() and _runs_a_room(entry)}

    before = Path("/proc/self/mountinfo").read_text()
    load_at_boot({"etc/nftables.conf": "table ip leaves_nothing {\n}\n"}, ["nftables"])
    assert Path("/proc/self/mountinfo").read_text() == before
    assert mine() == set()


def _runs_a_room(pid: str) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(status[1]) == os.getpid() and b"boot_room" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
