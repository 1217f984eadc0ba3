"""The words of an iptables rule line, and the numbers in them.

Everything here raises ValueError with the reason; the reader of the dump adds file and line.
"""

from __future__ import annotations

from typing import Final

WORD32: Final = 0xFFFFFFFF
_BLANKS = " \t\r"


class Quoted(str):
    """A word that stood in double quotes: never an option or a `!`."""

    __slots__ = ()


def split_words(line: str) -> list[str]:
    """Split as iptables-restore does: blanks and tabs part words, a closing double quote ends one.

    A backslash escapes the next character inside double quotes only; single quotes mean nothing.
    """
    if '"' not in line:
        return _blank_parted(line)
    words: list[str] = []
    rest = line
    while True:
        before, quote, rest = rest.partition('"')
        words += _blank_parted(before)
        if not quote:
            return words
        inside, rest = _quoted(rest)
        if before and before[-1] not in _BLANKS:  # a"b c" is one word
            inside = words.pop() + inside
        words.append(Quoted(inside))


def _blank_parted(text: str) -> list[str]:
    if text.isprintable():
        return text.split()
    return [word for word in text.replace("\t", " ").replace("\r", " ").split(" ") if word]


def _quoted(text: str) -> tuple[str, str]:
    """The words up to the closing quote, and what stands behind it."""
    end = text.find('"')
    if end >= 0 and "\\" not in text[:end]:
        return text[:end], text[end + 1 :]
    chars: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == '"':
            return "".join(chars), text[at + 1 :]
        if char == "\\":
            at += 1
            char = text[at : at + 1]
        chars.append(char)
        at += 1
    raise ValueError("a double quote is not closed")


def shown(text: str) -> str:
    """Text of a dump for an error message: escaped, at most 80 characters."""
    return repr(text if len(text) <= 80 else text[:79] + "…")


def number(text: str, last: int, what: str) -> int:
    """A whole number up to `last`, as strtoul with base 0 reads it: decimal, 0x hexadecimal, 0 octal."""
    digits, base = text, 10
    if text[:2] in ("0x", "0X"):
        digits, base = text[2:], 16
    elif text[:1] == "0" and len(text) > 1:
        digits, base = text[1:], 8
    if not digits.isalnum() or not digits.isascii() or len(digits) > 32:
        raise ValueError(f"{shown(text)} is not a {what}")
    try:
        value = int(digits, base)
    except ValueError:
        raise ValueError(f"{shown(text)} is not a {what}") from None
    if value > last:
        raise ValueError(f"{what} {shown(text)} is above {last}")
    return value


def looks_like_number(text: str) -> bool:
    """Whether the word begins as a number does."""
    return text[:1].isdigit()


def masked_number(text: str, what: str) -> tuple[int, int | None]:
    """A 32-bit `value[/mask]`; mask None when there is none."""
    value, slash, mask = text.partition("/")
    return number(value, WORD32, what), number(mask, WORD32, f"{what} mask") if slash else None


def number_range(text: str, last: int, what: str, mark: str = ":") -> tuple[int, int]:
    """`a`, `a:b`, `:b` or `a:`, where a missing end means 0 or `last`."""
    first, colon, end = text.partition(mark)
    if not colon:
        value = number(first, last, what)
        return value, value
    return number(first, last, what) if first else 0, number(end, last, what) if end else last
