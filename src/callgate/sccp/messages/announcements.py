"""Announcements played into a conference."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.conferences import AnnPlayMode, EndOfAnnAck, PlayAnnStatus
from callgate.sccp.enums.signals import DeviceTone
from callgate.sccp.fields import U32, Array, Enum32, Integer, Named
from callgate.sccp.message import Message, Sender, Structure, message


class Announcement(Structure, frozen=True):
    """TODO."""

    locale: U32 = None
    country: U32 = None
    tone_announcement: Enum32[DeviceTone] = None


@message(0x0122, lengths=(464, 464), sender=Sender.NODE)
class StartAnnouncementMessage(Message, frozen=True):
    """TODO. Not captured."""

    ann_list: Annotated[tuple[Announcement, ...] | None, Array(32), Named("AnnList")] = None
    ann_ack_req: Enum32[EndOfAnnAck] = None
    conference_id: U32 = None
    matrix_conf_party_id: Annotated[tuple[int, ...] | None, Array(16, of=Integer(4)), Named("matrixConfPartyID")] = None
    hearing_conf_party_mask: U32 = None
    ann_play_mode: Enum32[AnnPlayMode] = None


@message(0x0123, lengths=(4, 4), sender=Sender.NODE)
class StopAnnouncementMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None


@message(0x0124, lengths=(8, 8), sender=Sender.NODE)
class AnnouncementFinishMessage(Message, frozen=True):
    """TODO. Not captured."""

    conference_id: U32 = None
    ann_status: Enum32[PlayAnnStatus] = None
