"""The plugin under plain pytest: parameters, fixtures, words, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

BUNDLES = Path(__file__).parent / "data" / "bundles"
OPEN, COMPLIANT = (f"bundle://{BUNDLES / name}" for name in ("boot03-missing-ipset", "nft01-compliant"))


class Runner:
    """Runs pytest in a process of its own, on one file with checks."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def __call__(self, text: str, *options: str) -> pytest.RunResult:
        self.pytester.makepyfile(f"from callgate.plugin import NotDetermined, control\nimport pytest\n\n{text}")
        # As installed, the entry point loads the plugin; in a clone the root conftest does: name it for both.
        return self.pytester.runpytest_subprocess("-p", "callgate.plugin", "-p", "no:cacheprovider", *options)


@pytest.fixture
def run(pytester: pytest.Pytester) -> Runner:
    return Runner(pytester)


CHECK = """
@control("EXP-01")
def test_it(evidence, service):
    print("asked of", service.name, len(evidence.listeners))
    assert evidence.listeners
"""


def test_check_runs_once_for_each_host_and_service(run: Runner) -> None:
    result = run(CHECK, f"--hosts={OPEN},{COMPLIANT}", "-v")
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines(["*test_it?sccp-bundle*boot03*PASSED*"])


def test_hosts_of_a_module_are_collected_as_well(run: Runner) -> None:
    result = run(f"testinfra_hosts = ['local://']\n{CHECK}")
    result.assert_outcomes(passed=5)


def test_other_tests_of_a_project_are_left_alone(run: Runner, pytester: pytest.Pytester) -> None:
    # No collector, no ssh_config, no mark needed: nothing but the fixtures' names.
    result = run("def test_plain():\n    pass\n", "--site=missing.yaml", "--baseline=missing")
    result.assert_outcomes(passed=1)


def test_control_the_baseline_lacks_is_deselected(run: Runner) -> None:
    result = run(CHECK.replace("EXP-01", "OWN-99"), f"--hosts={COMPLIANT}")
    result.assert_outcomes(deselected=5)


def test_unknown_shows_as_an_error_without_traceback(run: Runner) -> None:
    text = "@control('EXP-01')\ndef test_it(evidence):\n    raise NotDetermined('nobody knows')\n"
    result = run(text, f"--hosts={COMPLIANT}")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*nobody knows*", "*1 error*"])
    result.stdout.no_fnmatch_line("*raise NotDetermined*")


def test_waived_failure_shows_as_waived_and_does_not_fail(run: Runner, pytester: pytest.Pytester) -> None:
    waiver = "waivers: [{control: EXP-01, host: '*', reason: r, owner: o, ticket: t, expires: 2999-01-01}]\n"
    pytester.path.joinpath("w.yaml").write_text(waiver)
    text = "@control('EXP-01')\ndef test_it(evidence):\n    assert not evidence.listeners, 'open'\n"
    result = run(text, f"--hosts={COMPLIANT}", "--waivers=w.yaml")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*1 waived*"])
    assert run(text, f"--hosts={COMPLIANT}").ret == 1


def test_unreachable_host_is_an_error_before_the_check_can_skip_itself(run: Runner) -> None:
    text = "@control('EXP-01')\ndef test_it(target):\n    pytest.skip('not me')\n"
    result = run(text, "--hosts=ssh://nobody@127.0.0.1:1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Connection refused*"])


def test_hosts_that_testinfra_names_alike_are_kept_apart(run: Runner) -> None:
    text = "@control('EXP-01')\ndef test_it(target, evidence):\n    pass\n"
    result = run(text, "--hosts=ssh://a@127.0.0.1:1,ssh://b@127.0.0.1:1,ssh://a@127.0.0.1:2")
    result.assert_outcomes(errors=3)
    for name in ("ssh://a@127.0.0.1:1", "ssh://b@127.0.0.1:1", "ssh://a@127.0.0.1:2"):
        result.stdout.fnmatch_lines([f"*{name}: cannot be reached*"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--baseline=nope"], "no baseline is called 'nope'"),
        (["--site=nope.yaml"], "nope.yaml:1: cannot be read"),
        (["-n2"], "audits run in one process"),
        (["--ssh-config=/none"], "there is no such ssh_config file"),
    ],
)
def test_mistake_is_told_in_one_line(run: Runner, options: list[str], said: str) -> None:
    result = run(CHECK, f"--hosts={COMPLIANT}", *options)
    assert result.ret != 0
    assert said in result.stdout.str() + result.stderr.str()
    result.stdout.no_fnmatch_line("*passed*")


def test_reports_are_written_on_request(run: Runner, pytester: pytest.Pytester) -> None:
    run(CHECK, f"--hosts={OPEN}", "--audit-junit=r.xml", "--audit-json=r.json").assert_outcomes(passed=5)
    assert '"EXP-01"' in pytester.path.joinpath("r.json").read_text()
    assert 'tests="5"' in pytester.path.joinpath("r.xml").read_text()


def test_collecting_only_asks_no_host(run: Runner) -> None:
    result = run(CHECK, "--hosts=ssh://nobody@127.0.0.1:1", "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*test_it?sccp*", "*5 tests collected*"])


def test_evidence_attested_by_a_check_reaches_the_report(run: Runner, pytester: pytest.Pytester) -> None:
    text = "@control('EXP-01')\ndef test_it(evidence, attest):\n    attest('seen with my own eyes')\n"
    run(text, f"--hosts={OPEN}", "--audit-json=r.json").assert_outcomes(passed=1)
    assert "seen with my own eyes" in pytester.path.joinpath("r.json").read_text()


def test_parameters_of_the_control_reach_the_check(run: Runner) -> None:
    asserted = "assert parameters['accounted'][0]['port'] == '22/tcp'"
    text = f"@control('LSN-04')\ndef test_it(target, parameters):\n    {asserted}\n"
    run(text, f"--hosts={OPEN}").assert_outcomes(passed=1)
