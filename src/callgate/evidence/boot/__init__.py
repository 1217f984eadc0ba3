"""What of a host's evidence loads when it starts: saved rules, and the units that load them."""

from callgate.evidence.boot.loader import BootLoader, BootPlan, LoaderName
from callgate.evidence.boot.plan import boot_plan

__all__ = ["BootLoader", "BootPlan", "LoaderName", "boot_plan"]
