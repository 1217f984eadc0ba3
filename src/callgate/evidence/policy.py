"""Builds the policy of a host from the texts of its bundle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from callgate.errors import EvidenceError
from callgate.evidence.interfaces import read_addresses, read_routes
from callgate.firewall.allocation import without_collection
from callgate.firewall.assumed import assumed_host
from callgate.firewall.dumps import DUMPS, read_ruleset
from callgate.firewall.host import Host, HostRoute, LinkAddress
from callgate.firewall.policy import Policy
from callgate.firewall.rule import Family

_ROUTES = ("ip-route.json", "ip6-route.json")
POLICY_FILES = ("ip-addr.json", *_ROUTES, "sysctl.txt")
"""What a policy is made of beside the firewall dumps."""


def policy_of(texts: Mapping[str, str]) -> Policy:
    """The policy that the texts of a bundle (file name to content) describe.

    Firewall dumps that are not among them count as empty. Dumps that come alone are judged on a host made of what
    they name. Raises EvidenceError for a text that is damaged, and when `ip-addr.json` alone is missing.
    """
    with without_collection():
        ruleset = read_ruleset(texts)
        return Policy(ruleset, assumed_host(ruleset) if rules_alone(texts) else read_host(texts))


def rules_alone(files: Iterable[str]) -> bool:
    """Whether the files are firewall dumps and nothing else: a ruleset without its host."""
    names = set(files)
    return bool(names) and names <= set(DUMPS)


def read_host(texts: Mapping[str, str]) -> Host:
    """Addresses, routes and parameters. Raises EvidenceError when the addresses are missing or a text is damaged."""
    if "ip-addr.json" not in texts:
        raise EvidenceError("ip-addr.json", "is not in the bundle: which addresses are the host's is not known")
    addresses = tuple(
        LinkAddress(entry.interface, _family(entry.address.version), int(entry.address), entry.network.prefixlen)
        for entry in read_addresses(texts["ip-addr.json"])
    )
    links = [link for link in json.loads(texts["ip-addr.json"]) if isinstance(link, dict)]
    names = tuple(dict.fromkeys(str(link["ifname"]) for link in links))
    return Host(
        addresses=addresses,
        routes=_routes(texts),
        interfaces=names,
        loopback=next((str(link["ifname"]) for link in links if "LOOPBACK" in link.get("flags", ())), "lo"),
        sysctls=_sysctls(texts.get("sysctl.txt", "")),
        programs=frozenset(str(link["ifname"]) for link in links if link.get("xdp")),
        bridges=frozenset(str(link["master"]) for link in links if "master" in link),
        closed=frozenset(str(link["ifname"]) for link in links if _closed(link)),
    )


def _closed(link: dict[str, Any]) -> bool:
    """Whether nothing comes in by it as from itself: it is down, or a port of a bridge or bond.

    What a VRF encloses has a master too, but addresses of its own.
    """
    if "UP" not in link.get("flags", ("UP",)):
        return True
    return "master" in link and all(one.get("scope") == "link" for one in link.get("addr_info", ()) if one)


def _routes(texts: Mapping[str, str]) -> tuple[HostRoute, ...] | None:
    if not any(texts.get(file, "").strip() for file in _ROUTES):
        return None
    found = [
        HostRoute(
            _family(route.destination.version),
            int(route.destination.network_address),
            route.destination.prefixlen,
            route.interfaces,
            route.table,
        )
        for file in _ROUTES
        if file in texts
        for route in read_routes(texts[file], file)
    ]
    return tuple(dict.fromkeys(found))


def _sysctls(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key, equals, value = line.partition(" = ")
        if not equals or not key.strip() or " " in key.strip():
            raise EvidenceError("sysctl.txt", f"not a `key = value` line: {line[:80]!r}", number)
        found[key.strip()] = value.strip()
    return found


def _family(version: int) -> Family:
    return 4 if version == 4 else 6
