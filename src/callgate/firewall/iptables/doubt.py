"""Matches that the evidence cannot decide: rates, clocks, contents, owners, hardware. Their options are known, so
that none of their values is taken for another option.
"""

from __future__ import annotations

from typing import Final

from callgate.firewall.iptables.option import Match, Use, options
from callgate.firewall.iptables.protocol import WITH_PORTS
from callgate.firewall.rule import Condition, Every, Not, Unknown, Within

OTHER_THAN_PORTED: Final = Within("protocol", WITH_PORTS, negated=True)


def _doubtful(use: Use) -> Condition:
    return use.unknown()


def _rate(use: Use) -> Condition:
    """limit, hashlimit, connlimit: a lone first packet is below every rate, and its flow the only one."""
    above = use.get("hashlimit-above") or use.get("connlimit-above")
    upto = use.get("hashlimit-upto") or use.get("connlimit-upto")
    given = above or upto
    if given is not None and given.values[:1] == ("0",):
        return use.unknown()
    below = above is None
    return use.unknown(at_first=below != (given is not None and given.negated))


def _chance(use: Use) -> Condition:
    return use.unknown(at_first="either")


def _extension_header(use: Use) -> Condition:
    """rt, hbh, dst, srh: they hold only for packets that carry the header, which is up to the sender.

    Calls and registrations never carry one, so a rule that drops by it drops none of them; a rule that does
    anything else may be used by a stranger who adds the header.
    """
    unknown = use.unknown()
    return Every((OTHER_THAN_PORTED, unknown)) if use.target in ("DROP", "REJECT") else unknown


def later_fragment(negated: bool) -> Condition:
    """-f: second and further fragments. They have no ports, so no packet with ports is one."""
    holds = Every((OTHER_THAN_PORTED, Unknown("-f (fragments)")))
    return Not(holds) if negated else holds


_UNDECIDED: Final = {
    "limit": options(one="limit limit-burst"),
    "hashlimit": options(
        one="hashlimit-upto|hashlimit hashlimit-above hashlimit-mode hashlimit-srcmask hashlimit-dstmask "
        "hashlimit-name hashlimit-burst hashlimit-htable-size hashlimit-htable-max hashlimit-htable-gcinterval "
        "hashlimit-htable-expire hashlimit-rate-interval",
        flags="hashlimit-rate-match",
    ),
    "quota": options(one="quota"),
    "statistic": options(one="mode probability every packet"),
    "time": options(
        one="datestart datestop timestart timestop monthdays weekdays", flags="kerneltz utc localtz contiguous"
    ),
    "string": options(one="from to algo string hex-string", flags="icase"),
    "u32": options(one="u32"),
    "bpf": options(one="bytecode object-pinned"),
    "owner": options(one="uid-owner gid-owner pid-owner sid-owner cmd-owner", flags="socket-exists suppl-groups"),
    "mac": options(one="mac-source"),
    "physdev": options(one="physdev-in physdev-out", flags="physdev-is-in physdev-is-out physdev-is-bridged"),
    "socket": options(flags="nowildcard transparent restore-skmark"),
    "policy": options(one="dir pol reqid spi proto mode tunnel-src tunnel-dst", flags="strict next"),
    "cgroup": options(one="path cgroup"),
    "realm": options(one="realm"),
    "cpu": options(one="cpu"),
    "devgroup": options(one="src-group dst-group"),
    "ecn": options(one="ecn-ip-ect", flags="ecn-tcp-cwr ecn-tcp-ece"),
    "ipcomp": options(one="ipcompspi", flags="compres"),
    "ipvs": options(one="vproto vaddr vport vdir vmethod vportctl", flags="ipvs"),
    "osf": options(one="genre ttl log"),
    "rateest": options(
        one="rateest1 rateest2 rateest-bps1 rateest-pps1 rateest-bps2 rateest-pps2 rateest rateest-bps rateest-pps",
        flags="rateest-delta rateest-lt rateest-gt rateest-eq",
    ),
    "tcpmss": options(one="mss"),
    "eui64": options(),
    "ipv6header": options(one="header", flags="soft"),
    "mh": options(one="mh-type"),
    "frag": options(one="fragid fraglen", flags="fragres fragfirst fragmore fraglast"),
    "geoip": options(one="source-country|src-cc destination-country|dst-cc"),
    "condition": options(one="condition"),
    "psd": options(one="psd-weight-threshold psd-delay-threshold psd-lo-ports-weight psd-hi-ports-weight"),
}
_UNDECIDED_OF_FLOWS: Final = {
    "connlimit": options(one="connlimit-upto connlimit-above connlimit-mask", flags="connlimit-saddr connlimit-daddr"),
    "connbytes": options(one="connbytes connbytes-dir connbytes-mode"),
    "connlabel": options(one="label", flags="set"),
    "helper": options(one="helper"),
    "cluster": options(one="cluster-total-nodes cluster-local-node cluster-local-nodemask cluster-hash-seed"),
}
_EXTENSION_HEADERS: Final = {
    "rt": options(one="rt-type rt-segsleft rt-len rt-0-addrs", flags="rt-0-res rt-0-not-strict"),
    "hbh": options(one="hbh-len hbh-opts"),
    "dst": options(one="dst-len dst-opts"),
    "srh": options(
        one="srh-next-hdr srh-hdr-len-eq srh-hdr-len-gt srh-hdr-len-lt srh-segs-left-eq srh-segs-left-gt "
        "srh-segs-left-lt srh-last-entry-eq srh-last-entry-gt srh-last-entry-lt srh-tag srh-psid srh-nsid srh-lsid"
    ),
}

MATCHES: Final = {
    **{name: Match(table, _doubtful, repeats=True) for name, table in _UNDECIDED.items()},
    **{name: Match(table, _doubtful, tracks=True, repeats=True) for name, table in _UNDECIDED_OF_FLOWS.items()},
    "limit": Match(_UNDECIDED["limit"], _rate, repeats=True),
    "hashlimit": Match(_UNDECIDED["hashlimit"], _rate, repeats=True),
    "statistic": Match(_UNDECIDED["statistic"], _chance, repeats=True),
    "connlimit": Match(_UNDECIDED_OF_FLOWS["connlimit"], _rate, tracks=True, repeats=True),
    **{name: Match(table, _extension_header) for name, table in _EXTENSION_HEADERS.items()},
}
