"""Text from hosts, made safe to write down: what cannot be seen or stored is shown as an escape."""

from __future__ import annotations

import re

# Controls but newline and tab, separators that break lines, marks that turn the reading direction, surrogates
# (in a str they are always lone), and the two non-characters. What XML 1.0 cannot hold is among them:
# https://www.w3.org/TR/xml/#charsets
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def visible(text: str, limit: int | None = None) -> str:
    r"""`text` with every hidden or unstorable character written as `\xNN` or `\uNNNN`; newline and tab stay.

    The result can be encoded in UTF-8, is legal in XML 1.0, and holds nothing a terminal obeys. With `limit`,
    that many characters of `text` are kept and a note says how many were cut. A backslash stays as it is, so
    the text cannot be turned back.
    """
    if limit is None or len(text) <= limit:
        return _HIDDEN.sub(_escape, text)
    return f"{_HIDDEN.sub(_escape, text[:limit])} ... [{len(text) - limit} characters cut]"


def one_line(text: str, limit: int | None = None) -> str:
    """`visible` text with every run of white space, line ends too, made one space."""
    return " ".join(visible(text, limit).split())
