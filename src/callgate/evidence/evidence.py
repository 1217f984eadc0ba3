"""What a bundle proves: listeners, addresses, routes, sysctls, filtering. Parsed on demand, once.

Every answer is either sound or a `NotDetermined`: a file that is missing, refused, cut short or not what its
name says never reads as "nothing there".
"""

from __future__ import annotations

import re
from functools import cached_property

from callgate.errors import EvidenceError
from callgate.evidence.bundle import Bundle
from callgate.evidence.conntrack import CONNTRACK, Flow, read_conntrack
from callgate.evidence.filtering import NOTHING, Filtering, names_address, read_nft, read_save
from callgate.evidence.interfaces import InterfaceAddress, Route, read_addresses, read_routes
from callgate.evidence.listener import Address, Family, Listener, Transport, union
from callgate.evidence.netstat import read_netstat
from callgate.evidence.policy import POLICY_FILES, policy_of, rules_alone
from callgate.evidence.proc_net import read_proc_net
from callgate.evidence.ss import read_ss
from callgate.firewall.dumps import DUMPS
from callgate.firewall.policy import Policy

_DUMPS = ("nft.json", "iptables-save.txt", "ip6tables-save.txt")
_LEGACY = {
    "iptables-legacy-save.txt": "ip_tables_names.txt",
    "ip6tables-legacy-save.txt": "ip6_tables_names.txt",
}
_IPV4_DUMPS = ("nft.json", "iptables-save.txt", "iptables-legacy-save.txt")
_IPV6_DUMPS = ("nft.json", "ip6tables-save.txt", "ip6tables-legacy-save.txt")
_ROUTES = ("ip-route.json", "ip6-route.json")
_IPVS = "proc-net-ip_vs.txt"
_KEPT_PORTS = re.compile(r"port=\(([0-9]{1,5}(?:\|[0-9]{1,5}){0,99})\)")
_RP_FILTER = re.compile(r"^net\.ipv4\.conf\.\S+\.rp_filter = ", re.MULTILINE)
_RULE_TEXTS = (*_DUMPS, *_LEGACY, "nft.txt", "ipset-save.txt")
_PROC_NET: tuple[tuple[str, Transport, Family], ...] = (
    ("proc-net-tcp.txt", "tcp", 4),
    ("proc-net-udp.txt", "udp", 4),
    ("proc-net-tcp6.txt", "tcp", 6),
    ("proc-net-udp6.txt", "udp", 6),
)


class Evidence:
    """The state of one host, as its bundle proves it. Properties raise EvidenceError where it does not."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @cached_property
    def listeners(self) -> tuple[Listener, ...]:
        """Every listening socket that any source in the bundle shows.

        `ss` first, else `netstat`; the kernel's own lists add what these leave out, and stand in for them.
        An empty list is believed only when the manifest vouches for it or the kernel's list agrees.
        """
        bundle = self.bundle
        kernel, complete = self._kernel_listeners()
        for file, read in (("ss.txt", read_ss), ("netstat.txt", read_netstat)):
            if file in bundle:
                listeners = read(bundle.text(file), file)
                if not listeners and bundle.by_hand and not complete:
                    raise EvidenceError(file, "is empty, and no manifest says that it is complete")
                return union(listeners, kernel)
        if not complete:
            # Asking for the file gives the reason: a tool that failed, or a bundle without it.
            bundle.read("ss.txt")
            raise EvidenceError("ss.txt", "is not in the bundle, and nothing stands in for it")
        return kernel

    def _kernel_listeners(self) -> tuple[tuple[Listener, ...], bool]:
        """What the lists of /proc/net show, and whether the bundle has all four."""
        found: list[Listener] = []
        complete = True
        for file, transport, family in _PROC_NET:
            if file in self.bundle:
                found.extend(read_proc_net(self.bundle.text(file), transport, family, file))
            elif not (family == 6 and self.bundle.absent(file)):  # a kernel without IPv6 has no such list
                complete = False
        return tuple(found), complete

    @cached_property
    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """Every address of every interface."""
        return read_addresses(self.bundle.text("ip-addr.json"))

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """The unicast routes of both families."""
        routes = self._routes("ip-route.json")
        # `ip -j route show table all` has the IPv6 routes as well.
        told = self.bundle.by_hand and any(route.destination.version == 6 for route in routes)
        if "ip6-route.json" in self.bundle or not (told or (self.bundle.by_hand and not self._has_ipv6())):
            routes += self._routes("ip6-route.json")
        return tuple(dict.fromkeys(routes))

    def _routes(self, file: str) -> tuple[Route, ...]:
        text = self.bundle.text(file)
        if self.bundle.by_hand and not text.strip():
            raise EvidenceError(file, "is empty, and no manifest says that it is complete")
        return read_routes(text, file)

    @cached_property
    def sysctls(self) -> dict[str, str]:
        """The kernel parameters the bundle holds, by name."""
        found: dict[str, str] = {}
        for number, line in enumerate(self.bundle.text("sysctl.txt").splitlines(), 1):
            key, equals, value = line.partition(" = ")
            if not equals or not key.strip() or " " in key.strip():
                raise EvidenceError("sysctl.txt", f"not a `key = value` line: {line[:80]!r}", number)
            found[key.strip()] = value.strip()
        if not found:
            raise EvidenceError("sysctl.txt", "is empty")
        return found

    def forwards(self) -> bool:
        """Whether the host forwards packets of either family between its interfaces.

        Raises EvidenceError when no parameter tells; a host without IPv6 has none for it.
        """
        values = self.sysctls
        switches = [
            value
            for key, value in values.items()
            if key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
            or (key.startswith(("net.ipv4.conf.", "net.ipv6.conf.")) and key.endswith(".forwarding"))
        ]
        if "net.ipv4.ip_forward" not in values:
            raise EvidenceError("sysctl.txt", "does not tell net.ipv4.ip_forward")
        if any(value not in ("0", "1", "2") for value in switches):
            raise EvidenceError("sysctl.txt", "holds a forwarding value that is no number")
        if "net.ipv6.conf.all.forwarding" not in values and self._has_ipv6():
            raise EvidenceError("sysctl.txt", "does not tell net.ipv6.conf.all.forwarding")
        return any(value != "0" for value in switches)

    def _has_ipv6(self) -> bool:
        return any(entry.address.version == 6 for entry in self.addresses)

    @cached_property
    def filtering(self) -> Filtering:
        """What the firewall dumps hold, all taken together.

        With a manifest every dump must be sound, or its absence explained by the kernel. In a bundle made by
        hand a missing dump counts as empty, which errs towards "exposed"; at least one must be there.
        """
        total = NOTHING
        present = [file for file in (*_DUMPS, *_LEGACY) if file in self.bundle]
        if self.bundle.by_hand and not present:
            raise EvidenceError(_DUMPS[0], "is not in the bundle, nor is any other firewall dump")
        for file in _DUMPS:
            if file in self.bundle or (not self.bundle.by_hand and not self._explained(file)):
                text = self.bundle.text(file)
                # iptables-save prints nothing at all when no table exists.
                total += read_nft(text, file) if file == "nft.json" else read_save(text, file)
        for file, names in _LEGACY.items():
            if file in self.bundle:
                total += read_save(self.bundle.text(file), file)
            elif self._lists_tables(names):
                self.bundle.read(file)
        return total

    def _lists_tables(self, names: str) -> bool:
        """Whether the kernel has legacy tables. A bundle made by hand need not say so."""
        if self.bundle.absent(names) or (self.bundle.by_hand and names not in self.bundle):
            return False
        return self.bundle.text(names).strip() != ""

    def translates(self) -> bool:
        """Whether some rule, or a virtual service of IPVS, translates or redirects.

        Raises EvidenceError when that cannot be told, also for a bundle made by hand without `nft.json`: taking
        it as empty would err towards "safe" here.
        """
        if self.bundle.by_hand and "nft.json" not in self.bundle:
            self.bundle.read("nft.json")
        return self.filtering.translates or self.balances()

    def balances(self) -> bool:
        """Whether the kernel hands packets to other hosts by IPVS, with no rule, no socket and, for some, no route."""
        if self.bundle.absent(_IPVS) or (self.bundle.by_hand and _IPVS not in self.bundle):
            return False
        lines = self.bundle.text(_IPVS).splitlines()
        if not lines or not lines[0].startswith("IP Virtual Server version "):
            raise EvidenceError(_IPVS, "has not the header of the kernel's list of virtual services")
        return not all(line.startswith(("Prot LocalAddress:Port ", "  -> RemoteAddress:Port ")) for line in lines[1:])

    def _explained(self, file: str) -> bool:
        """`nft` shows every nf_tables table: without iptables tools nothing is missing from the picture."""
        record = self.bundle.manifest.files.get(file) if self.bundle.manifest else None
        return record is not None and record.state == "tool missing" and file != "nft.json"

    @cached_property
    def policy(self) -> Policy:
        """What the host's kernel does to packets. Raises as `filtering` does, and where a dump is damaged."""
        # Every dump is there, or its absence explained.
        _ = self.filtering
        bundle = self.bundle
        files = [*DUMPS, *POLICY_FILES]
        if not bundle.by_hand:
            files = [file for file in files if not bundle.absent(file) and not self._explained(file)]
        return policy_of({file: bundle.text(file) for file in files if file in bundle or not self._may_lack(file)})

    @property
    def rules_alone(self) -> bool:
        """Whether the bundle is a ruleset without its host: firewall dumps, put together by hand, and nothing else."""
        return self.bundle.by_hand and rules_alone(self.bundle.names())

    def _may_lack(self, file: str) -> bool:
        """Whether the policy can be read without the file: not the addresses, nor what a manifest names."""
        if self.bundle.by_hand:
            return file != "ip-addr.json" or self.rules_alone
        # Only the plain listing surely shows which tables are dormant and to which devices ingress chains are bound.
        return file not in ("ip-addr.json", "ip-route.json", "sysctl.txt", "nft.txt")

    def rules_name(self, address: Address) -> bool:
        """Whether some rule or set names this address, or a network around it.

        Raises EvidenceError when the dumps cannot be read: then nobody knows.
        """
        if self.filtering.nothing_filtered:
            return False
        texts = [self.bundle.text(file) for file in _RULE_TEXTS if file in self.bundle]
        # The JSON writes a network's address and length apart: only the plain listing names networks.
        if "nft.json" in self.bundle and "nft.txt" not in self.bundle:
            self.bundle.read("nft.txt")
        if "ipset-save.txt" not in self.bundle and any("--match-set" in text for text in texts):
            self.bundle.read("ipset-save.txt")
        return names_address(texts, address)

    @cached_property
    def flows(self) -> tuple[Flow, ...] | None:
        """The flows that connection tracking knows on `flow_ports`; None where a bundle made by hand has no list.

        A kernel that tracks nothing has none. Raises EvidenceError for a list that is missing or damaged.
        """
        bundle = self.bundle
        if bundle.absent(CONNTRACK):
            return ()
        if bundle.by_hand and CONNTRACK not in bundle:
            return None
        text = bundle.text(CONNTRACK)
        if bundle.by_hand and not text.strip():
            raise EvidenceError(CONNTRACK, "is empty, and no manifest says that it is complete")
        return read_conntrack(text)

    @property
    def flow_ports(self) -> frozenset[int] | None:
        """The ports whose flows were kept when they were collected, as the recorded command says; None for all."""
        record = self.bundle.manifest.files.get(CONNTRACK) if self.bundle.manifest else None
        kept = _KEPT_PORTS.search(record.command) if record else None
        return frozenset(map(int, kept[1].split("|"))) if kept else None

    def assumptions(self) -> tuple[str, ...]:
        """What reading this bundle took for granted."""
        try:
            notes = self.policy.ruleset.notes
        except EvidenceError:
            notes = ()
        if not self.bundle.by_hand:
            return notes
        said = ["the bundle has no manifest: each file is taken as complete", *notes]
        if self.rules_alone:
            told = "it holds firewall dumps alone"
            said.append(f"{told}: judged on a host that has every interface and address the rules name, and others")
            for family, dumps in (("IPv4", _IPV4_DUMPS), ("IPv6", _IPV6_DUMPS)):
                if not any(file in self.bundle for file in dumps):
                    said.append(f"it holds no dump of {family}, which is not judged")
            return tuple(said)
        missing = [file for file in _DUMPS if file not in self.bundle]
        if missing:
            said.append(f"not in the bundle, taken as empty: {', '.join(missing)}")
        if not any(file in self.bundle for file in _ROUTES):
            said.append("the bundle tells no routes: only networks the host has an address in are taken as known")
        if not _RP_FILTER.search(self.bundle.text("sysctl.txt") if "sysctl.txt" in self.bundle else ""):
            said.append("the bundle does not tell rp_filter: taken as off")
        return tuple(said)
