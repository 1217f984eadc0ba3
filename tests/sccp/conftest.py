"""What mutation testing needs (bench/mutation.py); nothing in an ordinary run."""

from __future__ import annotations

import os
import sys

import pytest

from callgate.sccp import codec


@pytest.fixture(autouse=True)
def _fresh_code() -> None:
    """While mutmut notes which test calls which function, no test finds code that an earlier one has had made."""
    if os.environ.get("MUTANT_UNDER_TEST") == "stats":
        for name, module in list(sys.modules.items()):
            if name.startswith("callgate.sccp."):
                for thing in vars(module).values():
                    if hasattr(thing, "cache_clear"):
                        thing.cache_clear()
        codec._readings.clear()
        codec._plans.clear()
