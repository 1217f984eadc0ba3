"""Lab hosts for tests: `pytest_plugins = ["callgate.lab.pytest_fixtures"]`.

Where no lab can be built, or a server is not installed, the test is skipped with the reason. With
CALLGATE_REQUIRE_LAB=1 it fails instead, so that a run meant to cover the lab cannot pass without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Final

import pytest

from callgate.lab.availability import find_tool, lab_unavailable
from callgate.lab.kamailio import start_kamailio
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab

REQUIRE: Final = "CALLGATE_REQUIRE_LAB"

_lab_unavailable = cache(lab_unavailable)


def require(missing: str | None) -> None:
    """Go on when nothing is missing; else skip the test, or fail it when CALLGATE_REQUIRE_LAB is 1."""
    if missing is not None:
        if os.environ.get(REQUIRE) == "1":
            pytest.fail(f"{missing} ({REQUIRE}=1)", pytrace=False)
        pytest.skip(missing)


def require_tool(name: str) -> str:
    """The path of a program the test needs."""
    path = find_tool(name)
    require(f"{name} not found" if path is None else None)
    assert path is not None
    return path


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A fresh lab: a PBX with no server and no firewall, a trusted client and a stranger."""
    require(_lab_unavailable())
    with Lab() as built:
        yield built


@pytest.fixture
def pbx_lab(lab: Lab) -> Lab:
    """A lab whose PBX answers everyone: SCCP on 2000/tcp and SIP (Kamailio) on 5060, udp and tcp, both families."""
    require_tool("kamailio")
    start_sccp(lab.pbx)
    start_kamailio(lab.pbx)
    return lab
