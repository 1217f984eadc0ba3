"""Callgate: proves that a VoIP call-control host is closed to strangers and open to its phones."""

__version__ = "0.1.0"
