"""The messages that open and close a call's audio."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Final

from callgate.endpoint.call_manager.scene import Scene
from callgate.endpoint.call_manager.shape import Shape, in_form_of
from callgate.endpoint.network import TransportAddress
from callgate.sccp.enums.devices import IpAddrType
from callgate.sccp.enums.media import (
    MediaEchoCancellation,
    MediaEncryptionAlgorithmType,
    MediaPayloadType,
    MediaSilenceSuppression,
    PortHandling,
)
from callgate.sccp.message import Message
from callgate.sccp.messages import media
from callgate.sccp.messages.structures import (
    CodecParameters,
    MediaEncryptionKeyInfo,
    MediaQualifierIncoming,
    MediaQualifierOutgoing,
    ModemRelay,
    SprtPayload,
    SseCapability,
)

PACKET_MILLISECONDS: Final = 20
CODEC: Final = MediaPayloadType.G711_ULAW64K
WIDE_SINCE: Final = 17
"""The protocol version from which an address may be an IPv6 one."""

_NOWHERE: Final = TransportAddress(IPv4Address(0), 0)
_PARAMETERS: Final = CodecParameters(codec_mode=0, dynamic_payload=0, codec_param1=0, codec_param2=0)
_NO_KEY: Final = MediaEncryptionKeyInfo(
    algorithm_id=MediaEncryptionAlgorithmType.NO_ENCRYPTION,
    keylen=0,
    saltlen=0,
    key=b"",
    salt=b"",
    is_mki_present=0,
    key_derivation_rate=0,
)
_NO_LATENT: Final = media.LatentCapsInfo(
    active=0,
    modem_relay=ModemRelay(cap_and_ver=0, mod_and2833=0),
    sprt_payload=SprtPayload(chan0_max_payload=0, chan2_max_payload=0, chan3_max_payload=0, chan2_max_window=0),
    sse=SseCapability(standard=0, vendor=0),
    payload_param=media.PayloadParam(
        nse=0, rfc2833=0, sse=0, v150sprt=0, noaudio=0, future_use1=0, future_use2=0, future_use3=0
    ),
)


def _form(version: int) -> int:
    """The version that gives a channel message its form: codec parameters are those of 11 in every captured one."""
    return WIDE_SINCE if version >= WIDE_SINCE else 11


def open_receive(scene: Scene, shape: Shape) -> Message:
    """OpenReceiveChannel."""
    version = WIDE_SINCE if shape.wide_open else scene.version
    source = (scene.audio if not shape.wide_open else None) or _NOWHERE
    latent = shape.wide_open or scene.version >= shape.latent_since
    payload, kind = shape.dtmf
    return media.OpenReceiveChannelMessage(
        conference_id=scene.reference,
        pass_through_party_id=scene.party,
        milli_second_packet_size=PACKET_MILLISECONDS,
        compression_type=CODEC,
        qualifier_in=MediaQualifierIncoming(
            ec_value=MediaEchoCancellation.ON if shape.echo_cancellation else MediaEchoCancellation.OFF,
            codec_params_union=_PARAMETERS,
        ),
        call_reference=scene.reference if shape.names_call_in_media else 0,
        m_rx_media_encryption_key_info=_NO_KEY,
        stream_pass_through_id=0,
        associated_stream_id=0,
        rfc2833_payload_type=payload,
        dtmf_type=kind,
        mixing_mode=0,
        party_direction=0,
        source_ip_addr=source.address,
        source_port_number=source.port,
        requested_ip_addr_type=IpAddrType.IPV4 if version >= WIDE_SINCE else None,
        audio_level_adjustment=0 if latent else None,
        latent_caps_info=_NO_LATENT if latent else None,
        as_sent=in_form_of(media.OpenReceiveChannelMessage, _form(version), scene.header),
    )


def start_transmission(scene: Scene, shape: Shape) -> Message:
    """StartMediaTransmission; `scene.audio` says where to."""
    remote = scene.audio or _NOWHERE
    latent = not shape.wide_open and scene.version >= shape.latent_since
    payload, kind = shape.dtmf
    return media.StartMediaTransmissionMessage(
        conference_id=scene.reference,
        pass_through_party_id=scene.party,
        remote_ip_addr=remote.address,
        remote_port_number=remote.port,
        milli_second_packet_size=PACKET_MILLISECONDS,
        compression_type=CODEC,
        qualifier_out=MediaQualifierOutgoing(
            precedence_value=shape.traffic_class,
            ss_value=MediaSilenceSuppression.OFF,
            max_frames_per_packet=0,
            padding=0,
            codec_params_union=_PARAMETERS,
        ),
        call_reference=scene.reference if shape.names_call_in_media else 0,
        m_tx_media_encryption_key_info=_NO_KEY,
        stream_pass_through_id=0,
        associated_stream_id=0,
        rfc2833_payload_type=payload,
        dtmf_type=kind,
        mixing_mode=0,
        party_direction=0,
        latent_caps_info=_NO_LATENT if latent else None,
        as_sent=in_form_of(media.StartMediaTransmissionMessage, _form(scene.version), scene.header),
    )


def close_receive(scene: Scene, shape: Shape) -> Message | None:
    """CloseReceiveChannel, where there is one to close."""
    if not (scene.opened or shape.closes_unopened):
        return None
    named = scene.reference if shape.names_call_in_media else 0
    return media.CloseReceiveChannelMessage(
        conference_id=named,
        pass_through_party_id=scene.party,
        call_reference=named,
        port_handling_flag=PortHandling.CLOSE_PORT,
    )


def stop_transmission(scene: Scene, shape: Shape) -> Message | None:
    """StopMediaTransmission, where there is one to stop."""
    if not (scene.transmitting or shape.closes_unopened):
        return None
    named = scene.reference if shape.names_call_in_media else 0
    return media.StopMediaTransmissionMessage(
        conference_id=named,
        pass_through_party_id=scene.party,
        call_reference=named,
        port_handling_flag=PortHandling.CLOSE_PORT,
    )
