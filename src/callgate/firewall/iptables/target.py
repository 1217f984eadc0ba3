"""Every iptables target by name, and those that neither translate nor mark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from callgate.firewall.iptables import mark, translate
from callgate.firewall.iptables.option import Arity, Target, Use, options
from callgate.firewall.rule import NoTrack, Opaque, Queue, Return, Step, Verdict


def _always(_use: Use) -> bool:
    return True


def _never(_use: Use) -> bool:
    return False


def _does(*steps: Step) -> Callable[[Use], tuple[Step, ...]]:
    return lambda _use: steps


def _opaque(use: Use) -> tuple[Step, ...]:
    return (Opaque(f"-j {use.name}"),)


def _nfqueue(use: Use) -> tuple[Step, ...]:
    return (Queue(bypass=use.get("queue-bypass") is not None),)


def _reject(use: Use) -> tuple[Step, ...]:
    given = use.get("reject-with")
    return (Verdict("reject", reset=given is not None and given.value.lower().startswith("tcp-r")),)


def _ct(use: Use) -> tuple[Step, ...]:
    return () if use.get("notrack") is None else (NoTrack(),)


def _ct_tracks(use: Use) -> bool:
    return use.get("notrack") is None


def _harmless(table: Mapping[str, Arity], tracks: Callable[[Use], bool] = _never) -> Target:
    return Target(table, _does(), tracks, harmless=True)


TARGETS: Final[Mapping[str, Target]] = {
    **translate.TARGETS,
    **mark.TARGETS,
    "ACCEPT": Target({}, _does(Verdict("accept")), _never),
    "DROP": Target({}, _does(Verdict("drop")), _never),
    "REJECT": Target(options(one="reject-with"), _reject, _never, harmless=True),
    "RETURN": Target({}, _does(Return()), _never),
    "QUEUE": Target({}, _does(Queue()), _never),
    "NFQUEUE": Target(options(one="queue-num queue-balance", flags="queue-bypass queue-cpu-fanout"), _nfqueue, _never),
    "NOTRACK": Target({}, _does(NoTrack()), _never),
    "CT": Target(
        options(one="helper timeout ctevents expevents zone zone-orig zone-reply", flags="notrack"), _ct, _ct_tracks
    ),
    "LOG": _harmless(
        options(
            one="log-level log-prefix",
            flags="log-tcp-sequence log-tcp-options log-ip-options log-uid log-macdecode",
        )
    ),
    "NFLOG": _harmless(options(one="nflog-group nflog-prefix nflog-range nflog-size nflog-threshold")),
    "ULOG": _harmless(options(one="ulog-nlgroup ulog-prefix ulog-cprange ulog-qthreshold")),
    "TRACE": _harmless({}),
    "AUDIT": _harmless(options(one="type")),
    "CHECKSUM": _harmless(options(flags="checksum-fill")),
    "TCPMSS": _harmless(options(one="set-mss", flags="clamp-mss-to-pmtu")),
    "TCPOPTSTRIP": _harmless(options(one="strip-options")),
    "CLASSIFY": _harmless(options(one="set-class")),
    "DSCP": _harmless(options(one="set-dscp set-dscp-class")),
    "TOS": _harmless(options(one="set-tos and-tos or-tos xor-tos")),
    "TTL": _harmless(options(one="ttl-set ttl-dec ttl-inc")),
    "HL": _harmless(options(one="hl-set hl-dec hl-inc")),
    "ECN": _harmless(options(flags="ecn-tcp-remove")),
    "TEE": _harmless(options(one="gateway oif")),
    "RATEEST": _harmless(options(one="rateest-name rateest-interval rateest-ewmalog")),
    "IDLETIMER": _harmless(options(one="timeout label", flags="alarm")),
    "LED": _harmless(options(one="led-trigger-id led-delay", flags="led-always-blink")),
    "SECMARK": _harmless(options(one="selctx")),
    "CONNSECMARK": _harmless(options(flags="save restore"), _always),
    "TPROXY": Target(options(one="on-port on-ip tproxy-mark"), _opaque, _never),
    "SYNPROXY": Target(options(one="wscale mss", flags="sack-perm timestamp ecn"), _opaque, _always),
    "CLUSTERIP": Target(
        options(one="hashmode clustermac total-nodes local-node hash-init", flags="new"), _opaque, _always
    ),
    "NETMAP": Target(options(one="to"), _opaque, _always),
    "DNPT": Target(options(one="src-pfx dst-pfx"), _opaque, _never),
    "SNPT": Target(options(one="src-pfx dst-pfx"), _opaque, _never),
}
