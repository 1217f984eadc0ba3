"""The passwords of test phones: from the environment or a file, never from the site file, never shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from callgate.baseline.trial_phone import TrialPhone
from callgate.errors import NotDetermined

LONGEST: Final = 1024
"""Bytes of a password file that are read."""


def beside(site: Path | None, name: str) -> Path:
    """A path of the site file: a relative one is meant from where the site file lies."""
    path = Path(name).expanduser()
    return path if site is None else site.parent / path


def password_of(phone: TrialPhone, site: Path | None) -> str | None:
    """The phone's password; None if it has none. Raises NotDetermined where it should be and is not."""
    if phone.password_env is not None:
        value = os.environ.get(phone.password_env)
        if not value:
            raise NotDetermined(f"{phone.name}: its password is not there: {phone.password_env} is not set")
        return _sendable(phone, value, phone.password_env)
    if phone.password_file is None:
        return None
    path = beside(site, phone.password_file)
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
        value = data.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is no text"
        raise NotDetermined(f"{phone.name}: its password cannot be read: {path}: {reason}") from None
    if not value or len(data) > LONGEST:
        raise NotDetermined(f"{phone.name}: its password cannot be read: {path} is {'too long' if value else 'empty'}")
    return _sendable(phone, value, str(path))


def _sendable(phone: TrialPhone, value: str, where: str) -> str:
    """A password without what no digest can be made of: control characters, bytes that are no text."""
    if not value.isprintable():  # nor are the surrogates of an environment that is no UTF-8
        raise NotDetermined(f"{phone.name}: its password cannot be used: what {where} holds is not one line of text")
    return value
