"""A SIP phone's password, from the environment or a file. What is wrong is told without showing it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from callgate.errors import UsageMistake

LONGEST: Final = 1024
"""Bytes of a password file that are read."""


def password_in_variable(name: str) -> str:
    """The password an environment variable holds. UsageMistake when it is not set, or holds none."""
    value = os.environ.get(name)
    if not value:
        raise UsageMistake(f"{name} is not set")
    return _sendable(value, name)


def password_in_file(path: Path) -> str:
    """The password that is the one line of a file. UsageMistake when it cannot be read, or is none."""
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
        value = data.decode().rstrip("\r\n")
    except OSError as error:
        raise UsageMistake(f"{path}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise UsageMistake(f"{path}: it is no text") from None
    if not value or len(data) > LONGEST:
        raise UsageMistake(f"{path}: it is {'too long for a password' if value else 'empty'}")
    return _sendable(value, str(path))


def _sendable(value: str, where: str) -> str:
    """A password without what no digest can be made of: control characters, bytes that are no text."""
    if not value.isprintable():  # nor are the surrogates of an environment that is no UTF-8
        raise UsageMistake(f"{where}: what it holds is not one line of text")
    return value
