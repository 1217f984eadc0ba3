"""Subscriptions to presence, their notifications, and message waiting."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.calls import MwiNotificationResult, SubscribeCause, SubscriptionFeatureID
from callgate.sccp.fields import U32, Enum32, LastText, Named, Text25
from callgate.sccp.message import Message, Sender, Structure, message


class MwiMessageCounts(Structure, frozen=True):
    """How many messages wait."""

    num_new_msgs: U32 = None
    num_old_msgs: U32 = None


@message(0x0048, lengths=(12, 268), sender=Sender.PHONE)
class SubscriptionStatReqMessage(Message, frozen=True):
    """The phone subscribes to the state of another number.

    Not captured. 76 bytes in Wireshark 4.0 (a name of 64), 268 in chan-sccp 4.3 and mod_skinny (256). Version 11 and
    later.
    """

    transaction_id: U32 = None
    """chan-sccp takes the number's index from it, four bits further up."""
    subscription_feature_id: Annotated[Enum32[SubscriptionFeatureID], Named("subscriptionFeatureID")] = None
    timer: U32 = None
    subscription_id: Annotated[bytes | None, LastText(64, most=256), Named("subscriptionID")] = None
    """The number whose state is asked for."""


@message(0x0152, lengths=(16, 16), sender=Sender.SERVER, answers=0x0048)
class SubscriptionStatResMessage(Message, frozen=True):
    """The server accepts a subscription or says why not.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    transaction_id: U32 = None
    subscription_feature_id: Annotated[Enum32[SubscriptionFeatureID], Named("subscriptionFeatureID")] = None
    timer: U32 = None
    cause: Enum32[SubscribeCause] = None


@message(0x0153, lengths=(12, 112), sender=Sender.SERVER)
class NotificationMessage(Message, frozen=True):
    """The server tells the phone the state of a number it has subscribed to.

    Not captured. The text has 97 bytes; the body is rounded up to 112.
    """

    transaction_id: U32 = None
    subscription_feature_id: Annotated[Enum32[SubscriptionFeatureID], Named("subscriptionFeatureID")] = None
    notification_status: U32 = None
    text: Annotated[bytes | None, LastText(97)] = None


@message(0x004C, lengths=(86, 88), sender=Sender.NODE)
class MwiNotificationMessage(Message, frozen=True):
    """A node tells the call manager whether messages wait for a number.

    Not captured; after Wireshark 4.0, 86 bytes. sccp-rs has 88, with both numbers padded to 4 together.
    """

    mwi_target_number: Text25 = None
    mwi_control_number: Text25 = None
    are_messages_waiting: U32 = None
    total_vm_counts: MwiMessageCounts | None = None
    priority_vm_counts: MwiMessageCounts | None = None
    total_fax_counts: MwiMessageCounts | None = None
    priority_fax_counts: MwiMessageCounts | None = None


@message(0x0158, lengths=(29, 32), sender=Sender.NODE, answers=0x004C)
class MwiResMessage(Message, frozen=True):
    """The call manager says whether it took the number of waiting messages, in answer to MwiNotificationMessage.

    Not captured; after Wireshark 4.0, 29 bytes. sccp-rs has 32.
    """

    mwi_target_number: Text25 = None
    mwi_notification_result: Annotated[Enum32[MwiNotificationResult], Named("mwi_notification_result")] = None
