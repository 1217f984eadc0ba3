"""firewalld's files as a remedy leaves them: zones (firewalld.zone(5)) and direct.xml (firewalld.direct(5)).

A zone that was never changed has no file of its own: firewalld writes one, from what `--permanent --list-all-zones`
printed, when it first is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final
from xml.sax.saxutils import quoteattr

from callgate.change.remedy.firewalld_rules import Placed, PlacedDirect
from callgate.change.remedy.firewalld_zones import section
from callgate.evidence.boot.files import FOLDERS_LIST
from callgate.evidence.bundle import Bundle

DIRECT: Final = "etc/firewalld/direct.xml"
PERMANENT: Final = "firewalld-permanent.txt"
_HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>\n'
_TARGETS: Final = {
    "default": "",
    "ACCEPT": "ACCEPT",
    "DROP": "DROP",
    "%%REJECT%%": "%%REJECT%%",
    "REJECT": "%%REJECT%%",
}
_LISTED: Final = {
    "interfaces": '<interface name="{}"/>',
    "services": '<service name="{}"/>',
    "protocols": '<protocol value="{}"/>',
    "icmp-blocks": '<icmp-block name="{}"/>',
}
_PORTS: Final = {"ports": "port", "source-ports": "source-port"}
_SWITCHES: Final = {"forward": "forward", "masquerade": "masquerade", "icmp-block-inversion": "icmp-block-inversion"}
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_FORWARDED: Final = {"port": "port", "proto": "protocol", "toport": "to-port", "toaddr": "to-addr"}


def files_after(bundle: Bundle, change: Sequence[Placed | PlacedDirect]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The files that the permanent part of a change leaves, and the zones whose file cannot be told."""
    found: dict[str, str] = {}
    untold: list[str] = []
    zones: dict[str, list[str]] = {}
    direct: list[str] = []
    for one in change:
        if one.view == "permanent" and isinstance(one, Placed):
            zones.setdefault(one.zone, []).append(one.rule.xml())
        elif one.view == "permanent":
            direct.append(one.rule.xml())
    for zone, added in zones.items():
        name = f"etc/firewalld/zones/{zone}.xml"
        before = bundle.text(name) if name in bundle else zone_file(bundle, zone)
        at = before.rfind("</zone>") if before is not None else -1
        if before is None or at < 0:
            untold.append(zone)
        else:
            found[name] = before[:at] + "".join(added) + before[at:]
    if direct:
        before = bundle.text(DIRECT) if DIRECT in bundle else f"{_HEAD}<direct>\n</direct>\n"
        before = re.sub(r"<direct\s*/>", "<direct>\n</direct>", before)
        at = before.rfind("</direct>")
        found[DIRECT] = before[:at] + "".join(direct) + before[at:]
    return found | _listed(bundle, found), tuple(untold)


def _listed(bundle: Bundle, files: Iterable[str]) -> dict[str, str]:
    """The bundle's list of files in folders, with files that are new in it."""
    if FOLDERS_LIST not in bundle:
        return {}
    lines = bundle.text(FOLDERS_LIST).splitlines()
    for path in files:
        folder = path.rpartition("/")[0]
        lines = [f"folder /{folder}" if line == f"absent /{folder}" else line for line in lines]
        if f"folder /{folder}" in lines and f"file /{path}" not in lines:
            lines.append(f"file /{path}")
    return {FOLDERS_LIST: "".join(f"{line}\n" for line in lines)}


def zone_file(bundle: Bundle, zone: str) -> str | None:
    """The file that firewalld would write for a zone as it is permanently; None where the evidence does not tell."""
    lines = section(bundle.text(PERMANENT), zone) if PERMANENT in bundle else None
    if lines is None:
        return None
    target, parts = "", []
    key = ""
    for line in lines:
        if not line.startswith(("\t", "    ")) and ":" in line:
            key, _, value = (part.strip() for part in line.partition(":"))
        else:
            value = line.strip()
        if key == "target":
            if value not in _TARGETS:
                return None
            target = _TARGETS[value]
        elif key == "rich rules":
            parts += [_rich(value)] if value else []
        else:
            parts += [f"  {part}\n" for part in _parts(key, value)]
    attribute = f" target={quoteattr(target)}" if target else ""
    return f"{_HEAD}<zone{attribute}>\n{''.join(parts)}</zone>\n"


def _parts(key: str, value: str) -> list[str]:
    """The elements for one line of the listing."""
    words = value.split()
    if key in _LISTED:
        return [_LISTED[key].format(_safe(word)) for word in words]
    if key in _PORTS:
        ports = [word.partition("/") for word in words]
        return [
            f"<{_PORTS[key]} port={quoteattr(port)} protocol={quoteattr(protocol)}/>" for port, _, protocol in ports
        ]
    if key in _SWITCHES:
        return [f"<{_SWITCHES[key]}/>"] if value == "yes" else []
    if key == "sources":
        return [_source(word) for word in words]
    if key == "forward-ports":
        return [_forward(word) for word in words]
    return []


def _source(word: str) -> str:
    if word.startswith("ipset:"):
        return f"<source ipset={quoteattr(word.removeprefix('ipset:'))}/>"
    kind = "mac" if _MAC.fullmatch(word) else "address"
    return f"<source {kind}={quoteattr(word)}/>"


def _forward(word: str) -> str:
    pairs = [pair.partition("=") for pair in word.split(":")] if "=" in word else []
    # IPv6 addresses hold colons themselves.
    where = word.partition(":toaddr=")[2]
    told = {_FORWARDED[name]: value for name, _, value in pairs if name in _FORWARDED and value and name != "toaddr"}
    if where:
        told["to-addr"] = where
    return "<forward-port " + " ".join(f"{name}={quoteattr(value)}" for name, value in told.items()) + "/>"


def _rich(text: str) -> str:
    """A rich rule in XML: each word names an element, and its attributes follow it."""
    rule: dict[str, str] = {}
    elements: list[tuple[str, dict[str, str]]] = []
    for word in shlex.split(text)[1:]:
        name, equals, value = word.partition("=")
        if equals:
            (elements[-1][1] if elements else rule)[name] = value
        elif word.lower() == "not" and elements:
            elements[-1][1]["invert"] = "True"
        else:
            elements.append((name, {}))
    lines = [f"  <rule{_attributes(rule)}>"]
    at = 0
    while at < len(elements):
        name, attributes = elements[at]
        limit = elements[at + 1] if at + 1 < len(elements) and elements[at + 1][0] == "limit" else None
        if limit is None:
            lines.append(f"    <{_safe(name)}{_attributes(attributes)}/>")
        else:
            inner = f"<limit{_attributes(limit[1])}/>"
            lines.append(f"    <{_safe(name)}{_attributes(attributes)}>{inner}</{_safe(name)}>")
        at += 1 if limit is None else 2
    return "\n".join([*lines, "  </rule>", ""])


def _attributes(attributes: dict[str, str]) -> str:
    return "".join(f" {_safe(name)}={quoteattr(value)}" for name, value in attributes.items())


def _safe(word: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.:@+-]", "_", word)
