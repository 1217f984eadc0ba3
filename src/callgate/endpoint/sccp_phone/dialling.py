"""Numbers as a phone can dial them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from callgate.errors import UsageMistake
from callgate.sccp.enums.keys import KeyPadButton

KEYS: Final[Mapping[str, KeyPadButton]] = {
    **{str(digit): KeyPadButton(digit) for digit in range(10)},
    "*": KeyPadButton.STAR,
    "#": KeyPadButton.POUND,
}
"""Digits as themselves, `*` 14, `#` 15 (observed on chan_skinny and chan-sccp)."""

MOST_KEYS: Final = 40
MOST_EN_BLOC: Final = 23
"""The field of EnblocCallMessage has 24 bytes up to version 18; the last one is a NUL."""


def checked(number: str, *, enbloc: bool) -> str:
    """The number, if a phone can dial it. UsageMistake if not: 1 to 40 of `0-9 * #`, en bloc 23."""
    most = MOST_EN_BLOC if enbloc else MOST_KEYS
    if not re.fullmatch(rf"[0-9*#]{{1,{most}}}", number):
        raise UsageMistake(f"{number[:60]!a} cannot be dialled: 1 to {most} of the keys 0-9 * #")
    return number
