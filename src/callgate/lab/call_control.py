"""Makes the lab's PBX a call-control host: its servers, its firewall rules, and the site file that describes it."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from callgate.lab.availability import find_tool
from callgate.lab.boot_files import NFTABLES_UNIT, save_nftables
from callgate.lab.boot_units import enable_as_packaged
from callgate.lab.call_manager import start_call_manager
from callgate.lab.host import LabHost
from callgate.lab.kamailio import start_kamailio
from callgate.lab.rulesets import RIGHT_REMEDY_NFT, RTP_PORTS, USUAL_REMEDY
from callgate.lab.topology import Lab

SITE = """\
# The lab's site: phones live on eth0's side, everyone else is a stranger.
trusted: [192.168.1.0/24, "fd00:1::/64"]
auditor: none  # this machine has no way into the lab but the namespaces
vantages:
  - {{name: phone network, host: "{trusted}", side: trusted}}
  - {{name: internet, host: "{stranger}", side: stranger}}
"""
DEVICES: Final = {"SEPCA11CA7E0001": "1001"}
ECHO: Final = "600"
SCCP_PHONE: Final = """\
  - {name: desk phone, device: SEPCA11CA7E0001, number: 1001, dials: 600, unknown: SEPCA11CA7EFFFF}
"""
SIP_USERS: Final = ("4711", "4712")
SIP_PHONES: Final = """\
  - {name: soft phone, application: sip, user: 4711, password_file: 4711.password, number: 4711, dials: 4712}
  - {name: door phone, application: sip, transport: tcp, user: 4712, password_file: 4712.password, number: 4712}
"""


@dataclass(frozen=True, slots=True)
class CallControl:
    """The servers that run on the lab's PBX."""

    running: tuple[str, ...]
    """In words."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the SIP users."""


def write_site(lab: Lab, phones: CallControl | None = None) -> Path:
    """Write the lab's site file into its directory; with `phones`, those that the servers know, and their passwords."""
    path = lab.directory / "site.yaml"
    text = SITE.format(trusted=lab.trusted.uri, stranger=lab.stranger.uri)
    if phones is not None:
        text += "test_phones:\n" + SCCP_PHONE + (SIP_PHONES if phones.passwords else "")
        for user, password in phones.passwords.items():
            (lab.directory / f"{user}.password").write_text(password, encoding="ascii")
    path.write_text(text, encoding="utf-8")
    return path


def start_servers(pbx: LabHost) -> CallControl:
    """Start the call manager and, where it is installed, Kamailio."""
    start_call_manager(pbx, devices=DEVICES, echo=ECHO, options=("--rtp", RTP_PORTS))
    running, passwords = ["a call manager on 2000/tcp"], {}
    if find_tool("kamailio"):
        passwords = {user: secrets.token_hex(12) for user in SIP_USERS}
        start_kamailio(pbx, users=passwords, calls=True)
        running.append("Kamailio on 5060/udp and 5060/tcp")
    return CallControl(tuple(running), passwords)


def apply_firewall(pbx: LabHost, kind: Literal["none", "usual", "right"]) -> None:
    """Load `usual` (the advice that is around) or `right` rules; `none` leaves the host open.

    The right ones are saved too, and `nftables.service` is enabled where the machine has it: they are there after a
    reboot.
    """
    if kind == "usual":
        for command in USUAL_REMEDY:
            pbx.run(shlex.split(command))
    elif kind == "right":
        pbx.load_nft(RIGHT_REMEDY_NFT)
        save_nftables(pbx, RIGHT_REMEDY_NFT)
        enable_as_packaged(pbx, NFTABLES_UNIT)
