"""An SCCP phone that behaves like a real one: it registers, calls, answers, and always cleans up.

`Device` is the phone without clock and sockets, `SccpPhone` the one over a `Network`.
"""

from callgate.endpoint.sccp_phone.device import Device
from callgate.endpoint.sccp_phone.identity import Identity, Patience
from callgate.endpoint.sccp_phone.once import answer_once, call_once, register_once
from callgate.endpoint.sccp_phone.phone import SccpPhone

__all__ = ["Device", "Identity", "Patience", "SccpPhone", "answer_once", "call_once", "register_once"]
