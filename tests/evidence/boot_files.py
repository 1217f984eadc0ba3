"""What the collector takes of how a host boots, for hosts that tests make."""

from __future__ import annotations

from pathlib import Path
from typing import Final

BOOT_FILES: Final = (
    "boot-active.txt",
    *(f"etc/iptables/{name}" for name in ("rules.v4", "rules.v6", "ipsets")),
    *(f"etc/sysconfig/{name}" for name in ("iptables", "iptables.fallback", "ip6tables", "ip6tables.fallback")),
    *("etc/sysconfig/ipset", "etc/sysconfig/nftables.conf", "etc/nftables.conf"),
    *("etc/default/netfilter-persistent", "etc/default/ufw", "etc/ufw/ufw.conf", "etc/ufw/sysctl.conf"),
    *(f"etc/ufw/{name}.rules" for name in ("before", "before6", "user", "user6", "after", "after6")),
    *("etc/firewalld/firewalld.conf", "etc/firewalld/direct.xml", "etc/csf/csf.conf", "etc/csf/csf.disable"),
    *("etc/callgate/gate.nft", "etc/callgate/gate.v4", "etc/callgate/gate.v6"),
)
"""Files that a host may have or not; the collector says of each."""
FOLDERS: Final = (
    *("nftables", "nftables.d"),
    *(f"firewalld/{name}" for name in ("zones", "policies", "services", "ipsets", "icmptypes", "helpers")),
)
MANAGERS: Final = ("nftables", "netfilter-persistent", "ufw", "firewalld", "fail2ban", "docker")
UFW: Final = Path(__file__).parents[1] / "data" / "hosts" / "ufw02-allow-lan" / "etc" / "ufw"


def unit_states(*enabled: str, folders: tuple[str, ...] = ()) -> dict[str, bytes]:
    """What is always taken, of a host with systemd: these units are enabled, and there are no files in folders.

    `folders`: lines of boot-folders.txt in place of some folder's `absent`, like `folder /etc/nftables.d`.
    """
    states = {**dict.fromkeys(MANAGERS, "disabled"), **dict.fromkeys(enabled, "enabled")}
    told = {line.split()[1] for line in folders}
    lines = [*folders, *(f"absent /etc/{name}" for name in FOLDERS if f"/etc/{name}" not in told)]
    return {
        "boot-units.txt": "".join(f"{name}.service {state} enabled\n" for name, state in states.items()).encode(),
        "boot-folders.txt": "".join(f"{line}\n" for line in lines).encode(),
        "boot-links.txt": b"",
        "boot-commands.txt": b"",
        "boot-others.txt": b"",
    }
