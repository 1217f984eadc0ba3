"""What a phone asks for once it is registered, in the order that both servers are known to take (captured)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from callgate.sccp.enums.keys import ButtonType
from callgate.sccp.message import AnyMessage, Message
from callgate.sccp.messages import capabilities, devices, lines, registration, templates

SPEED_DIALS: Final = 8
"""Speed dials of a template that the phone asks for."""

Request = tuple[type[Message], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Step:
    """Requests that are sent together, and the answer to the last of them."""

    name: str
    requests: tuple[Request, ...] = ()
    answers: tuple[type[Message], ...] = field(default=())

    def answered_by(self, message: AnyMessage) -> bool:
        """Whether the step is done with that message."""
        return isinstance(message, self.answers)


def _asking(request: type[Message], *answers: type[Message], **fields: object) -> Step:
    return Step(request.name, ((request, fields),), answers)


CAPABILITIES: Final = Step("the question for capabilities", (), (capabilities.CapabilitiesReq,))
BUTTONS: Final = _asking(templates.ButtonTemplateReqMessage, templates.ButtonTemplateResMessage)


FIRST_STEPS: Final = (
    CAPABILITIES,
    BUTTONS,
    _asking(templates.SoftKeyTemplateReqMessage, templates.SoftKeyTemplateResMessage),
    _asking(templates.SoftKeySetReqMessage, templates.SoftKeySetResMessage),
)
"""What follows RegisterAck."""


def later_steps(line_count: int, dials: tuple[Step, ...]) -> tuple[Step, ...]:
    """What follows once the buttons are known, up to the first keepalive; at least one line is asked for."""
    count = max(line_count, 1)
    return (
        *[
            _asking(lines.LineStatReqMessage, lines.LineStatResMessage, lines.LineStatV2ResMessage, line_number=line)
            for line in range(1, count + 1)
        ],
        *dials,
        Step(
            devices.TimeDateReqMessage.name,
            (
                (devices.RegisterAvailableLinesMessage, {"max_num_of_avail_lines": count}),
                (devices.TimeDateReqMessage, {}),
            ),
            (devices.TimeDateResMessage,),
        ),
        _asking(registration.KeepAliveReqMessage, registration.KeepAliveAckMessage),
    )


def lines_of(message: templates.ButtonTemplateResMessage) -> int:
    """The lines that a button template has."""
    return len(_instances(message, ButtonType.LINE))


def speed_dials_of(message: templates.ButtonTemplateResMessage) -> tuple[Step, ...]:
    """The questions for the speed dials that a button template has; for the first 8."""
    return tuple(
        _asking(
            lines.SpeedDialStatReqMessage,
            lines.SpeedDialStatResMessage,
            lines.SpeedDialStatV2ResMessage,
            lines.SpeedDialStatV2FixedResMessage,
            speed_dial_number=instance,
        )
        for instance in _instances(message, ButtonType.SPEED_DIAL)[:SPEED_DIALS]
    )


def _instances(message: templates.ButtonTemplateResMessage, kind: ButtonType) -> list[int]:
    template = message.button_template
    buttons = () if template is None or template.definition is None else template.definition
    return sorted({button.instance_number or 0 for button in buttons if button.button_definition == kind})
