"""ufw on a lab host: the real program, with files of its own."""

from __future__ import annotations

from typing import Final

from callgate.errors import LabError
from callgate.lab.availability import find_tool
from callgate.lab.boot_units import enable_as_packaged
from callgate.lab.host import LabHost

TOOLS: Final = {"ufw": "ufw", "iptables": "iptables", "ip6tables": "iptables"}
"""Programs ufw needs, and the Debian package of each."""

UNIT: Final = "ufw.service"
DONE_WITHIN: Final = 20.0
"""Seconds a ufw command may take (usually 0.3, `enable` 1)."""

_PACKAGED: Final = "/usr/share/ufw"
# As freshly installed. No sysctls: what holds in the lab is said by the lab.
_DEFAULTS: Final = """\
IPV6=yes
DEFAULT_INPUT_POLICY="DROP"
DEFAULT_OUTPUT_POLICY="ACCEPT"
DEFAULT_FORWARD_POLICY="DROP"
DEFAULT_APPLICATION_POLICY="SKIP"
MANAGE_BUILTINS=no
IPT_SYSCTL=
IPT_MODULES=""
"""
# Its rules files are templates of the package; ufw wants them unreadable for others.
_OWN_FILES: Final = f"""\
mkdir -p /etc/ufw && mount -t tmpfs -o mode=0755 tmpfs /etc/ufw && mkdir /etc/ufw/applications.d &&
cp {_PACKAGED}/iptables/*.rules {_PACKAGED}/*.init {_PACKAGED}/ufw.conf /etc/ufw/ &&
chmod 0640 /etc/ufw/*.rules /etc/ufw/*.init
"""


class Ufw:
    """An enabled ufw; nothing of it runs but the kernel's rules."""

    def __init__(self, host: LabHost) -> None:
        self.host = host

    def command(self, *words: str) -> str:
        """What `ufw` prints, like the answer to `allow 2000/tcp`; raises LabError when it refuses."""
        # ufw is a Python program of the machine: what ours was started with is not for it.
        command = ["env", "-u", "PYTHONPATH", "-u", "PYTHONHOME", "ufw", *words]
        return self.host.run(command, timeout=DONE_WITHIN).stdout.strip()


def ufw_unavailable() -> str | None:
    """None when ufw can be used here; else one line that names what is missing."""
    for tool, package in TOOLS.items():
        if find_tool(tool) is None:
            return f"{tool} not found (Debian package {package})"
    return None


def start_ufw(host: LabHost) -> Ufw:
    """Enable ufw as freshly installed: what comes in is dropped, but for answers and ICMP. Raises LabError.

    Its unit is enabled too, so that `callgate.lab.boot_files.reboot` loads its rules again.
    """
    if reason := ufw_unavailable():
        raise LabError(reason)
    host.run(["sh", "-c", _OWN_FILES])
    host.write_etc("default/ufw", _DEFAULTS)
    enable_as_packaged(host, UNIT)
    ufw = Ufw(host)
    ufw.command("--force", "enable")
    return ufw
