"""Announcements played into a conference."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.conferences import AnnPlayMode, EndOfAnnAck, PlayAnnStatus
from callgate.sccp.enums.signals import DeviceTone
from callgate.sccp.fields import U32, Array, Enum32, Integer, Named
from callgate.sccp.message import Message, Sender, Structure, message


class Announcement(Structure, frozen=True):
    """One announcement: a tone, for a locale and a country."""

    locale: U32 = None
    country: U32 = None
    tone_announcement: Enum32[DeviceTone] = None


@message(0x0122, lengths=(464, 464), sender=Sender.NODE)
class StartAnnouncementMessage(Message, frozen=True):
    """The call manager has a node play a list of announcements into a conference.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3. The list always takes the room of 32 entries and has no count.
    """

    ann_list: Annotated[tuple[Announcement, ...] | None, Array(32), Named("AnnList")] = None
    ann_ack_req: Enum32[EndOfAnnAck] = None
    """Whether AnnouncementFinishMessage is to follow the last announcement."""
    conference_id: U32 = None
    matrix_conf_party_id: Annotated[tuple[int, ...] | None, Array(16, of=Integer(4)), Named("matrixConfPartyID")] = None
    """Always sixteen."""
    hearing_conf_party_mask: U32 = None
    ann_play_mode: Enum32[AnnPlayMode] = None


@message(0x0123, lengths=(4, 4), sender=Sender.NODE)
class StopAnnouncementMessage(Message, frozen=True):
    """The call manager stops the announcement in a conference.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None


@message(0x0124, lengths=(8, 8), sender=Sender.NODE)
class AnnouncementFinishMessage(Message, frozen=True):
    """The announcement in a conference is over.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    conference_id: U32 = None
    ann_status: Enum32[PlayAnnStatus] = None
