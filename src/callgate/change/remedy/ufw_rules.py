"""Rules of ufw: as its command takes them, and as its file user.rules has them.

ufw compares rules without their action: beside `allow 2000/tcp` it leaves `prepend deny 2000/tcp` out, and says so with
exit code 0. A rule that one of the host's would shadow so is split into halves, which differ in their source. Observed
with ufw 0.36.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Final, Literal

from callgate.baseline.service import Service
from callgate.change.remedy.recipe import Refused
from callgate.evidence.interfaces import Network
from callgate.firewall.rule import Family

FILES: Final[dict[Family, str]] = {4: "etc/ufw/user.rules", 6: "etc/ufw/user6.rules"}
ANYBODY: Final[dict[Family, Network]] = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}
COMMENT: Final = "callgate"
_MARK: Final = "### tuple ### "
_HEAD: Final = "### RULES ###\n"
_SPLIT: Final = 3
"""How often a rule is split before nobody could read it any more."""


@dataclass(frozen=True, slots=True)
class UfwRule:
    """One rule about one service, in one family."""

    family: Family
    service: Service
    action: Literal["allow", "deny"]
    source: Network
    destination: Network
    interface: str | None = None
    """The interface that packets come in by; None for any."""
    forwarded: bool = False
    """Of packets that go through the host (`ufw route`)."""

    @property
    def words(self) -> str:
        """What `ufw` is told behind `prepend`, `insert N` or `delete`; none of the words holds a space."""
        inward = f"in on {self.interface} " if self.interface else "" if self.forwarded else "in "
        return (
            f"{self.action} {inward}proto {self.service.transport} from {_long(self.source)} "
            f"to {_long(self.destination)} port {self.ports}"
        )

    @property
    def ports(self) -> str:
        """The ports, like `2000` or `6970:6972`."""
        return ":".join(map(str, dict.fromkeys((self.service.port[0], self.service.port[-1]))))

    @property
    def key(self) -> str:
        """What ufw tells rules apart by: all of its line but the action and the comment."""
        where = f"in_{self.interface}" if self.interface else "in"
        ends = f"{_long(self.destination)} any {_long(self.source)}"
        return f"{'route ' if self.forwarded else ''}{self.service.transport} {self.ports} {ends} {where}"

    @property
    def tuple(self) -> str:
        """Its line in user.rules, behind `### tuple ### `."""
        action = f"route:{self.action}" if self.forwarded else self.action
        return f"{action} {self.key.removeprefix('route ')} comment={COMMENT.encode().hex()}"

    @property
    def text(self) -> str:
        """Its paragraph of user.rules."""
        chain = f"ufw{'6' if self.family == 6 else ''}-user-{'forward' if self.forwarded else 'input'}"
        return f"\n{_MARK}{self.tuple}\n-A {chain} {self.options}\n"

    @property
    def options(self) -> str:
        """What iptables-restore is told, without the chain."""
        several = len(self.service.port) > 1
        anybody = ANYBODY[self.family]
        parts = [
            f"-i {self.interface}" if self.interface else "",
            f"-p {self.service.transport}",
            f"-m multiport --dports {self.ports}" if several else "",
            f"-d {_long(self.destination)}" if self.destination != anybody else "",
            f"--dport {self.ports}" if not several else "",
            f"-s {_long(self.source)}" if self.source != anybody else "",
            f"-j {'ACCEPT' if self.action == 'allow' else 'DROP'}",
        ]
        return " ".join(part for part in parts if part)


def _long(network: Network) -> str:
    """A network as ufw writes it: a single address without its length."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def keys_of(text: str) -> Iterator[str]:
    """What tells apart each rule of a user.rules file; see `UfwRule.key`. Application profiles are apart."""
    for line in text.splitlines():
        if line.startswith(_MARK):
            action, *rest = line.removeprefix(_MARK).split()
            if len(rest) >= 6 and (len(rest) == 6 or rest[6].startswith("comment=")):
                yield f"{'route ' if action.startswith('route:') else ''}{' '.join(rest[:6])}"


def tuples_of(text: str) -> frozenset[str]:
    """The lines of the rules in a user.rules file, as `UfwRule.tuple` has them."""
    return frozenset(line.removeprefix(_MARK) for line in text.splitlines() if line.startswith(_MARK))


def apart(rules: Iterable[UfwRule], text: str) -> tuple[UfwRule, ...]:
    """The rules, those that ufw would leave out split into halves. Raises Refused where halves do not help."""
    taken = set(keys_of(text))
    found: list[UfwRule] = []
    for rule in rules:
        pieces = [rule]
        for _ in range(_SPLIT):
            if not any(piece.key in taken for piece in pieces):
                break
            pieces = [half for piece in pieces for half in (_halves(piece) if piece.key in taken else [piece])]
        if any(piece.key in taken for piece in pieces):
            raise Refused(f"ufw has other rules for just these packets, and takes no second one: {rule.words}")
        found += pieces
    return tuple(found)


def _halves(rule: UfwRule) -> list[UfwRule]:
    if rule.source.num_addresses == 1:
        return [rule]
    return [replace(rule, source=half) for half in rule.source.subnets()]


def text_after(text: str, rules: Iterable[UfwRule]) -> str:
    """A user.rules file with rules at its head, in this order. Raises Refused for a file that is none of ufw's."""
    head, mark, rest = text.partition(_HEAD)
    if not mark:
        raise Refused("etc/ufw/user.rules is not a file that ufw wrote")
    return f"{head}{mark}{''.join(rule.text for rule in rules)}{rest}"
