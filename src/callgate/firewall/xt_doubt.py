"""Matches that the evidence cannot decide: rates, clocks, contents, owners, hardware. Their options are known, so
that none of their values is taken for another option.
"""

from __future__ import annotations

from typing import Final

from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import Condition, Every, Within
from callgate.firewall.xt_option import Match, Use, options
from callgate.firewall.xt_protocol import WITH_PORTS

OTHER_THAN_PORTED: Final = Within("protocol", WITH_PORTS, negated=True)


def _doubtful(use: Use) -> Condition:
    return use.unknown()


def _extension_header(use: Use) -> Condition:
    """rt, hbh, dst, srh: they hold only for packets that carry the header, which is up to the sender.

    Calls and registrations never carry one, so a rule that drops by it drops none of them; a rule that does
    anything else may be used by a stranger who adds the header.
    """
    unknown = use.unknown()
    return Every((OTHER_THAN_PORTED, unknown)) if use.target in ("DROP", "REJECT") else unknown


def later_fragment(negated: bool) -> Condition:
    """-f: second and further fragments. They have no ports, so no packet with ports is one."""
    from callgate.firewall.rule import Not, Unknown

    holds = Every((OTHER_THAN_PORTED, Unknown("-f (fragments)")))
    return Not(holds) if negated else holds


_ = Intervals

MATCHES: Final = {
    name: Match(table, _doubtful, tracks=tracks, repeats=True)
    for name, table, tracks in (
        ("limit", options(one="limit limit-burst"), False),
        (
            "hashlimit",
            options(
                one="hashlimit-upto|hashlimit hashlimit-above hashlimit-mode hashlimit-srcmask hashlimit-dstmask "
                "hashlimit-name hashlimit-burst hashlimit-htable-size hashlimit-htable-max "
                "hashlimit-htable-gcinterval hashlimit-htable-expire hashlimit-rate-interval",
                flags="hashlimit-rate-match",
            ),
            False,
        ),
        ("connlimit", options(one="connlimit-upto connlimit-above connlimit-mask", flags="connlimit-saddr connlimit-daddr"), True),
        ("connbytes", options(one="connbytes connbytes-dir connbytes-mode"), True),
        ("connlabel", options(one="label", flags="set"), True),
        ("helper", options(one="helper"), True),
        ("cluster", options(one="cluster-total-nodes cluster-local-node cluster-local-nodemask cluster-hash-seed"), True),
        ("quota", options(one="quota"), False),
        ("statistic", options(one="mode probability every packet"), False),
        ("time", options(one="datestart datestop timestart timestop monthdays weekdays", flags="kerneltz utc localtz contiguous"), False),
        ("string", options(one="from to algo string hex-string", flags="icase"), False),
        ("u32", options(one="u32"), False),
        ("bpf", options(one="bytecode object-pinned"), False),
        ("owner", options(one="uid-owner gid-owner pid-owner sid-owner cmd-owner", flags="socket-exists suppl-groups"), False),
        ("mac", options(one="mac-source"), False),
        ("physdev", options(one="physdev-in physdev-out", flags="physdev-is-in physdev-is-out physdev-is-bridged"), False),
        ("socket", options(flags="nowildcard transparent restore-skmark"), False),
        ("policy", options(one="dir pol reqid spi proto mode tunnel-src tunnel-dst", flags="strict next"), False),
        ("cgroup", options(one="path cgroup"), False),
        ("realm", options(one="realm"), False),
        ("cpu", options(one="cpu"), False),
        ("devgroup", options(one="src-group dst-group"), False),
        ("ecn", options(one="ecn-ip-ect", flags="ecn-tcp-cwr ecn-tcp-ece"), False),
        ("ipcomp", options(one="ipcompspi", flags="compres"), False),
        ("ipvs", options(one="vproto vaddr vport vdir vmethod vportctl", flags="ipvs"), False),
        ("osf", options(one="genre ttl log"), False),
        ("rateest", options(one="rateest1 rateest2 rateest-bps1 rateest-pps1 rateest-bps2 rateest-pps2 rateest rateest-bps rateest-pps", flags="rateest-delta rateest-lt rateest-gt rateest-eq"), False),
        ("tcpmss", options(one="mss"), False),
        ("eui64", options(), False),
        ("ipv6header", options(one="header", flags="soft"), False),
        ("mh", options(one="mh-type"), False),
        ("frag", options(one="fragid fraglen", flags="fragres fragfirst fragmore fraglast"), False),
        ("geoip", options(one="source-country|src-cc destination-country|dst-cc"), False),
        ("condition", options(one="condition"), False),
        ("psd", options(one="psd-weight-threshold psd-delay-threshold psd-lo-ports-weight psd-hi-ports-weight"), False),
    )
}  # fmt: skip
MATCHES.update(
    {
        "rt": Match(
            options(one="rt-type rt-segsleft rt-len rt-0-addrs", flags="rt-0-res rt-0-not-strict"), _extension_header
        ),
        "hbh": Match(options(one="hbh-len hbh-opts"), _extension_header),
        "dst": Match(options(one="dst-len dst-opts"), _extension_header),
        "srh": Match(
            options(
                one="srh-next-hdr srh-hdr-len-eq srh-hdr-len-gt srh-hdr-len-lt srh-segs-left-eq srh-segs-left-gt "
                "srh-segs-left-lt srh-last-entry-eq srh-last-entry-gt srh-last-entry-lt srh-tag srh-psid srh-nsid "
                "srh-lsid"
            ),
            _extension_header,
        ),
    }
)
