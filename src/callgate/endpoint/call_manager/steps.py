"""The messages of a call, one function each: what a script is made of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from callgate.endpoint.call_manager.scene import Scene
from callgate.endpoint.call_manager.shape import Shape, in_form_of
from callgate.sccp.enums.calls import CallPrivacy, CallSecurityStatusType, CallType, DCallState, StatsProcessingType
from callgate.sccp.enums.keys import DeviceStimulus, SoftKeySet
from callgate.sccp.enums.signals import (
    DeviceTone,
    LampMode,
    RingDuration,
    RingMode,
    SpeakerMode,
    ToneOutputDirection,
)
from callgate.sccp.message import AsSent, Message
from callgate.sccp.messages import calls, display, signals, templates
from callgate.sccp.messages.devices import Time, TimeDateResMessage

Step = Callable[[Scene, Shape], Message | None]
"""Writes one message, or none where the moment needs none."""


def label(number: int) -> bytes:
    """The reference to one of the phone's own labels."""
    return bytes([0x80, number])


def state(value: DCallState) -> Step:
    """CallState."""

    def step(scene: Scene, shape: Shape) -> Message:
        return calls.CallStateMessage(
            call_state=value,
            line_instance=scene.line,
            call_reference=scene.reference,
            privacy=CallPrivacy.NONE,
            precedence=calls.Precedence(precedence_level=shape.precedence, precedence_domain=0),
        )

    return step


def lamp(stimulus: DeviceStimulus, instance: int, mode: LampMode) -> Step:
    """SetLamp."""

    def step(_scene: Scene, _shape: Shape) -> Message:
        return signals.SetLampMessage(stimulus=stimulus, stimulus_instance=instance, lamp_mode=mode)

    return step


def ringer(mode: RingMode) -> Step:
    """SetRinger."""

    def step(scene: Scene, shape: Shape) -> Message:
        reference = scene.reference if shape.ringer_names_call else 0
        duration = RingDuration.NORMAL_RING
        return signals.SetRingerMessage(
            ring_mode=mode, ring_duration=duration, line_instance=scene.line, call_reference=reference
        )

    return step


def tone(value: DeviceTone) -> Step:
    """StartTone."""

    def step(scene: Scene, _shape: Shape) -> Message:
        return signals.StartToneMessage(
            tone=value,
            tone_output_direction=ToneOutputDirection.USER,
            line_instance=scene.line,
            call_reference=scene.reference,
        )

    return step


def stop_tone(scene: Scene, _shape: Shape) -> Message:
    """StopTone, with its last word at every version (captured from both servers)."""
    return signals.StopToneMessage(line_instance=scene.line, call_reference=scene.reference, tone=DeviceTone.SILENCE)


def speaker(mode: SpeakerMode) -> Step:
    """SetSpeakerMode."""
    return lambda _scene, _shape: signals.SetSpeakerModeMessage(speaker_mode=mode)


def keys(chosen: SoftKeySet, mask: int) -> Step:
    """SelectSoftKeys for the call."""

    def step(scene: Scene, _shape: Shape) -> Message:
        return templates.SelectSoftKeysMessage(
            line_instance=scene.line,
            call_reference=scene.reference,
            soft_key_set_index=chosen,
            valid_key_mask=mask,
        )

    return step


def idle_keys(_scene: Scene, shape: Shape) -> Message:
    """SelectSoftKeys for the idle phone."""
    return templates.SelectSoftKeysMessage(
        line_instance=0,
        call_reference=0,
        soft_key_set_index=SoftKeySet.ON_HOOK,
        valid_key_mask=shape.soft_keys.mask,
    )


def prompt(text: bytes, seconds: int = 0, *, idle: bool = False) -> Step:
    """DisplayPromptStatus, for the call or the idle phone."""

    def step(scene: Scene, shape: Shape) -> Message:
        line, reference = (0, 0) if idle else (scene.line, scene.reference)
        if scene.version >= shape.texts_since:
            return display.DisplayPromptStatusV2Message(
                time_out_value=seconds, line_instance=line, call_reference=reference, prompt_status=text
            )
        return display.DisplayPromptStatusMessage(
            time_out_value=seconds, prompt_status=text, line_instance=line, call_reference=reference
        )

    return step


def clear_prompt(scene: Scene, _shape: Shape) -> Message:
    """ClearPromptStatus for the call."""
    return display.ClearPromptStatusMessage(line_instance=scene.line, call_reference=scene.reference)


def clear_idle_prompt(_scene: Scene, _shape: Shape) -> Message:
    """ClearPromptStatus for the idle phone."""
    return display.ClearPromptStatusMessage(line_instance=0, call_reference=0)


def clear_display(_scene: Scene, _shape: Shape) -> Message:
    """ClearDisplay."""
    return display.ClearDisplay()


def notice(text: bytes, seconds: int) -> Step:
    """DisplayNotify."""

    def step(scene: Scene, shape: Shape) -> Message:
        if scene.version >= shape.texts_since:
            return display.DisplayNotifyV2Message(time_out_value=seconds, notify=text)
        return display.DisplayNotifyMessage(time_out_value=seconds, notify=text)

    return step


def call_plane(scene: Scene, _shape: Shape) -> Message:
    """ActivateCallPlane."""
    return display.ActivateCallPlaneMessage(line_instance=scene.line)


def clock(scene: Scene, shape: Shape) -> Message:
    """TimeDateRes; UTC, for there is no time zone in it."""
    return time_date(scene.time, milliseconds=shape.milliseconds)


def time_date(time: datetime, *, milliseconds: bool) -> TimeDateResMessage:
    """TimeDateRes for an aware time."""
    shown = Time(
        w_year=time.year,
        w_month=time.month,
        w_day_of_week=time.isoweekday() % 7,
        w_day=time.day,
        w_hour=time.hour,
        w_minute=time.minute,
        w_second=time.second,
        w_milliseconds=time.microsecond // 1000 if milliseconds else 0,
    )
    return TimeDateResMessage(time_data_info=shown, system_time=int(time.timestamp()) & 0xFFFFFFFF)


def dialled(scene: Scene, shape: Shape) -> Message:
    """DialedNumber."""
    as_sent = None
    if shape.long_dialled:
        as_sent = AsSent(form=1) if scene.header > 18 else AsSent(tail=bytes(4))
    return calls.DialedNumberMessage(
        dialed_number=scene.called.encode(),
        line_instance=scene.line,
        call_reference=scene.reference,
        as_sent=as_sent,
    )


def statistics(scene: Scene, _shape: Shape) -> Message | None:
    """ConnectionStatisticsReq, where there was audio."""
    if not scene.opened:
        return None
    return calls.ConnectionStatisticsReqMessage(
        directory_num=scene.other.encode(),
        call_reference=scene.reference,
        stats_processing_mode=StatsProcessingType.CLEAR_STATS,
    )


def call_info(security: CallSecurityStatusType = CallSecurityStatusType.UNKNOWN) -> Step:
    """CallInfo: who calls whom."""

    def step(scene: Scene, shape: Shape) -> Message:
        write = _dynamic_call_info if scene.version >= shape.texts_since else _fixed_call_info
        return write(scene, shape, security)

    return step


def _call_type(scene: Scene) -> CallType:
    return CallType.OUT_BOUND_CALL if scene.outbound else CallType.IN_BOUND_CALL


def _fixed_call_info(scene: Scene, shape: Shape, security: CallSecurityStatusType) -> Message:
    none = b""
    return calls.CallInfoMessage(
        calling_party_name=scene.caller_name.encode(),
        calling_party=scene.caller.encode(),
        called_party_name=scene.called_name.encode(),
        called_party=scene.called.encode(),
        line_instance=scene.line,
        call_reference=scene.reference,
        call_type=_call_type(scene),
        original_called_party_name=none,
        original_called_party=none,
        last_redirecting_party_name=none,
        last_redirecting_party=none,
        original_cdpn_redirect_reason=0,
        last_redirecting_reason=0,
        cgpn_voice_mailbox=none,
        cdpn_voice_mailbox=none,
        original_cdpn_voice_mailbox=none,
        last_redirecting_voice_mailbox=none,
        call_instance=shape.call_instance,
        call_security_status=security,
        party_pi_restriction_bits=0,
    )


def _dynamic_call_info(scene: Scene, shape: Shape, security: CallSecurityStatusType) -> Message:
    none = b""
    # chan-sccp leaves out the alternate number below 16, and names the caller as the one who redirected last.
    alternate = none if scene.version >= 16 else None
    redirecting = shape.hunt_pilot
    pilot = none if shape.hunt_pilot and scene.version >= 17 else None
    return calls.CallInfoV2Message(
        line_instance=scene.line,
        call_reference=scene.reference,
        call_type=_call_type(scene),
        original_cdpn_redirect_reason=0,
        last_redirecting_reason=0,
        call_instance=shape.call_instance,
        call_security_status=security,
        party_pi_restriction_bits=0,
        calling_party=scene.caller.encode(),
        alternate_calling_party=alternate,
        called_party=scene.called.encode(),
        original_called_party=none,
        last_redirecting_party=scene.caller.encode() if redirecting else none,
        cgpn_voice_mailbox=none,
        cdpn_voice_mailbox=none,
        original_cdpn_voice_mailbox=none,
        last_redirecting_voice_mailbox=none,
        calling_party_name=scene.caller_name.encode(),
        called_party_name=scene.called_name.encode(),
        original_called_party_name=none,
        last_redirecting_party_name=scene.caller_name.encode() if redirecting else none,
        hunt_pilot_number=pilot,
        hunt_pilot_name=pilot,
        as_sent=in_form_of(calls.CallInfoV2Message, 11 if alternate is None else 17, scene.header),
    )
