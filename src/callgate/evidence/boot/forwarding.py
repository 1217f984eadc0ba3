"""Whether a host forwards packets after a boot: what systemd-sysctl(8), sysctl(8) and ufw set then."""

from __future__ import annotations

import re
from typing import Final

from callgate.evidence.bundle import Bundle
from callgate.firewall.rule import Family

PARAMETERS: Final = "boot-sysctl.txt"
SWITCHES: Final[dict[Family, str]] = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
_SAME: Final = {"net.ipv4.conf.all.forwarding": SWITCHES[4]}
"""Another name of the same variable of the kernel (ip-sysctl.rst)."""
_FILE: Final = re.compile(r"# (?P<path>/\S+)")
_FOLDERS: Final = ("/etc/sysctl.d/", "/usr/local/lib/sysctl.d/", "/usr/lib/sysctl.d/", "/lib/sysctl.d/")
"""The first that has a file of some name counts (sysctl.d(5))."""
_LAST: Final = "/etc/sysctl.conf"
_UFW: Final = "/etc/ufw/sysctl.conf"
_SETTING: Final = re.compile(r"\s*-?\s*(?P<key>net[./]ipv[46][\w./-]*?)\s*=\s*(?P<value>\d{1,9})\s*")


def forwarding_at_boot(bundle: Bundle, *, ufw: bool) -> dict[Family, bool]:
    """The families for which a file says whether forwarding is on, and what the last one says.

    `ufw`: whether ufw starts, which reads a file of its own. Raises EvidenceError for a damaged list.
    """
    if PARAMETERS not in bundle:
        return {}
    files: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in bundle.text(PARAMETERS).splitlines():
        if named := _FILE.fullmatch(line):
            lines = files.setdefault(named["path"], [])
        else:
            lines.append(line)
    found: dict[Family, bool] = {}
    for path in _in_order(files, ufw):
        for line in files[path]:
            if (setting := _SETTING.fullmatch(line)) is None:
                continue
            key = setting["key"].replace("/", ".")
            for family, switch in SWITCHES.items():
                if _SAME.get(key, key) == switch:
                    found[family] = int(setting["value"]) != 0
    return found


def _in_order(files: dict[str, list[str]], ufw: bool) -> list[str]:
    """The files that are read, the last one last."""
    read: dict[str, str] = {}
    for folder in _FOLDERS:
        for path in files:
            if path.startswith(folder):
                read.setdefault(path.removeprefix(folder), path)
    last = [_LAST] if _LAST in files else []
    last += [_UFW] if ufw and _UFW in files else []
    return [*(path for _, path in sorted(read.items())), *last]
