"""The lab's call manager: a small SCCP server that imitates chan_skinny and chan-sccp, or is plainly correct."""

from callgate.endpoint.call_manager.connection import Closing, Connection
from callgate.endpoint.call_manager.manager import CallManager
from callgate.endpoint.call_manager.profile import PROFILES, Profile
from callgate.endpoint.call_manager.settings import Line, Settings

__all__ = ["PROFILES", "CallManager", "Closing", "Connection", "Line", "Profile", "Settings"]
