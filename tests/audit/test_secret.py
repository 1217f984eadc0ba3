"""Passwords of test phones come from the environment or a file; what is missing is an error that does not show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from callgate.audit.trials.secret import beside, password_of
from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint.sip_phone.password import LONGEST
from callgate.errors import NotDetermined


def phone(**values: str) -> TrialPhone:
    return TrialPhone.model_validate({"name": "hall", "application": "sip", "user": "4711", **values})


def test_password_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALL", "s3cret")
    assert password_of(phone(password_env="HALL"), None) == "s3cret"


@pytest.mark.parametrize("value", [None, ""])
def test_password_that_is_not_in_the_environment(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("HALL", raising=False)
    if value is not None:
        monkeypatch.setenv("HALL", value)
    with pytest.raises(NotDetermined, match="hall: its password cannot be had: HALL is not set"):
        password_of(phone(password_env="HALL"), None)


@pytest.mark.parametrize("text", ["s3cret", "s3cret\n", "s3cret\r\n"])
def test_password_of_a_file_beside_the_site_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "hall.secret").write_bytes(text.encode())
    assert password_of(phone(password_file="hall.secret"), tmp_path / "site.yaml") == "s3cret"


def test_spaces_belong_to_a_password(tmp_path: Path) -> None:
    (tmp_path / "p").write_text(" a b \n")
    assert password_of(phone(password_file=str(tmp_path / "p")), None) == " a b "


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "no text"),
        (b"x" * 2000, "too long"),
    ],
)
def test_password_file_that_is_of_no_use(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "p").write_bytes(content)
    with pytest.raises(NotDetermined, match=reason) as error:
        password_of(phone(password_file="p"), tmp_path / "site.yaml")
    assert "x" * 100 not in str(error.value)
    assert LONGEST < 2000


def test_phone_without_password() -> None:
    assert password_of(phone(), None) is None


def test_absolute_paths_and_homes_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/voice")
    assert beside(Path("/etc/site.yaml"), "/run/secret") == Path("/run/secret")
    assert beside(Path("/etc/site.yaml"), "~/secret") == Path("/home/voice/secret")
    assert beside(Path("/etc/site.yaml"), "secret") == Path("/etc/secret")
    assert beside(None, "secret") == Path("secret")


@pytest.mark.parametrize("value", ["two\nlines", "tab\there", "\udcff"])
def test_password_that_no_digest_can_be_made_of(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HALL", value)
    with pytest.raises(NotDetermined, match="HALL: what it holds is not one line") as error:
        password_of(phone(password_env="HALL"), None)
    assert value not in str(error.value)
