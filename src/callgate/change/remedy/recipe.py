"""A remedy as a format writes it, with the ruleset it leads to; and why a format cannot write one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from callgate.errors import CallgateError
from callgate.firewall.rule import Ruleset

if TYPE_CHECKING:
    from callgate.change.remedy.need import Need

Format = Literal["nft", "iptables", "firewalld", "ufw", "ansible"]


class Refused(CallgateError):  # noqa: N818 - says what happened, as in errors.py
    """A format has no remedy that is proven to work on this host; the text says why, and which format may do."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One remedy for one host: what is run there, and what the host is then."""

    format: Format
    script: str
    """What is printed: a POSIX sh script (`apply`, the default, `rollback`, `status`), or a playbook."""
    ruleset: Ruleset
    """The ruleset as it is after the remedy."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What it leaves below /etc, by the bundle's names: `etc/callgate/gate.nft` to its text."""
    units: tuple[str, ...] = ()
    """The systemd units it enables, like `callgate-gate.service`."""
    opens: tuple[Need, ...] = ()
    """The needs of `open` that it claims to meet: the proof holds it to them."""
    notes: tuple[str, ...] = ()
    """What it does not do, and what was taken for granted; printed beside the script."""
