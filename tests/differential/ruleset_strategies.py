"""Whole rulesets: one tool's, or several side by side."""

from __future__ import annotations

from hypothesis import strategies as st
from tests.differential.ipset_strategies import ipsets
from tests.differential.iptables_strategies import iptables_saves
from tests.differential.nft_strategies import nft_texts
from tests.differential.ruleset import Ruleset

_UNUSUAL = (
    ("net.ipv4.conf.all.rp_filter", "1"),
    ("net.ipv4.conf.all.rp_filter", "2"),
    ("net.ipv4.conf.eth0.rp_filter", "1"),
    ("net.ipv4.conf.eth1.rp_filter", "2"),
    ("net.netfilter.nf_conntrack_tcp_loose", "0"),
    ("net.ipv4.conf.all.route_localnet", "1"),
    ("net.ipv4.conf.eth0.accept_local", "1"),
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv6.conf.all.forwarding", "0"),
)


def unusual_settings() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Mostly none."""
    return st.sampled_from(
        ((), (), (), *((one,) for one in _UNUSUAL[:5]), (), (), (), *((one,) for one in _UNUSUAL[5:]))
    )


@st.composite
def iptables_rulesets(draw: st.DrawFn) -> Ruleset:
    """iptables over nf_tables, for one family or both, with ipsets."""
    wanted = draw(st.sampled_from((4, 4, 4, 6, 46)))
    sets4 = draw(ipsets(4, "a")) if wanted != 6 else ()
    sets6 = draw(ipsets(6, "b")) if wanted != 4 else ()
    return Ruleset(
        ipset="".join(one.text for one in sets4 + sets6),
        iptables=draw(iptables_saves(4, sets4)) if wanted != 6 else "",
        ip6tables=draw(iptables_saves(6, sets6)) if wanted != 4 else "",
        settings=draw(unusual_settings()),
    )


@st.composite
def nft_rulesets(draw: st.DrawFn) -> Ruleset:
    """nft alone."""
    return Ruleset(nft=draw(nft_texts()), settings=draw(unusual_settings()))


@st.composite
def mixed_rulesets(draw: st.DrawFn) -> Ruleset:
    """Two or three of: iptables over nf_tables, legacy iptables, nft's own tables. A drop by one is final for all."""
    sets = draw(ipsets(4, "a"))
    parts = draw(
        st.sampled_from((("nft", "iptables"), ("legacy", "nft"), ("legacy", "iptables"), ("legacy", "iptables", "nft")))
    )
    family_six = draw(st.booleans())
    return Ruleset(
        ipset="".join(one.text for one in sets),
        iptables=draw(iptables_saves(4, sets)) if "iptables" in parts else "",
        ip6tables=draw(iptables_saves(6)) if "iptables" in parts and family_six else "",
        iptables_legacy=draw(iptables_saves(4, sets)) if "legacy" in parts else "",
        ip6tables_legacy=draw(iptables_saves(6)) if "legacy" in parts and family_six else "",
        nft=draw(nft_texts(2)) if "nft" in parts else "",
    )


_DOUBTFUL_XT = (
    "-m length --length 40:60",
    "-m length ! --length 0:39",
    "-m limit --limit 1/sec --limit-burst 3",
    "-m statistic --mode nth --every 3 --packet 0",
    "-m statistic --mode random --probability 0.5",
    "-m recent --name seen --set",
    "-m recent --name seen --rcheck --seconds 60 --hitcount 2",
    "-m recent ! --rcheck --name seen",
    "-m hashlimit --hashlimit-above 2/sec --hashlimit-burst 2 --hashlimit-mode srcip --hashlimit-name perhost",
    "-m connlimit --connlimit-above 2 --connlimit-mask 0",
    "-m quota --quota 400",
)
_DOUBTFUL_NFT = (
    "meta length 40",
    "meta length > 39",
    "limit rate 1/second burst 3 packets",
    "limit rate over 1/second burst 3 packets",
    "numgen random mod 2 == 0",
    "numgen inc mod 3 == 0",
    "quota 400 bytes",
    "quota over 400 bytes",
    "ct count over 2",
    "meta random < 2147483648",
)


def _with(draw: st.DrawFn, text: str, doubtful: tuple[str, ...], *, at: str) -> str:
    """The text with a doubtful match in some of its rules, before their verdict."""
    lines = text.splitlines()
    rules = [
        number
        for number, line in enumerate(lines)
        if at in line and not any(word in line for word in ("vmap", "verdict", "policy"))
    ]
    for number in draw(st.lists(st.sampled_from(rules), min_size=1, max_size=3, unique=True)) if rules else []:
        head, found, verdict = lines[number].rpartition(at)
        lines[number] = f"{head} {draw(st.sampled_from(doubtful))}{found}{verdict}"
    return "\n".join(lines) + "\n"


@st.composite
def doubtful_rulesets(draw: st.DrawFn) -> Ruleset:
    """As above, and some rules match by rate, chance, history or what the packet's description does not tell."""
    if draw(st.booleans()):
        text = _with(draw, draw(iptables_saves(4)), _DOUBTFUL_XT, at=" -j ")
        queue = draw(st.sampled_from(("", " -j NFQUEUE --queue-num 7", " -j NFQUEUE --queue-num 7 --queue-bypass")))
        return Ruleset(iptables=text.replace(" -j DROP", queue, 1) if queue else text)
    return Ruleset(nft=_with(draw, draw(nft_texts()), _DOUBTFUL_NFT, at=draw(st.sampled_from((" accept", " drop")))))
