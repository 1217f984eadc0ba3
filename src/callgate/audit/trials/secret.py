"""The passwords of test phones: from the environment or a file, never from the site file, never shown."""

from __future__ import annotations

from pathlib import Path

from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint.sip_phone.password import password_in_file, password_in_variable
from callgate.errors import NotDetermined, UsageMistake


def beside(site: Path | None, name: str) -> Path:
    """A path of the site file: a relative one is meant from where the site file lies."""
    path = Path(name).expanduser()
    return path if site is None else site.parent / path


def password_of(phone: TrialPhone, site: Path | None) -> str | None:
    """The phone's password; None if it has none. Raises NotDetermined where it should be and is not."""
    try:
        if phone.password_env is not None:
            return password_in_variable(phone.password_env)
        return None if phone.password_file is None else password_in_file(beside(site, phone.password_file))
    except UsageMistake as wrong:
        raise NotDetermined(f"{phone.name}: its password cannot be had: {wrong}") from None
