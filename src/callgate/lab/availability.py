"""Whether lab hosts can be built here, and how to come to where they can."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final

from callgate.errors import LabError

NAMESPACES: Final = ("--net", "--mount", "--pid", "--uts")
"""What a lab host has of its own; the same flags serve unshare(1) and nsenter(1)."""

TOOLS: Final = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "nft": "nftables",
}
"""Programs every lab needs, and the Debian package of each."""

USER_NAMESPACE: Final = ("--user", "--map-root-user")
_ENTERED: Final = "CALLGATE_IN_USER_NAMESPACE"
_PROBE: Final = (
    "mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run && mkdir /run/u /run/w"
    " && mount -t overlay -o lowerdir=/etc,upperdir=/run/u,workdir=/run/w overlay /etc"
    " && ip link add eth0 type veth peer name eth1 && ip address add fd00:1::10/64 dev eth0 nodad"
)


def find_tool(name: str) -> str | None:
    """The path of a program, or None; looks in the administrator's directories too, which users lack in PATH."""
    return shutil.which(name, path=search_path())


def search_path() -> str:
    """PATH with the administrator's directories behind it."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def lab_unavailable() -> str | None:
    """None when this process can build a lab; else one line that names what is missing. Costs some 20 ms."""
    if reason := _tool_missing():
        return reason
    if (reason := _refused()) is None:
        return None
    if os.geteuid() == 0:
        return f"no namespaces of our own here: {reason}"
    if (reason := _refused("unshare", *USER_NAMESPACE)) is None:
        return f"not root (user namespaces work here: run it under unshare {' '.join(USER_NAMESPACE)})"
    return f"not root, and no user namespaces here: {reason}"


def enter_user_namespace() -> None:
    """Come to where a lab can be built: returns at once when this process can, else starts this command again.

    Without root, the running Python command is executed anew, with the same arguments and process id, in a user
    namespace where it is root. Raises LabError, with the line `lab_unavailable` gives, when that cannot be.
    """
    if (reason := lab_unavailable()) is None:
        return
    if _ENTERED in os.environ or _tool_missing() or _refused("unshare", *USER_NAMESPACE) is not None:
        raise LabError(reason)
    sys.stdout.flush()
    sys.stderr.flush()
    command = ["unshare", *USER_NAMESPACE, "--", sys.executable, *sys.orig_argv[1:]]
    os.execve(  # noqa: S606 - no shell, by intent
        str(find_tool("unshare")), command, {**os.environ, _ENTERED: "1"}
    )


def _tool_missing() -> str | None:
    if sys.platform != "linux":
        return f"lab hosts need Linux, this is {sys.platform}"
    for tool, package in TOOLS.items():
        if find_tool(tool) is None:
            return f"{tool} not found (Debian package {package})"
    if not os.path.isdir("/proc/sys/net/ipv6"):
        return "this kernel has no IPv6"
    return None


def _refused(*within: str) -> str | None:
    """Why a host cannot be built (behind the command `within`); None when it can."""
    command = [*within, "unshare", *NAMESPACES, "--fork", "--kill-child", "sh", "-c", _PROBE]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=10,
            env={**os.environ, "PATH": search_path(), "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        return "no answer from unshare within 10 s"
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[0] if lines else f"unshare ended with {done.returncode}"
