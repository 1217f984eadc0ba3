"""The pytest plugin: hosts and services as parameters, evidence before checks, the `control` mark.

A check is a test function marked `@control("ID")`. It runs once for every host of testinfra's `--hosts`, and
once for every judged service if it takes `service`. An assertion that fails is a failure; a `NotDetermined`,
or any other exception, is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from testinfra.host import Host

from callgate.audit.answers import Answers
from callgate.audit.host_policy import HostPolicy
from callgate.audit.plan import AuditPlan, make_plan
from callgate.audit.session import AuditSession
from callgate.audit.target import Target
from callgate.audit.verdicts import ATTESTED, note_phase, outcome_of
from callgate.baseline.library import Baseline
from callgate.baseline.service import Service
from callgate.baseline.site import Site
from callgate.errors import FileMistakes, NotDetermined, UsageMistake
from callgate.evidence.backends import host_uri, register_backends
from callgate.evidence.evidence import Evidence
from callgate.report.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from callgate.audit.trials.trials import Trials

control = pytest.mark.control
"""Ties a check to the control of that id in the baseline: `@control("EXP-01")`."""

__all__ = ["NotDetermined", "control"]

SESSION = pytest.StashKey[AuditSession]()
_VERDICT_WORDS = {
    Verdict.ERROR: ("error", "E", "ERROR"),
    Verdict.WAIVED: ("waived", "w", "WAIVED"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that `callgate audit` has as well."""
    group = parser.getgroup("callgate", "callgate: audits of VoIP call control")
    group.addoption("--baseline", metavar="NAME|FILE", help="baseline to audit against (default: voip-core)")
    group.addoption("--site", metavar="FILE", help="site file: trusted networks, services, vantages, waivers")
    group.addoption("--waivers", metavar="FILE", action="append", default=[], help="file with waivers; repeatable")
    group.addoption("--audit-junit", metavar="FILE", help="write the audit's JUnit XML, a suite per host and control")
    group.addoption("--audit-json", metavar="FILE", help="write the audit's results as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark, and let `--hosts` take bundles."""
    config.addinivalue_line("markers", "control(id): the check verifies the baseline's control of this id")
    register_backends()
    hosts = getattr(config.option, "hosts", None)
    if hosts and "bundle://" in hosts:
        try:
            config.option.hosts = ",".join(
                host_uri(host) if host.startswith("bundle://") else host for host in hosts.split(",")
            )
        except UsageMistake as error:
            raise pytest.UsageError(str(error)) from None


def audit_session(config: pytest.Config) -> AuditSession:
    """The audit of this pytest run; begun when the first check is met, so that other test suites pay nothing."""
    if SESSION in config.stash:
        return config.stash[SESSION]
    if hasattr(config, "workerinput"):
        raise pytest.UsageError("audits run in one process, so that each host is collected once: leave out -n")
    try:
        plan = make_plan(
            config.getoption("--baseline"),
            Path(config.getoption("--site")) if config.getoption("--site") else None,
            [Path(path) for path in config.getoption("--waivers")],
        )
        return begin_audit(config, AuditSession(plan))
    except (FileMistakes, UsageMistake) as error:
        raise pytest.UsageError(str(error)) from None


def begin_audit(config: pytest.Config, session: AuditSession) -> AuditSession:
    """Make `session` the audit of this run, and give testinfra an ssh_config that shares logins.

    Raises UsageMistake when an ssh_config that is named is not there.
    """
    config.stash[SESSION] = session
    config.add_cleanup(session.close)
    config.option.ssh_config = str(session.logins.config(config.option.ssh_config))
    if config.option.hosts:
        config.option.hosts = ",".join(session.logins.shared(host) for host in config.option.hosts.split(","))
    return session


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a check that takes `service` once for each judged service."""
    if not (marks := list(metafunc.definition.iter_markers("control"))):
        return
    name = metafunc.definition.nodeid
    if len(marks) != 1 or len(marks[0].args) != 1 or not isinstance(marks[0].args[0], str):
        raise pytest.UsageError(f'{name}: one mark of the form @control("EXP-01") is expected')
    session = audit_session(metafunc.config)
    if "_testinfra_host" not in metafunc.fixturenames:
        taken = "`target`, `evidence`, `policy` or `host`"
        raise pytest.UsageError(f"{name}: a check takes {taken}, or it says nothing of a host")
    if "service" in metafunc.fixturenames:
        nothing = pytest.param(None, marks=pytest.mark.skip(reason="the site drops every service"), id="none")
        services = [pytest.param(service, id=service.name) for service in session.plan.services]
        metafunc.parametrize("service", services or [nothing], indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the checks whose control the baseline does not have."""
    if SESSION not in config.stash:
        return
    controls = config.stash[SESSION].plan.baseline.controls
    left_out = [item for item in items if (id_ := control_id(item)) is not None and id_ not in controls]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Collect all hosts at once, before the first check."""
    config = session.config
    if SESSION not in config.stash or config.option.collectonly or session.testsfailed:
        return
    hosts = [host for item in session.items if control_id(item) and (host := host_of(item)) is not None]
    try:
        config.stash[SESSION].prepare(hosts)
    except UsageMistake as error:
        raise pytest.UsageError(str(error)) from None


def control_id(item: pytest.Item) -> str | None:
    """The control a check verifies; None for other tests."""
    mark = item.get_closest_marker("control")
    return str(mark.args[0]) if mark and mark.args else None


def host_of(item: pytest.Item) -> Host | None:
    """The testinfra host a check runs on."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("_testinfra_host") if callspec else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A host that gave no evidence is an error for each of its controls, before the check may skip itself."""
    if SESSION in item.config.stash and control_id(item) and (host := host_of(item)) is not None:
        item.config.stash[SESSION].target(host).require()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn each finished check into an outcome; show errors as errors and waived failures as waived."""
    report = yield
    host = host_of(item)
    if SESSION not in item.config.stash or control_id(item) is None or host is None:
        return report
    audit = item.config.stash[SESSION]
    verdict, message = note_phase(item, call)
    if verdict is Verdict.FAIL and (judged := _judge(audit, item, host)).verdict is Verdict.WAIVED:
        verdict = Verdict.WAIVED
        report.outcome, report.wasxfail, report.longrepr = "skipped", judged.message, None
    elif call.excinfo is not None and isinstance(call.excinfo.value, NotDetermined):
        report.longrepr = message  # what is merely not known needs no traceback
    vars(report)["callgate_verdict"] = verdict
    if call.when == "teardown":
        audit.add(_judge(audit, item, host))
    return report


def _judge(audit: AuditSession, item: pytest.Item, host: Host) -> Outcome:
    target = audit.target(host)
    callspec = getattr(item, "callspec", None)
    service = callspec.params.get("service") if callspec else None
    name = service.name if isinstance(service, Service) else None
    return audit.waiving.apply(outcome_of(item, target.uri, str(control_id(item)), name), target.name)


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """Name errors and waived failures as such in pytest's own output."""
    verdict = getattr(report, "callgate_verdict", None)
    return _VERDICT_WORDS.get(verdict) if verdict else None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the reports that were asked for."""
    config = session.config
    if SESSION not in config.stash or config.option.collectonly:
        return
    # Imported here: pytest loads this plugin in every project of its environment.
    from callgate.report.atomic import write_atomically
    from callgate.report.json_report import json_bytes
    from callgate.report.junit import write_junit

    report = config.stash[SESSION].report()
    if junit := config.getoption("--audit-junit"):
        write_junit(report, Path(junit))
    if json_file := config.getoption("--audit-json"):
        write_atomically(Path(json_file), json_bytes(report))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was assumed, and which waivers did nothing."""
    if SESSION not in config.stash:
        return
    report = config.stash[SESSION].report()
    said = [f"{host.name}: {text}" for host in report.hosts for text in host.assumptions]
    for text in dict.fromkeys((*report.notes, *said)):
        terminalreporter.write_line(f"callgate: {text}")


@pytest.fixture(scope="module")
def target(host: Host, pytestconfig: pytest.Config) -> Target:
    """The host under audit, with its names and what the site says of it."""
    return audit_session(pytestconfig).target(host)


@pytest.fixture(scope="module")
def evidence(target: Target) -> Evidence:
    """What was collected from the host; an unreachable host is an error here, before the check runs."""
    return target.evidence


@pytest.fixture(scope="module")
def policy(target: Target) -> HostPolicy:
    """What the host's firewall rules and routing do, asked by service."""
    return HostPolicy(target)


@pytest.fixture(scope="module")
def answers(target: Target, pytestconfig: pytest.Config) -> Answers:
    """What the probes of this host's services got, from every vantage."""
    return audit_session(pytestconfig).answers(target)


@pytest.fixture(scope="module")
def trials(target: Target, pytestconfig: pytest.Config) -> Trials:
    """What the site's test phones get of this host, from every vantage."""
    return audit_session(pytestconfig).trials(target)


@pytest.fixture(scope="session")
def audit_started(pytestconfig: pytest.Config) -> datetime:
    """When the audit began, UTC."""
    return audit_session(pytestconfig).started


@pytest.fixture(scope="session")
def site(pytestconfig: pytest.Config) -> Site:
    """The site file, or what is assumed without one."""
    return _plan(pytestconfig).site


@pytest.fixture(scope="session")
def baseline(pytestconfig: pytest.Config) -> Baseline:
    """The baseline with all it inherits."""
    return _plan(pytestconfig).baseline


@pytest.fixture(scope="session")
def services(pytestconfig: pytest.Config) -> tuple[Service, ...]:
    """Every judged service."""
    return _plan(pytestconfig).services


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    """The service this run of the check judges."""
    found: Service = request.param
    return found


@pytest.fixture
def parameters(request: pytest.FixtureRequest, baseline: Baseline) -> Mapping[str, Any]:
    """The parameters the baseline gives this check's control."""
    return baseline.controls[str(control_id(request.node))].parameters


@pytest.fixture
def attest(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Call it with the evidence a verdict rests on: it stands in the report, also when the check passes."""
    return partial(_attest, request.node)


def _attest(item: pytest.Item, text: str) -> None:
    if text:
        item.stash.setdefault(ATTESTED, []).append(text)


def _plan(config: pytest.Config) -> AuditPlan:
    return audit_session(config).plan
