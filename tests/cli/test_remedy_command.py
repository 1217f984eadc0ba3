from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOSTS = Path(__file__).parents[1] / "data" / "hosts"
SITE = 'trusted: [192.168.1.0/24, "fd00:1::/64"]\n'


@pytest.fixture
def site(tmp_path: Path) -> str:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return str(path)


def remedy(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "callgate", "remedy", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, cwd=cwd)


def test_script_is_printed_and_what_it_does_not_prove_is_said(site: str) -> None:
    done = remedy(str(HOSTS / "ipt01-given"), "--format", "nft", "--site", site)
    assert done.returncode == 0
    assert done.stdout.startswith("#!/bin/sh\n# Callgate remedy for ipt01-given, format nft.\n")
    assert done.stdout.endswith('main "${1:-apply}" </dev/null\n')
    assert "callgate: note: the evidence does not tell what loads at boot" in done.stderr
    subprocess.run(["sh", "-n"], input=done.stdout.encode(), check=True)


def test_script_goes_to_a_file_and_nothing_to_the_screen(site: str, tmp_path: Path) -> None:
    out = tmp_path / "remedy.sh"
    done = remedy(f"bundle://{HOSTS / 'ipt01-given'}", "--format", "iptables", "--site", site, "--out", str(out))
    assert (done.returncode, done.stdout) == (0, "")
    assert "*mangle\n" in out.read_text()


def test_host_that_is_right_gets_an_empty_script(site: str) -> None:
    done = remedy(str(HOSTS / "nft01-compliant"), "--format", "nft", "--site", site)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "callgate: there is nothing to remedy\n"


def test_format_that_cannot_do_it_is_refused_and_another_named(site: str) -> None:
    done = remedy(str(HOSTS / "ufw02-allow-lan"), "--format", "nft", "--site", site)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("callgate: refused: fd00:1::/64 stays without SCCP (Skinny) (2000/tcp)")
    assert "use --format ufw" in done.stderr


def test_one_service_is_closed_alone(site: str) -> None:
    done = remedy(str(HOSTS / "ipt01-given"), "--format", "nft", "--site", site, "--service", "sccp")
    assert done.returncode == 0
    assert "dport 2000 drop" in done.stdout
    assert "5060" not in done.stdout.partition("\nset -u\n")[2]


def test_rollback_is_the_script_that_takes_it_out(site: str) -> None:
    given = (str(HOSTS / "ipt01-given"), "--format", "nft", "--site", site)
    applying, rolling_back = remedy(*given), remedy(*given, "--rollback")
    assert rolling_back.returncode == 0
    assert rolling_back.stdout == applying.stdout.replace('"${1:-apply}"', '"${1:-rollback}"')


def test_evidence_that_does_not_tell_is_no_remedy(site: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for path in (HOSTS / "ipt01-given").iterdir():
        if path.name != "nft.json":
            (bundle / path.name).write_bytes(path.read_bytes())
    done = remedy(str(bundle), "--format", "nft", "--site", site)
    assert (done.returncode, done.stdout) == (3, "")
    assert "nft.json" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "pf"], "'pf' is not one of"),
        ([], "Missing option '--format'"),
        (["--format", "nft", "--service", "telnet"], "no service 'telnet' here; there are sccp,"),
        (["--format", "nft", "--site", "nowhere.yaml"], "nowhere.yaml"),
        (["--format", "nft", "--out", "/proc/no/such"], "cannot be written"),
    ],
)
def test_mistake_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = remedy(str(HOSTS / "ipt01-given"), *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_evidence_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    done = remedy(str(tmp_path / "none"), "--format", "nft")
    assert done.returncode == 2
    assert "there is no such bundle" in done.stderr
