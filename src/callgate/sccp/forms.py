"""Which form a body has: what senders write differently, told by length first and version second.

The order of the questions is that of the rules which read 1,586 frames of five implementations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from typing import Final

from callgate.sccp.fields import ADDRESS, NUMBER, PACKED, PARTIES, RATE, STATISTICS, VIDEO
from callgate.sccp.layout import Form, Layout, form_keys, layout, padded
from callgate.sccp.message import Message

NEWEST: Final = 22
"""The newest protocol version in use; analogue adapters announce 33."""


def clamped(version: int) -> int:
    """A version as layouts know it: 0 to 22."""
    return min(max(version, 0), NEWEST)


def usual_value(key: str, version: int) -> int:
    """What senders of a protocol version write."""
    if key == ADDRESS:
        return 20 if version >= 17 else 4
    if key == NUMBER:
        return 24 if version <= 18 else 28
    if key == PACKED:
        return 24 if version <= 18 else 25
    if key == RATE:
        return 11 if version >= 11 else 10
    if key == PARTIES:
        return 12 if 10 <= version <= 15 else 13
    if key == STATISTICS:
        return 1 if version <= 18 else 2 if version <= 21 else 3
    if key == VIDEO:
        return 24 if version >= 16 else 8
    raise KeyError(key)


@cache
def forms(cls: type[Message]) -> tuple[Form, ...]:
    """Every form of a message class; the position is what `AsSent.form` keeps."""
    keys = sorted(form_keys(cls).items())
    return tuple(tuple(zip([key for key, _ in keys], values, strict=True)) for values in product(*[v for _, v in keys]))


@cache
def usual_form(cls: type[Message], version: int) -> int:
    """The form that senders of a version write."""
    return forms(cls).index(tuple((key, usual_value(key, version)) for key in sorted(form_keys(cls))))


@cache
def layout_of(cls: type[Message], form: int) -> Layout:
    """The layout of a message class in its form of that number."""
    return layout(cls, forms(cls)[form])


@cache
def told_by_body(cls: type[Message]) -> bool:
    """Whether a body's length leaves its form open."""
    return bool({NUMBER, STATISTICS} & set(form_keys(cls))) or layout_of(cls, 0).lead


def form_of_length(cls: type[Message], length: int, header_version: int, version: int) -> int:
    """The form of a body of that length; `version` is the header's, or with header 0 the one negotiated.

    A header that names a version is believed if the body can end there. Header 0 says little ("below 10", and one
    server always sends it), so a length that is whole in another form comes first.
    """
    usual = usual_form(cls, version)
    others = _others(cls, usual)
    if not others or (header_version and layout_of(cls, usual).fits(length)):
        return usual
    for form in (usual, *others):
        if length in layout_of(cls, form).whole_lengths:
            return form
    for form in (usual, *others):
        if layout_of(cls, form).fits(length):
            return form
    return usual


@cache
def _others(cls: type[Message], usual: int) -> tuple[int, ...]:
    wanted = dict(forms(cls)[usual])

    def differs(form: int) -> tuple[int, int]:
        return sum(wanted[key] != value for key, value in forms(cls)[form]), form

    return tuple(sorted((form for form in range(len(forms(cls))) if form != usual), key=differs))


def form_of_body(cls: type[Message], body: bytes, version: int) -> int:
    """The form of a body whose length leaves it open."""
    if STATISTICS in form_keys(cls):
        return _with(cls, STATISTICS, _statistics(body, version))
    if NUMBER not in form_keys(cls):
        return usual_form(cls, version)
    question = _number_question(cls, len(body), version)
    return question.asked(body)


@cache
def _with(cls: type[Message], key: str, value: int) -> int:
    return next(number for number, form in enumerate(forms(cls)) if dict(form)[key] == value)


@dataclass(frozen=True, slots=True)
class _NumberQuestion:
    """Which of two forms the bytes behind the directory number tell; it begins the body wherever they are asked."""

    otherwise: int
    narrow: int | None = None
    """The form with 24 bytes, if the next field may stand there."""
    packed: int | None = None
    """The form with 25 bytes, if the next field may stand there."""

    def asked(self, body: bytes) -> int:
        if self.narrow is not None and 0 in body[:24] and any(body[24:28]):
            return self.narrow
        # Behind a string of 25 bytes three zero bytes align the next field, or it follows at once: both are captured.
        if self.packed is not None and any(body[25:28]):
            return self.packed
        return self.otherwise


@lru_cache(maxsize=4096)
def _number_question(cls: type[Message], length: int, version: int) -> _NumberQuestion:
    """24, 25 or 28: the bytes a directory number takes, up to the next field."""
    number = {width: _with(cls, NUMBER, width) for width in (24, 25, 28)}
    form = {width: layout_of(cls, number[width]) for width in number}
    packed = length in form[25].whole_lengths
    aligned = length in form[28].whole_lengths
    if version <= 18 and (form[24].fits(length) or not (packed or aligned)):
        return _NumberQuestion(number[24])
    if packed:
        return _NumberQuestion(number[28], packed=number[25]) if aligned else _NumberQuestion(number[25])
    if length in form[24].whole_lengths:
        return _NumberQuestion(number[28], narrow=number[24])
    fitting = [width for width in (28, 25, 24) if form[width].fits(length)]
    return _NumberQuestion(number[fitting[0] if fitting else 28])


_STATISTICS_BASE: Final = {1: 64, 2: 68, 3: 65}
_STATISTICS_ROOM: Final = 600


def _statistics(body: bytes, version: int) -> int:
    """Of the three layouts of 0x0023 the one whose data size fits the body."""
    usual = usual_value(STATISTICS, version)
    order = (usual, *[number for number in (1, 2, 3) if number != usual])
    for number in order:
        base = _STATISTICS_BASE[number]
        if base > len(body):
            continue
        size = int.from_bytes(body[base - 4 : base], "little")
        cut = len(body) in (base + size, padded(base + size))
        if cut or (size <= _STATISTICS_ROOM and len(body) == padded(base + _STATISTICS_ROOM)):
            return number
    return usual
