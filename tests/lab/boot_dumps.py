"""Firewall dumps without what differs from one load to the next: handles, counters and times, by parsing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from callgate.lab.host import LabHost

COUNTED = re.compile(r"\[\d+:\d+\] ?")
DUMPS = {
    "nft.json": ["nft", "-j", "list", "ruleset"],
    "iptables-save.txt": ["iptables-nft-save", "-c"],
    "ip6tables-save.txt": ["ip6tables-nft-save", "-c"],
    "iptables-legacy-save.txt": ["iptables-legacy-save", "-c"],
    "ip6tables-legacy-save.txt": ["ip6tables-legacy-save", "-c"],
}


def contents(texts: Mapping[str, str]) -> dict[str, Any]:
    """What the dumps hold, by file; those that hold nothing are left out."""
    found = {name: _nft(text) if name == "nft.json" else _saved(text) for name, text in texts.items() if name in DUMPS}
    return {name: content for name, content in found.items() if content}


def of_host(host: LabHost) -> dict[str, Any]:
    """The same of a lab host; the legacy tables only where its kernel lists some."""
    listed = {
        tool: host.run(["cat", f"/proc/net/{names}"], check=False).stdout.strip()
        for tool, names in (("iptables", "ip_tables_names"), ("ip6tables", "ip6_tables_names"))
    }
    return contents(
        {
            name: host.run(command).stdout
            for name, command in DUMPS.items()
            if "legacy" not in name or listed[name.partition("-")[0]]
        }
    )


def etc_of(host: LabHost, *names: str) -> dict[str, str]:
    """Files of a lab host, by name like `etc/nftables.conf`; folders with what is in them."""
    below = host.run(["find", *(f"/etc/{name}" for name in names), "-type", "f"]).stdout.split()
    return {path.lstrip("/"): host.run(["cat", path]).stdout for path in sorted(below)}


def _nft(text: str) -> list[Any]:
    return [_bare(entry) for entry in json.loads(text)["nftables"] if "metainfo" not in entry]


def _bare(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _bare(value) for key, value in node.items() if key not in ("handle", "packets", "bytes")}
    return [_bare(value) for value in node] if isinstance(node, list) else node


def _saved(text: str) -> list[str]:
    return [COUNTED.sub("", line).strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
