"""The first process of a lab host; a program, run by `callgate.lab.holder` in fresh namespaces.

It makes the host's private mounts, writes its sysctls, says `{"pid": N}` on stdout and waits for the end of stdin.
The other end of stdin is held by the process that built the lab and by nobody else, so that end comes however that
process ends; the kernel then kills all that runs in the PID namespace and drops the network namespace.

Standard library only, and started with `-I -S`: it needs neither an installed package nor a PYTHONPATH.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import sys
import time
from contextlib import suppress

MOUNTS = (
    ("-t", "proc", "proc", "/proc"),
    ("-t", "sysfs", "sysfs", "/sys"),  # the machine's own shows the machine's interfaces
    ("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"),
    ("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/var/log"),
)
UPPER = "/run/etc/upper"
ETC = ("-t", "overlay", "-o", f"lowerdir=/etc,upperdir={UPPER},workdir=/run/etc/work", "overlay", "/etc")
"""Writes below /etc stay in the host: what it loads at boot is then its own."""
FOREIGN_FILES = (
    *("nftables.conf", "ipset.conf", "rc.local", "default/ufw", "default/netfilter-persistent"),
    *(f"sysconfig/{name}" for name in ("iptables", "ip6tables", "nftables.conf", "ipset")),
    *(f"rc{level}.d" for level in "0123456S"),
)
FOREIGN_DIRECTORIES = (
    *("systemd/system", "nftables", "nftables.d", "iptables", "ufw", "firewalld", "csf", "callgate", "network"),
    "sysconfig/ipset.d",
)
"""What the machine enables and how it guards itself, below /etc: it is not the host's."""


def mount(*arguments: str) -> None:
    """Run mount(8); raises OSError when it fails (its own words are on stderr)."""
    pid = os.posix_spawnp("mount", ["mount", *arguments], os.environ)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise OSError(f"mount {' '.join(arguments)} failed")


def own_etc() -> None:
    """Give the host its /etc: the machine's, without the machine's firewall; nothing is enabled there.

    The owner of the machine's directories may be nobody in this user namespace, so that nothing can be deleted in
    them. But what is a character device 0:0 in the upper layer is not there (overlayfs calls it a whiteout).
    """
    for name in FOREIGN_FILES:
        if os.path.lexists(f"/etc/{name}"):
            os.makedirs(os.path.dirname(f"{UPPER}/{name}"), exist_ok=True)
            os.mknod(f"{UPPER}/{name}", stat.S_IFCHR, os.makedev(0, 0))
    mount(*ETC)
    for name in FOREIGN_DIRECTORIES:
        if os.path.isdir(f"/etc/{name}"):
            mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", f"/etc/{name}")
    os.makedirs("/etc/systemd/system", exist_ok=True)


def main(name: str, directory: str, settings: dict[str, str]) -> None:
    """Prepare the host, then hold its namespaces until stdin ends; removes `directory` at the end."""
    os.umask(0o022)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open("/proc/self/stat", encoding="ascii") as own:  # still the builder's /proc: the pid it knows us by
        pid = int(own.read().split(maxsplit=1)[0])
    for arguments in MOUNTS:
        mount(*arguments)
    for path in ("/run/sshd", "/run/lock", "/run/etc", UPPER, "/run/etc/work"):
        os.mkdir(path, 0o755)
    own_etc()
    socket.sethostname(name)
    for setting, value in settings.items():
        with open(f"/proc/sys/{setting}", "w", encoding="ascii") as knob:
            knob.write(value)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans are reaped by the kernel
    print(json.dumps({"pid": pid}), flush=True)
    try:
        while os.read(0, 4096):
            pass
    finally:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # all but this process: nothing may write while the directory goes
        for _ in range(50):
            shutil.rmtree(directory, ignore_errors=True)
            if not os.path.exists(directory):
                break
            time.sleep(0.01)
        with suppress(OSError):
            os.rmdir(os.path.dirname(directory))  # the lab's, when this host is its last


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
