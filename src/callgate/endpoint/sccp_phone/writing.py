"""How a phone writes its messages: in the form that the protocol version has, and none before its time."""

from __future__ import annotations

from typing import Final

from callgate.endpoint.sccp_phone.actions import Send
from callgate.sccp import Session
from callgate.sccp.forms import usual_form
from callgate.sccp.message import AsSent, Message
from callgate.sccp.messages import keys, media, registration, templates
from callgate.sccp.negotiation import header_version
from callgate.sccp.session import Violation
from callgate.sccp.stream import HIGHEST_PLAUSIBLE_VERSION

VIOLATIONS_LIMIT: Final = 100

_NEEDS_BUTTONS: Final = (keys.OffHookMessage, keys.KeypadButtonMessage, keys.EnblocCallMessage)
_HAS_ADDRESS: Final = (media.OpenReceiveChannelAckMessage, media.PortResMessage)


class Writer:
    """Makes the messages of one phone, notes them in its session, and keeps what is out of order on either side."""

    def __init__(self, session: Session) -> None:
        self.version = 0
        """The protocol version that holds."""
        self.asked_buttons = False
        self.has_buttons = False
        """The server has answered ButtonTemplateReq."""
        self.violations: list[Violation] = []
        """The first 100."""
        self._session = session
        self._blank_headers = True

    def accepted(self, ack: registration.RegisterAckMessage, version: int) -> None:
        """From here on, messages are written for that version."""
        self.version = version
        # chan_skinny says version 48, and 0 in the header of all that it sends: it gets 0 back (captured).
        self._blank_headers = (ack.max_protocol_ver or 0) > HIGHEST_PLAUSIBLE_VERSION

    def write(self, cls: type[Message], /, **fields: object) -> Send:
        """A message, to be sent now. ValueError for one of a call before the server has told the phone its buttons.

        chan-sccp 4.3.5 crashes, and the PBX with it, upon a key of a phone that has not asked for them (observed).
        """
        if issubclass(cls, _NEEDS_BUTTONS) and not self.has_buttons:
            raise ValueError(f"{cls.__name__} before ButtonTemplateRes")
        self.asked_buttons = self.asked_buttons or cls is templates.ButtonTemplateReqMessage
        header = 0 if self._blank_headers else header_version(cls, self.version)
        as_sent = None
        if issubclass(cls, _HAS_ADDRESS) and usual_form(cls, self.version) != usual_form(cls, header):
            as_sent = AsSent(form=usual_form(cls, self.version))
        message = cls(header_version=header, as_sent=as_sent, **fields)
        self.note(self._session.sent(message))
        return Send(message)

    def note(self, found: tuple[Violation, ...]) -> None:
        """Keep what is out of order, as far as there is room."""
        self.violations += found[: max(VIOLATIONS_LIMIT - len(self.violations), 0)]
