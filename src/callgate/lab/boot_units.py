"""Units of a lab host, and which of them start at boot: systemd's files and links, though no systemd runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

from callgate.errors import LabError
from callgate.lab.host import LabHost

_PERSISTENT: Final = """\
[Unit]
Description=netfilter persistent configuration
DefaultDependencies=no
Wants=network-pre.target systemd-modules-load.service local-fs.target
Before=network-pre.target shutdown.target
After=systemd-modules-load.service local-fs.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/netfilter-persistent start
ExecStop=/usr/sbin/netfilter-persistent stop

[Install]
WantedBy=multi-user.target
"""
_OF_RHEL: Final = """\
[Unit]
Description={description}
Before=network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={start} start

[Install]
WantedBy={wanted}
"""
PACKAGED: Final[Mapping[str, str]] = {
    "netfilter-persistent.service": _PERSISTENT,
    "iptables.service": _OF_RHEL.format(
        description="IPv4 firewall with iptables",
        start="/usr/libexec/iptables/iptables.init",
        wanted="multi-user.target",
    ),
    "ip6tables.service": _OF_RHEL.format(
        description="IPv6 firewall with ip6tables",
        start="/usr/libexec/iptables/ip6tables.init",
        wanted="multi-user.target",
    ),
    "ipset.service": _OF_RHEL.format(
        description="Manage IP sets", start="/usr/libexec/ipset/ipset.start-stop", wanted="basic.target"
    ),
}
"""Units of packages that this machine may lack, as their packages have them; what they start is done by `reboot`."""

_PLACES: Final = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_UNIT_NAME: Final = re.compile(r"[A-Za-z0-9@_.-]{1,100}\.service")
_LINKS: Final = """\
for link in /etc/systemd/system/*.wants/*.service /etc/systemd/system/*.requires/*.service; do
  if [ -e "$link" ]; then basename "$link"; fi
done
"""
_UNLINK: Final = """\
for link in /etc/systemd/system/* /etc/systemd/system/*/*; do
  if [ -L "$link" ] && [ "$(basename "$(readlink "$link")")" = "$1" ]; then rm -f "$link"; fi
done
"""


def enable(host: LabHost, unit: str) -> None:
    """Have the unit start at boot, by the links that `systemctl enable` makes.

    Raises LabError for a unit that neither the host nor `PACKAGED` has, or that nothing could want.
    """
    path, text = unit_file(host, unit) or _install(host, unit)
    links = [f"{target}.{kind}/{unit}" for kind, target in _install_section(text, ("WantedBy", "RequiredBy"))]
    links += [alias for _, alias in _install_section(text, ("Alias",))]
    if not links:
        raise LabError(f"{host.name}: {unit} has no [Install] section")
    for link in links:
        place = f"/etc/systemd/system/{link}"
        host.run(["sh", "-c", 'mkdir -p "${2%/*}" && ln -sfn "$1" "$2"', "sh", path, place])


def enable_as_packaged(host: LabHost, unit: str) -> None:
    """Enable a unit of a package that enables it as it is installed; nothing where this machine has the tool alone."""
    if unit_file(host, unit) is not None:
        enable(host, unit)


def disable(host: LabHost, unit: str) -> None:
    """Take the unit's links away, so that it does not start at boot; its files stay."""
    host.run(["sh", "-c", _UNLINK, "sh", unit])


def enabled_units(host: LabHost) -> list[str]:
    """The units that something wants at boot."""
    return list(dict.fromkeys(host.run(["sh", "-c", _LINKS]).stdout.split()))


def unit_file(host: LabHost, unit: str) -> tuple[str, str] | None:
    """Path and text of a unit on the host; None when it has none of that name."""
    if not _UNIT_NAME.fullmatch(unit):
        raise LabError(f"{host.name}: not the name of a service: {unit!r}")
    for place in _PLACES:
        shown = host.run(["cat", f"{place}/{unit}"], check=False)
        if shown.returncode == 0:
            return f"{place}/{unit}", shown.stdout
    return None


def _install(host: LabHost, unit: str) -> tuple[str, str]:
    if unit not in PACKAGED:
        raise LabError(f"{host.name}: there is no {unit}")
    host.write_etc(f"systemd/system/{unit}", PACKAGED[unit])
    return f"/etc/systemd/system/{unit}", PACKAGED[unit]


def _install_section(
    text: str, keys: tuple[Literal["WantedBy", "RequiredBy", "Alias"], ...]
) -> Iterator[tuple[str, str]]:
    section = text.partition("[Install]")[2]
    for key, values in re.findall(r"^(\w+)=(.*)$", section, re.MULTILINE):
        if key in keys:
            for value in values.split():
                yield ("wants" if key == "WantedBy" else "requires"), value
