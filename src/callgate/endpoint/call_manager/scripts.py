"""What each server sends at each moment, in order: the captured order of both, and a plain one without their chatter.

Moments that no capture shows (a phone that rings, busy, congested, invalid numbers) are written in each one's manner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from callgate.endpoint.call_manager.channels import close_receive, open_receive, stop_transmission
from callgate.endpoint.call_manager.scene import Moment
from callgate.endpoint.call_manager.steps import (
    Step,
    call_info,
    call_plane,
    clear_display,
    clear_idle_prompt,
    clear_prompt,
    clock,
    dialled,
    idle_keys,
    keys,
    label,
    lamp,
    notice,
    prompt,
    ringer,
    speaker,
    state,
    statistics,
    stop_tone,
    tone,
)
from callgate.sccp.enums.calls import CallSecurityStatusType, DCallState
from callgate.sccp.enums.keys import DeviceStimulus, SoftKeySet
from callgate.sccp.enums.signals import DeviceTone, LampMode, RingMode, SpeakerMode

Script = Mapping[Moment, tuple[Step, ...]]

_ALL: Final = 0xFFFFFFFF
_CURRENT_OPTIONS: Final = label(19)
_RING_OUT: Final = label(22)
_FROM: Final = label(23)
_CONNECTED: Final = label(24)
_BUSY: Final = label(25)
_ENTER_NUMBER: Final = label(32)
_TEMPORARY_FAILURE: Final = label(35)
_UNKNOWN_NUMBER: Final = label(56)

_messages_lamp = lamp(DeviceStimulus.VOICE_MAIL, 0, LampMode.OFF)
_line_lamp_on = lamp(DeviceStimulus.LINE, 1, LampMode.ON)
_line_lamp_blinks = lamp(DeviceStimulus.LINE, 1, LampMode.BLINK)
_line_lamp_off = lamp(DeviceStimulus.LINE, 1, LampMode.OFF)
_silent = ringer(RingMode.RING_OFF)
_rings = ringer(RingMode.INSIDE_RING)


def _refusal(value: DCallState, heard: DeviceTone, shown: bytes, mask: int) -> tuple[Step, ...]:
    return (stop_tone, state(value), tone(heard), prompt(shown), keys(SoftKeySet.RING_OUT, mask))


def _refusals(mask: int) -> dict[Moment, tuple[Step, ...]]:
    return {
        Moment.BUSY: _refusal(DCallState.BUSY, DeviceTone.LINE_BUSY_TONE, _BUSY, mask),
        Moment.CONGESTED: _refusal(DCallState.CONGESTION, DeviceTone.REORDER_TONE, _TEMPORARY_FAILURE, mask),
        Moment.INVALID: _refusal(DCallState.INVALID_NUMBER, DeviceTone.REORDER_TONE, _UNKNOWN_NUMBER, mask),
    }


PLAIN: Final[Script] = {
    Moment.GREETED: (),
    Moment.OFF_HOOK: (
        _line_lamp_on,
        state(DCallState.OFF_HOOK),
        call_plane,
        tone(DeviceTone.INSIDE_DIAL_TONE),
        keys(SoftKeySet.OFF_HOOK, _ALL),
        prompt(_ENTER_NUMBER),
    ),
    Moment.FIRST_DIGIT: (stop_tone, keys(SoftKeySet.DIGITS_FOLL, _ALL)),
    Moment.NEXT_DIGIT: (),
    Moment.DIALLED: (stop_tone, dialled, state(DCallState.PROCEED), call_info()),
    Moment.RINGING_OUT: (
        state(DCallState.RING_OUT),
        tone(DeviceTone.ALERTING_TONE),
        prompt(_RING_OUT),
        keys(SoftKeySet.RING_OUT, _ALL),
    ),
    Moment.RINGING_IN: (
        state(DCallState.RING_IN),
        call_info(),
        _line_lamp_blinks,
        _rings,
        prompt(_FROM),
        keys(SoftKeySet.RINGIN, _ALL),
    ),
    Moment.CONNECTED: (
        _silent,
        stop_tone,
        _line_lamp_on,
        state(DCallState.CONNECTED),
        call_info(),
        prompt(_CONNECTED),
        keys(SoftKeySet.CONNECTED, _ALL),
        open_receive,
    ),
    **_refusals(_ALL),
    Moment.ENDED: (
        close_receive,
        stop_transmission,
        _silent,
        stop_tone,
        _line_lamp_off,
        clear_prompt,
        state(DCallState.ON_HOOK),
        idle_keys,
    ),
}

CHAN_SKINNY: Final[Script] = {
    Moment.GREETED: (),
    Moment.OFF_HOOK: (
        _silent,
        _line_lamp_on,
        clock,
        state(DCallState.OFF_HOOK),
        call_plane,
        clear_display,
        tone(DeviceTone.INSIDE_DIAL_TONE),
        keys(SoftKeySet.OFF_HOOK, 0x7F),
        prompt(_ENTER_NUMBER),
    ),
    Moment.FIRST_DIGIT: (stop_tone, keys(SoftKeySet.DIGITS_FOLL, 0x07)),
    Moment.NEXT_DIGIT: (),
    Moment.DIALLED: (
        state(DCallState.OFF_HOOK),
        stop_tone,
        clear_display,
        keys(SoftKeySet.RING_OUT, 0x03),
        prompt(b"Dialing"),
    ),
    Moment.RINGING_OUT: (
        tone(DeviceTone.ALERTING_TONE),
        state(DCallState.RING_OUT),
        prompt(_RING_OUT),
        dialled,
        call_info(),
    ),
    Moment.RINGING_IN: (
        call_info(),
        _line_lamp_blinks,
        _rings,
        state(DCallState.RING_IN),
        keys(SoftKeySet.RINGIN, 0x7F),
        prompt(_FROM),
    ),
    Moment.CONNECTED: (
        open_receive,
        _silent,
        call_plane,
        stop_tone,
        call_info(),
        state(DCallState.CONNECTED),
        prompt(_CONNECTED),
        keys(SoftKeySet.CONNECTED, 0x7F),
        dialled,
        stop_tone,
    ),
    **_refusals(0x03),
    Moment.ENDED: (
        speaker(SpeakerMode.OFF),
        close_receive,
        stop_transmission,
        stop_tone,
        state(DCallState.ON_HOOK),
        clear_prompt,
        _silent,
        clock,
        _line_lamp_off,
        clock,
    ),
}

CHAN_SCCP: Final[Script] = {
    Moment.GREETED: (
        lamp(DeviceStimulus.VOICE_MAIL, 1, LampMode.OFF),
        _messages_lamp,
        clear_idle_prompt,
        prompt(_CURRENT_OPTIONS, idle=True),
        idle_keys,
        notice(b"Asterisk " + _CONNECTED, 5),
    ),
    Moment.OFF_HOOK: (
        _messages_lamp,
        speaker(SpeakerMode.ON),
        _line_lamp_on,
        state(DCallState.OFF_HOOK),
        call_plane,
        prompt(_ENTER_NUMBER, 4),
        tone(DeviceTone.INSIDE_DIAL_TONE),
        keys(SoftKeySet.OFF_HOOK, _ALL),
    ),
    Moment.FIRST_DIGIT: (_messages_lamp, stop_tone, keys(SoftKeySet.DIGITS_FOLL, _ALL)),
    Moment.NEXT_DIGIT: (_messages_lamp, keys(SoftKeySet.DIGITS_FOLL, _ALL)),
    Moment.DIALLED: (
        _messages_lamp,
        stop_tone,
        _line_lamp_blinks,
        call_info(),
        dialled,
        state(DCallState.PROCEED),
    ),
    Moment.RINGING_OUT: (
        _messages_lamp,
        state(DCallState.RING_OUT),
        call_info(),
        tone(DeviceTone.ALERTING_TONE),
        prompt(_RING_OUT, 4),
        keys(SoftKeySet.RING_OUT, _ALL),
    ),
    Moment.RINGING_IN: (
        _messages_lamp,
        _line_lamp_blinks,
        state(DCallState.RING_IN),
        call_info(),
        _rings,
        prompt(_FROM, 4),
        keys(SoftKeySet.RINGIN, _ALL),
    ),
    Moment.CONNECTED: (
        _messages_lamp,
        _silent,
        speaker(SpeakerMode.ON),
        stop_tone,
        _line_lamp_on,
        state(DCallState.CONNECTED),
        call_info(CallSecurityStatusType.NOT_AUTHENTICATED),
        call_plane,
        prompt(_CONNECTED, 4),
        open_receive,
        keys(SoftKeySet.CONN_TRANS, _ALL),
    ),
    **_refusals(_ALL),
    Moment.ENDED: (
        close_receive,
        stop_transmission,
        _messages_lamp,
        stop_tone,
        _line_lamp_off,
        clear_prompt,
        state(DCallState.ON_HOOK),
        idle_keys,
        clock,
        speaker(SpeakerMode.OFF),
        _silent,
        statistics,
        clear_idle_prompt,
        prompt(_CURRENT_OPTIONS, idle=True),
        idle_keys,
    ),
}
