"""A room of its own for a host's boot files; a program, run by `callgate.lab.boot` in fresh namespaces.

It builds a root that holds this machine's programs (/usr, read-only) and nothing else of it, writes the host's files
into it, runs the steps it is told, and prints what came of them. The files are hostile, and so is what is made of
them: no step may gain a privilege, write outside, run something that came with the files, or go on for ever.

The job comes as JSON on stdin: `files` (path to text, for the tools' /etc), `included` (the same for nft(8) alone,
which reads whatever a file names and so gets a barer root), `links` (path to target), `covered` (directories of /usr
to hide), `interfaces`, `steps`, `seconds`. The answer is one JSON list, an object a step; see `run`.

Standard library only, started with `-I -S`. Nothing is imported once the old root is gone, codecs neither.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import json
import os
import resource
import signal
import subprocess
import sys
import time
from typing import Any

ROOT = "/tmp"  # noqa: S108 - covered by a mount of this namespace, and the root from then on
BARE = "/bare"
"""The root of nft(8): programs and the files, without /proc, /sys and /dev."""
OUTPUT_LIMIT = 32 << 20
"""Bytes a step may print; a file of that size ends it (SIGXFSZ)."""
WORDS_LIMIT = 1 << 16
"""Bytes of a complaint that are passed on."""
MEMORY_LIMIT = 1 << 30
"""Bytes of address space for a step."""
_FOR_STEPS = (12, 13)
"""CAP_NET_ADMIN and CAP_NET_RAW (capability.h): the room's network is all that a step has power over."""

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_BIND, _MS_REC = 1, 2, 4, 8, 32, 4096, 16384
_MS_PRIVATE, _MS_NOATIME, _MS_NODIRATIME, _MS_RELATIME = 1 << 18, 1024, 2048, 1 << 21
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function: str, *arguments: Any) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{function}: {os.strerror(error)}", str(arguments[:3]))


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str = "") -> None:
    """mount(2), with `target` made when it is not there."""
    if kind is not None or os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    words = (source.encode(), target.encode(), kind.encode() if kind else None)
    _call("mount", *words, ctypes.c_ulong(flags), data.encode() or None)


def bind_programs(source: str, target: str) -> None:
    """Show a directory of the machine, read-only; what its mount already forbids stays forbidden."""
    mount(source, target, flags=_MS_BIND | _MS_REC)
    held = os.statvfs(target).f_flag
    kept = held & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    kept |= _MS_NOATIME if held & 1024 else 0
    kept |= _MS_NODIRATIME if held & 2048 else 0
    kept |= _MS_RELATIME if held & 4096 else 0
    mount(source, target, flags=_MS_BIND | _MS_REMOUNT | _MS_RDONLY | kept)


def write(below: str, files: dict[str, str]) -> None:
    """Write files that the caller has checked; a name given twice, or below a file, is an error."""
    for name, text in files.items():
        path = os.path.join(below, name)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(path, flags, 0o640), "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))


def build_root(job: dict[str, Any]) -> None:
    """Make the root, and leave the machine's."""
    mount("none", "/", flags=_MS_REC | _MS_PRIVATE)
    programs = [
        path for path in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32") if os.path.exists(path)
    ]
    linked = {path: os.readlink(path) for path in programs if os.path.islink(path)}
    mount("tmpfs", ROOT, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "mode=0755,size=256m,nr_inodes=32k")
    for root in (ROOT, ROOT + BARE):
        for path in programs:
            if path in linked:
                os.symlink(linked[path], root + path)
            else:
                bind_programs(path, root + path)
        for path in job["covered"]:
            if os.path.isdir(root + path):
                mount("tmpfs", root + path, "tmpfs", _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "size=4k")
    for path in ("/run/dbus", "/run/lock", "/var/log", "/var/lib", "/tmp", "/root", "/dev"):  # noqa: S108 - the room's
        os.makedirs(ROOT + path)
    os.symlink("/run", f"{ROOT}/var/run")
    os.symlink("/run/lock", f"{ROOT}/var/lock")
    for device in ("null", "urandom"):
        os.close(os.open(f"{ROOT}/dev/{device}", os.O_CREAT | os.O_WRONLY, 0o600))
        mount(f"/dev/{device}", f"{ROOT}/dev/{device}", flags=_MS_BIND)
    mount("proc", f"{ROOT}/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    mount("sysfs", f"{ROOT}/sys", "sysfs", _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    # A root that is the machine's may write there without any capability: only the network's part is this room's.
    keep = _MS_BIND | _MS_REMOUNT | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    mount(f"{ROOT}/proc/sys/net", f"{ROOT}/proc/sys/net", flags=_MS_BIND)
    mount(f"{ROOT}/proc/sys", f"{ROOT}/proc/sys", flags=_MS_BIND | _MS_REC)
    mount(f"{ROOT}/proc/sys", f"{ROOT}/proc/sys", flags=keep | _MS_RDONLY)
    for name in ("protocols", "services", "ethertypes"):
        with contextlib.suppress(OSError), open(f"/etc/{name}", "rb") as public:
            text = public.read(1 << 20).decode("utf-8", "replace")
            write(ROOT, {f"etc/{name}": text})
            if f"etc/{name}" not in job["included"]:
                write(ROOT + BARE, {f"etc/{name}": text})
    write(ROOT, job["files"])
    write(ROOT + BARE, job["included"])
    for name, target in job["links"].items():
        os.makedirs(os.path.dirname(f"{ROOT}/{name}"), exist_ok=True)
        os.symlink(target, f"{ROOT}/{name}")
    os.chdir(ROOT)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", _MNT_DETACH)
    os.chdir("/")


def drop_privileges() -> None:
    """Nothing that is started from here on can mount, load modules, make devices or gain what it lacks."""
    with open("/proc/sys/kernel/cap_last_cap", "rb") as last:
        capabilities = range(int(last.read()) + 1)
    for capability in capabilities:
        if capability not in _FOR_STEPS:
            _call("prctl", _PR_CAPBSET_DROP, *(ctypes.c_ulong(word) for word in (capability, 0, 0, 0)))
    _call("prctl", _PR_SET_NO_NEW_PRIVS, *(ctypes.c_ulong(word) for word in (1, 0, 0, 0)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_LIMIT, OUTPUT_LIMIT))
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))


def start(step: dict[str, Any], number: int) -> subprocess.Popen[bytes]:
    """Start a step's program; its output goes to files of this room."""
    bare = bool(step.get("bare"))

    def confine() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        if bare:
            os.chroot(BARE)
            os.chdir("/")

    source = step.get("stdin")
    with (
        open(f"/{source}" if source else os.devnull, "rb") as stdin,
        open(f"/run/out.{number}", "wb") as out,
        open(f"/run/err.{number}", "wb") as err,
    ):
        return subprocess.Popen(
            step["argv"],
            stdin=stdin,
            stdout=out,
            stderr=err,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root", **step.get("env", {})},
            preexec_fn=confine,  # safe: this program has one thread
            start_new_session=True,
        )


def read(path: str, limit: int) -> str:
    """The beginning of a file, with what is not UTF-8 escaped."""
    with open(path, "rb") as file:
        return file.read(limit).decode("utf-8", "backslashreplace")


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a step's program and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(step: dict[str, Any], number: int) -> dict[str, Any]:
    """Run one step: `code` (None when it was ended by the clock), `err`, and `out` where the step asks for it.

    A step with `ready` is a server: it goes on, and its `code` is that of the command `ready` when it says one of
    `ready_codes`; else its own, or None when it did not end.
    """
    seconds = float(step["seconds"])
    process = start(step, number)
    code: int | None = None
    if "ready" in step:
        deadline = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < deadline:
            asked = run({"argv": step["ready"], "env": step.get("env", {}), "seconds": seconds}, 10_000 + number)
            if asked["code"] in step["ready_codes"]:
                code = asked["code"]
                break
            time.sleep(0.05)
        else:
            code = process.poll()
            end(process)
            code = code if code is None else code or 1  # a server that ends is none
    else:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            end(process)
    log = step.get("log")
    complaints = f"/{log}" if log and os.path.isfile(f"/{log}") else f"/run/err.{number}"
    size = os.path.getsize(f"/run/out.{number}")
    return {
        "code": code,
        "out": read(f"/run/out.{number}", OUTPUT_LIMIT) if step.get("wanted") else "",
        "large": size >= OUTPUT_LIMIT,
        "err": read(complaints, WORDS_LIMIT),
        "said": read(f"/run/out.{number}", WORDS_LIMIT),
    }


def main() -> None:
    """Do the job."""
    job = json.load(sys.stdin)
    os.umask(0o022)

    def give_up(*_: object) -> None:
        os._exit(3)

    signal.signal(signal.SIGALRM, give_up)  # the first process of a PID namespace heeds only what it handles
    signal.alarm(int(job["seconds"]))
    build_root(job)
    drop_privileges()
    results: list[dict[str, Any] | None] = []
    for number, step in enumerate(job["steps"]):
        wanted = step.get("after")
        if wanted is not None:
            earlier = results[wanted["step"]]
            if earlier is None or (earlier["code"] == 0) is not wanted["passed"]:
                results.append(None)
                continue
        results.append(run(step, number))
    json.dump(results, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # the kernel ends the rest


if __name__ == "__main__":
    main()
