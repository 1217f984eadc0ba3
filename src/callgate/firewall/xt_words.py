"""The words of an iptables rule line, and the numbers in them.

Everything here raises ValueError with the reason; the reader of the dump adds file and line.
"""

from __future__ import annotations

from typing import Final

WORD32: Final = 0xFFFFFFFF
_SPACES = " \t\r"


class Quoted(str):
    """A word that stood in double quotes: never an option or a `!`."""

    __slots__ = ()


def split_words(line: str) -> list[str]:
    """Split as iptables-restore does: blanks part words, a closing double quote ends one.

    A backslash escapes the next character inside double quotes only; single quotes mean nothing.
    """
    if '"' not in line:
        return line.split()
    words: list[str] = []
    word: list[str] = []
    at, end = 0, len(line)
    while at < end:
        char = line[at]
        at += 1
        if char == '"':
            while True:
                if at >= end:
                    raise ValueError("a double quote is not closed")
                char = line[at]
                at += 1
                if char == '"':
                    break
                if char == "\\":
                    char = line[at : at + 1]
                    at += 1
                word.append(char)
            words.append(Quoted("".join(word)))
            word = []
        elif char in _SPACES:
            if word:
                words.append("".join(word))
                word = []
        else:
            word.append(char)
    if word:
        words.append("".join(word))
    return words


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
