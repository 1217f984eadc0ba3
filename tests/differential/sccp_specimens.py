"""Messages of every class at the header versions that differ in layout: the same ones in every run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from tests.differential.sccp_built import built

from callgate.sccp import AsSent, Message, decode, encode
from callgate.sccp.fields import NUMBER
from callgate.sccp.forms import forms, usual_form
from callgate.sccp.presentation import form_of
from callgate.sccp.strategies import message_classes, messages

VERSIONS: Final = (0, 11, 17, 18, 19, 20, 22)

M = TypeVar("M")


def drawn(strategy: SearchStrategy[M], count: int) -> list[M]:
    """As many examples, always the same; the first one, which has the least of everything, last."""
    examples: list[M] = []

    @settings(
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        max_examples=count,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: M) -> None:
        examples.append(example)

    collect()
    return [*examples[1:], examples[0]]


def specimens() -> list[Message]:
    """For every class and version those that are built, and one that is drawn and may stop at any field."""
    return [message for cls in message_classes() for message in _of(cls)]


def _of(cls: type[Message]) -> Iterator[Message]:
    versions: dict[int, list[int]] = {}
    for version in VERSIONS:
        versions.setdefault(usual_form(cls, version), []).append(version)
    for same in versions.values():
        examples = drawn(messages(cls, same[-1]), len(same) + 1)
        for number, version in enumerate(same):
            for example in (*built(cls, version), *examples[number : number + 1]):
                yield from _at(example, version)


def _at(example: Message, version: int) -> Iterator[Message]:
    """The message with another header version of the same form; and with its directory numbers packed, as some phones
    send them from version 19."""
    message = msgspec.structs.replace(example, header_version=version)
    if decode(encode(message)) == message:
        yield message
    form = form_of(message)
    if dict(form).get(NUMBER) == 28:
        packed = tuple((key, 25 if key == NUMBER else value) for key, value in form)
        number = forms(type(message)).index(packed)
        found = decode(encode(msgspec.structs.replace(message, as_sent=AsSent(form=number))))
        if isinstance(found, type(message)) and form_of(found) == packed:
            yield found
