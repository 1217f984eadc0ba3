"""What a guarded change refuses before it reaches for a host."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from callgate.change.guarded.connection import Connection
from callgate.change.guarded.guard import script
from callgate.change.guarded.plan import COMMAND_LIMIT, ChangePlan
from callgate.errors import UsageMistake


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"apply": "  \n"}, "the apply command is empty"),
        ({"rollback": ""}, "the rollback command is empty"),
        ({"apply": "x" * (COMMAND_LIMIT + 1)}, "put it into a file"),
        ({"rollback": "a\0b"}, "holds a NUL"),
        ({"confirm_within": 0}, "between 1 and 86400"),
        ({"apply_within": 86401}, "between 1 and 86400"),
        ({"id": "../../etc"}, "no number of a change"),
    ],
)
def test_a_plan_that_cannot_be_is_a_mistake(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageMistake, match=said):
        ChangePlan(**{"host": "pbx1", "apply": "true", "rollback": "true", **changed})


def test_two_changes_have_different_numbers() -> None:
    assert len({ChangePlan(host="pbx1", apply="true", rollback="true").id for _ in range(20)}) == 20


@pytest.mark.parametrize("wrapped", [1, 2, 3])
def test_the_longest_command_line_fits_into_one_argument(wrapped: int) -> None:
    # The login shell, sudo and the back end each quote the whole once more (MAX_ARG_STRLEN: 128 KiB).
    command = shlex.join(
        ["sh", "-c", "x", "guard", script(), "arm", "a" * 32, "x" * COMMAND_LIMIT, "y" * COMMAND_LIMIT]
    )
    for _ in range(wrapped):
        command = shlex.join(["sh", "-c", command])
    assert len(command) < 128 * 1024


def test_a_bundle_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(UsageMistake, match="nothing to change"):
        Connection(f"bundle://{tmp_path}")


def test_each_connection_to_a_host_is_one_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "config"
    own.write_text("Host *\n  ControlMaster auto\n  ControlPath ~/.ssh/%C\n  Port 2222\n")
    with Connection(f"ssh://root@pbx1?ssh_config={own}&sudo=true") as connection:
        text = Path(connection.ssh_config).read_text()
        assert text.index("ControlPath none") < text.index(f'Include "{own}"')
        assert "ssh_config" not in connection.uri
        assert connection.key == "ssh://root@pbx1?sudo=true"
    assert not Path(connection.ssh_config).exists()


def test_an_ssh_config_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageMistake, match="no such ssh_config"):
        Connection("pbx1", str(tmp_path / "none"))
