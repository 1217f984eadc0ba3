"""Runs the checks of an audit through pytest, in this process and shut off from the user's pytest settings."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from callgate.audit.plan import AuditPlan
from callgate.audit.session import AuditSession
from callgate.baseline.library import data_dir
from callgate.errors import NotDetermined, UsageMistake
from callgate.evidence.collector import Progress
from callgate.report.outcome import AuditReport

_ISOLATED = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}


class _Conduct:
    """The plugin that hands the audit to `callgate.plugin`, and takes down what could not be loaded."""

    def __init__(self, session: AuditSession) -> None:
        self.session = session
        self.implemented: set[str] = set()
        self.broken: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        from callgate.plugin import begin_audit

        begin_audit(config, self.session)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            lines = [line for line in str(report.longreprtext).splitlines() if line.strip()]
            self.broken.append(
                f"{report.nodeid or 'checks'}: {lines[-1].removeprefix('E').strip() if lines else 'broken'}"
            )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        from callgate.plugin import control_id

        for item in items:
            id_ = control_id(item)
            if id_ is None:
                self.broken.append(f"{item.nodeid}: the check has no @control mark, so that no baseline selects it")
            else:
                self.implemented.add(id_)


def run_checks(
    plan: AuditPlan,
    uris: Sequence[str],
    own_checks: Sequence[Path] = (),
    *,
    ssh_config: str | None = None,
    ansible_inventory: str | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Audit the hosts with the shipped checks and those of the user.

    Raises UsageMistake when a check file is broken or pytest refuses, NotDetermined when the run broke off.
    """
    session = AuditSession(plan, progress)
    try:
        uris = [session.logins.shared(uri) for uri in uris]
        session.logins.config(ssh_config)
    except UsageMistake:
        session.close()
        raise
    conduct = _Conduct(session)
    arguments = [
        *(str(path) for path in (data_dir("checks"), *own_checks)),
        f"--hosts={','.join(uris)}",
        "-c",
        os.devnull,
        f"--rootdir={Path.cwd()}",
        "--import-mode=importlib",
        "--strict-markers",
        "--tb=short",
        "--capture=no",
        "-p",
        "no:cacheprovider",
        "-p",
        "callgate.plugin",
        "-p",
        "testinfra.plugin",
        "-W",
        "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning",
    ]
    if ssh_config:
        arguments.append(f"--ssh-config={ssh_config}")
    if ansible_inventory:
        arguments.append(f"--ansible-inventory={ansible_inventory}")
    said = io.StringIO()
    with _environment(_ISOLATED), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main(arguments, plugins=[conduct])
    if conduct.broken:
        raise UsageMistake("\n".join(conduct.broken))
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code == pytest.ExitCode.USAGE_ERROR:
        raise UsageMistake(_errors(said.getvalue()))
    if code == pytest.ExitCode.INTERNAL_ERROR:
        raise NotDetermined(f"the run of the checks broke off: {_errors(said.getvalue())}")
    session.add_unchecked(conduct.implemented)
    return session.report()


def _errors(text: str) -> str:
    """What pytest said of an error, without its own frame."""
    lines = [line.removeprefix("ERROR: ").removeprefix("INTERNALERROR> ") for line in text.splitlines()]
    told = [line for line in lines if line.strip() and not line.startswith(("=", "usage:"))]
    return "\n".join(told[-5:]) or "pytest gave no reason"


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
