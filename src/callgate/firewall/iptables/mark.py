"""Targets that set the packet's or the flow's mark: MARK, CONNMARK, HMARK, SET --map-mark."""

from __future__ import annotations

from typing import Final, Literal

from callgate.firewall.iptables.option import Option, Target, Use, options
from callgate.firewall.iptables.state import A_FLOW
from callgate.firewall.iptables.words import WORD32, masked_number, number
from callgate.firewall.rule import Action, Opaque, SetMark, Step


def _set_mark(option: Option, mark: Literal["mark", "ctmark"]) -> SetMark | None:
    """What MARK and CONNMARK have in common: `new = (old & ~mask) ^ value` (libxt_MARK.c, libxt_CONNMARK.c)."""
    if option.name in ("set-xmark", "set-mark"):
        value, given_mask = masked_number(option.value, "mark")
        mask = WORD32 if given_mask is None else given_mask
        if option.name == "set-mark":
            mask |= value
        return SetMark(mark, value, WORD32 & ~mask)
    if option.name not in ("and-mark", "or-mark", "xor-mark"):
        return None
    bits = number(option.value, WORD32, "mark")
    if option.name == "and-mark":
        return SetMark(mark, 0, bits)
    return SetMark(mark, bits, WORD32 if option.name == "xor-mark" else WORD32 & ~bits)


def _mark(use: Use) -> tuple[Action, ...]:
    made = [_set_mark(option, "mark") for option in use.options]
    return (made[0],) if len(made) == 1 and made[0] is not None else (Opaque(f"-j {use.name} without one value"),)


def _connmark(use: Use) -> tuple[Step, ...]:
    """CONNMARK leaves packets alone that belong to no flow."""
    return (A_FLOW, _mark_of_flow(use))


def _mark_of_flow(use: Use) -> Action:
    saves, restores = use.get("save-mark"), use.get("restore-mark")
    if use.get("left-shift-mark") or use.get("right-shift-mark"):
        return SetMark("mark" if restores else "ctmark", why="-j CONNMARK shifts the mark")
    if saves is None and restores is None:
        made = [_set_mark(option, "ctmark") for option in use.options]
        return made[0] if len(made) == 1 and made[0] is not None else Opaque("-j CONNMARK without one value")
    if saves is not None and restores is not None:
        return Opaque("-j CONNMARK saves and restores")
    both = use.get("mask")
    nfmask, ctmask = (_mask(use.get(name) or both) for name in ("nfmask", "ctmask"))
    if saves is not None:
        return SetMark("ctmark", keep=WORD32 & ~ctmask, take=nfmask)
    return SetMark("mark", keep=WORD32 & ~nfmask, take=ctmask)


def _mask(option: Option | None) -> int:
    return WORD32 if option is None else number(option.value, WORD32, "mark mask")


def _hmark(_use: Use) -> tuple[Action, ...]:
    return (SetMark("mark", why="-j HMARK sets a hash"),)


def _set(use: Use) -> tuple[Action, ...]:
    """SET changes a set, not the packet, unless it maps an entry's mark onto it."""
    if use.get("map-mark") is None:
        return ()
    return (SetMark("mark", why="-j SET --map-mark takes the mark from a set"),)


def _always(_use: Use) -> bool:
    return True


def _never(_use: Use) -> bool:
    return False


_VALUES: Final = "set-xmark set-mark and-mark or-mark xor-mark"

TARGETS: Final = {
    "MARK": Target(options(one=_VALUES), _mark, _never),
    "CONNMARK": Target(
        options(one=f"{_VALUES} nfmask ctmask mask left-shift-mark right-shift-mark", flags="save-mark restore-mark"),
        _connmark,
        _always,
    ),
    "HMARK": Target(
        options(
            one="hmark-tuple hmark-mod hmark-offset hmark-rnd hmark-src-prefix hmark-dst-prefix hmark-sport-mask "
            "hmark-dport-mask hmark-spi-mask hmark-sport hmark-dport hmark-spi hmark-proto-mask"
        ),
        _hmark,
        _never,
    ),
    "SET": Target(
        options(one="timeout", flags="exist map-mark map-prio map-queue", two="add-set del-set map-set"), _set, _never
    ),
}
