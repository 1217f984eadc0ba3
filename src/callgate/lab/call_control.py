"""Makes the lab's PBX a call-control host: its servers, its firewall rules, and the site file that describes it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

from callgate.lab.availability import find_tool
from callgate.lab.host import LabHost
from callgate.lab.kamailio import start_kamailio
from callgate.lab.rulesets import RIGHT_REMEDY_NFT, USUAL_REMEDY
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab

SITE = """\
# The lab's site: phones live on eth0's side, everyone else is a stranger.
trusted: [192.168.1.0/24, "fd00:1::/64"]
auditor: none  # this machine has no way into the lab but the namespaces
vantages:
  - {{name: phone network, host: "{trusted}", side: trusted}}
  - {{name: internet, host: "{stranger}", side: stranger}}
"""


def write_site(lab: Lab) -> Path:
    """Write the lab's site file into its directory."""
    path = lab.directory / "site.yaml"
    path.write_text(SITE.format(trusted=lab.trusted.uri, stranger=lab.stranger.uri), encoding="utf-8")
    return path


def start_servers(pbx: LabHost) -> tuple[str, ...]:
    """Start an SCCP responder and, where it is installed, Kamailio; returns what runs, in words."""
    start_sccp(pbx)
    started = ["an SCCP responder on 2000/tcp"]
    if find_tool("kamailio"):
        start_kamailio(pbx)
        started.append("Kamailio on 5060/udp and 5060/tcp")
    return tuple(started)


def apply_firewall(pbx: LabHost, kind: Literal["none", "usual", "right"]) -> None:
    """Load `usual` (the advice that is around) or `right` rules; `none` leaves the host open."""
    if kind == "usual":
        for command in USUAL_REMEDY:
            pbx.run(shlex.split(command))
    elif kind == "right":
        pbx.load_nft(RIGHT_REMEDY_NFT)
