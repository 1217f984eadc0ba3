"""What a reader says of hostile input."""

from __future__ import annotations

import re
from collections.abc import Callable

from callgate.errors import ProtocolError


def fault(act: Callable[..., object], *arguments: object) -> str:
    """The ProtocolError's text, one printable line; empty if there was none. Any other exception goes through."""
    text = ""
    try:
        act(*arguments)
    except ProtocolError as error:
        text = str(error)
        if not re.fullmatch(r"[ -~]{1,300}", text):
            raise AssertionError(f"not one printable line: {text!r}") from error
    return text
