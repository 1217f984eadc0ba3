"""A SIP phone over any network: asyncio over the sans-IO protocol of `callgate.sip`."""

from __future__ import annotations

from callgate.endpoint.sip_phone.account import Account, Patience, SipTransport
from callgate.endpoint.sip_phone.once import answer_once, call_once, options_once, register_once
from callgate.endpoint.sip_phone.phone import SipPhone
from callgate.endpoint.sip_phone.refusal import ChallengeShape, Refusal, Reply, refusal

__all__ = [
    "Account",
    "ChallengeShape",
    "Patience",
    "Refusal",
    "Reply",
    "SipPhone",
    "SipTransport",
    "answer_once",
    "call_once",
    "options_once",
    "refusal",
    "register_once",
]
