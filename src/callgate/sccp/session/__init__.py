"""The session model: registration and calls as tables, and what of a connection's messages is out of order."""

from callgate.sccp.session.calls import Call
from callgate.sccp.session.channels import Channel
from callgate.sccp.session.following import Session
from callgate.sccp.session.registration_states import Registration
from callgate.sccp.session.roles import Role
from callgate.sccp.session.violation import Rule, Violation

__all__ = ["Call", "Channel", "Registration", "Role", "Rule", "Session", "Violation"]
