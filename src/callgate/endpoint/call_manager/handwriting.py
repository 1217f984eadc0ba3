"""The shapes of the three servers' messages: soft keys, lengths, forms; those of the real ones as captured."""

from __future__ import annotations

from typing import Final

from callgate.endpoint.call_manager.shape import NEVER, Ack, Shape, SoftKeys
from callgate.endpoint.call_manager.steps import label
from callgate.sccp.messages.display import ClearDisplay, DisplayPromptStatusMessage
from callgate.sccp.messages.media import StopMediaTransmissionMessage
from callgate.sccp.messages.registration import RegisterRejectMessage
from callgate.sccp.messages.signals import SetRingerMessage
from callgate.sccp.messages.templates import (
    ButtonTemplateResMessage,
    SoftKeySetResMessage,
    SoftKeyTemplateResMessage,
)

_USUAL_LABELS: Final = tuple(label(number) for number in range(1, 19))
"""Redial to group pickup: the same in both servers."""

_PLAIN_KEYS: Final = SoftKeys(
    labels=_USUAL_LABELS,
    sets=((2,), (9,), (9,), (11, 9), (9,), (9,), (9,), (9,), (9,), (9,)),
    mask=0xFFFFFFFF,
)

_SKINNY_KEYS: Final = SoftKeys(
    labels=(*_USUAL_LABELS, label(63), label(80), b"Dial"),
    sets=(
        (1, 2, 5, 6, 7, 19, 18),
        (3, 9, 4, 14, 5, 6, 7),
        (10, 2, 9, 4),
        (11, 9, 4),
        (1, 9, 4, 5, 6, 7, 18),
        (3, 9, 4, 14, 5, 6, 7),
        (8, 9, 4, 21),
        (),
        (0, 9),
        (1, 9, 4),
        (),
        (1, 2, 10),
        (1, 2, 15),
        (0, 9, 4),
    ),
    mask=0x7F,
)

_SCCP_KEYS: Final = SoftKeys(
    labels=(
        *_USUAL_LABELS,
        b"Record",
        *(label(number) for number in (65, 67, 63, 79, 78, 54, 62, 77, 80, 88, 60)),
        b"",
        b"Dial",
    ),
    sets=(
        (1, 2, 5, 6, 7, 17, 0, 22),
        (3, 9, 4, 0, 14, 19),
        (10, 2, 9, 4, 24, 27),
        (11, 9),
        (1, 9, 0, 5, 6, 7, 17, 0, 0, 21),
        (3, 9, 4, 14, 24, 27, 19, 0, 5, 6),
        (8, 9, 32),
        (2, 9, 3, 19),
        (0, 9, 4),
        (10, 2, 9),
        (1, 2, 17),
        (1, 2, 21, 30),
        (10, 2, 9),
    ),
    mask=0xFFFFFFFF,
)

PLAIN_SHAPE: Final = Shape(
    ack=Ack(),
    soft_keys=_PLAIN_KEYS,
    tails={},
    rooms={},
    undefined_buttons=False,
    texts_since=17,
    line_texts_since=17,
    wide_open=False,
    latent_since=21,
    long_dialled=False,
    names_call_in_media=True,
    closes_unopened=False,
    counts_parties_down=False,
    ringer_names_call=True,
    line_options=0,
    label_is_extension=True,
    call_instance=1,
    precedence=4,
    hunt_pilot=False,
    traffic_class=184,
    dtmf=(101, 10),
    echo_cancellation=False,
    milliseconds=True,
)

CHAN_SKINNY_SHAPE: Final = Shape(
    ack=Ack(padding=ord("0"), version=ord("0")),
    soft_keys=_SKINNY_KEYS,
    tails={
        RegisterRejectMessage: 1,
        SoftKeySetResMessage: 4,
        SetRingerMessage: 4,
        ClearDisplay: 4,
        DisplayPromptStatusMessage: 12,
        StopMediaTransmissionMessage: 4,
    },
    rooms={},
    undefined_buttons=False,
    texts_since=17,
    line_texts_since=NEVER,
    wide_open=True,
    latent_since=NEVER,
    long_dialled=False,
    names_call_in_media=False,
    closes_unopened=True,
    counts_parties_down=False,
    ringer_names_call=False,
    line_options=0,
    label_is_extension=False,
    call_instance=0,
    precedence=0,
    hunt_pilot=False,
    traffic_class=127,
    dtmf=(0, 0),
    echo_cancellation=False,
    milliseconds=True,
)

CHAN_SCCP_SHAPE: Final = Shape(
    ack=Ack(unknown=0x20, features=0xFFF1),
    soft_keys=_SCCP_KEYS,
    tails={},
    rooms={ButtonTemplateResMessage: 112, SoftKeyTemplateResMessage: 1280},
    undefined_buttons=True,
    texts_since=8,
    line_texts_since=17,
    wide_open=False,
    latent_since=22,
    long_dialled=True,
    names_call_in_media=True,
    closes_unopened=False,
    counts_parties_down=True,
    ringer_names_call=True,
    line_options=15,
    label_is_extension=True,
    call_instance=1,
    precedence=3,
    hunt_pilot=True,
    traffic_class=184,
    dtmf=(101, 10),
    echo_cancellation=True,
    milliseconds=False,
)
