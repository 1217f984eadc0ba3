from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

from callgate import __version__
from callgate.errors import CollectionError
from callgate.evidence import collector
from callgate.evidence.backends import host_uri
from callgate.evidence.bundle import Bundle
from callgate.evidence.collector import collect, collect_all
from callgate.evidence.evidence import Evidence
from callgate.evidence.logins import SharedLogins
from callgate.lab.availability import lab_unavailable
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.sshd import sshd_unavailable, start_sshd
from callgate.lab.topology import Lab

SOUND = b"@callgate 1 base64\n@file ss.txt\n@command ss\n\n@exit 0 bound=0 encode=0\n@stderr\n@done\n"


def answering(name: str, answer: Callable[[], bytes], stderr: bytes = b"") -> Host:
    """A host whose every command gives this answer."""
    host: Any = testinfra.get_host(f"ssh://{name}")

    def run(command: str, *_: str, **__: Any) -> Any:
        return host.backend.result(0, command.encode(), answer(), stderr)

    host.backend.run = run
    return host


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Lets go of hosts that hang, at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


def test_this_machine_is_collected_in_one_round_trip() -> None:
    host: Any = testinfra.get_host("local://")
    run, commands = host.backend.run, []

    def counting(*arguments: Any, **options: Any) -> Any:
        commands.append(arguments)
        return run(*arguments, **options)

    host.backend.run = counting
    bundle = collect(host)
    assert len(commands) == 1
    assert bundle.manifest is not None
    assert (bundle.manifest.host, bundle.manifest.collector_version) == ("local://", __version__)
    assert abs(bundle.manifest.time.timestamp() - time.time()) < 120


def test_a_socket_of_this_machine_is_in_its_evidence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        evidence = Evidence(collect(testinfra.get_host("local://")))
    found = [one for one in evidence.listeners if (one.transport, one.port) == ("udp", port)]
    assert [(str(one.address), one.loopback) for one in found] == [("127.0.0.1", True)]


def test_the_time_limit_of_each_command_is_passed_on() -> None:
    host: Any = testinfra.get_host("local://")
    seen: list[tuple[str, ...]] = []

    def run(*arguments: str) -> Any:
        seen.append(arguments)
        return host.backend.result(0, b"", SOUND, b"")

    host.backend.run = run
    collect(host, command_seconds=7)
    assert seen == [("CALLGATE_SECONDS=%s sh -c %s", "7", collector.script())]


def test_a_bundle_is_read_and_nothing_run(recorded: Path) -> None:
    bundle = collect(testinfra.get_host(host_uri(f"bundle://{recorded / 'ipt01-given'}")))
    assert bundle.by_hand
    assert "ss.txt" in bundle


@pytest.mark.parametrize("name", ["nothing", "a%00b"])
def test_a_bundle_that_is_not_there_is_a_collection_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(CollectionError, match=f"^bundle://{tmp_path}.*no evidence bundle can be read there"):
        collect(testinfra.get_host(host_uri(f"bundle://{tmp_path}/{name}")))


def test_a_host_that_refuses_gives_the_reason_of_ssh() -> None:
    if shutil.which("ssh") is None:
        pytest.skip("there is no ssh here")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening: refused, and nobody else can take it
        port = taken.getsockname()[1]
        with pytest.raises(CollectionError) as caught:
            collect(testinfra.get_host(f"ssh://root@127.0.0.1:{port}?ssh_config=/dev/null"))
    assert caught.value.host == f"ssh://root@127.0.0.1:{port}"
    assert caught.value.reason.startswith("cannot be reached (exit code 255): ssh: connect to host 127.0.0.1")
    assert "Connection refused" in caught.value.reason


@pytest.mark.parametrize(
    ("stdout", "stderr", "reason"),
    [
        (b"", b"sh: 1: Syntax error\n\n", "printed nothing it should have; the host says: sh: 1: Syntax error"),
        (b"", b"\xff" * 5000, r"the host says: (\\xff)+"),
        (SOUND[:-7], b"", "is cut short$"),
        (SOUND.replace(b"ss.txt", b"../../x"), b"", r"\.\./\.\./x: is no name for a file of a bundle"),
        (SOUND.replace(b"ss.txt", b"manifest.json"), b"", "is not the host's to write"),
        (SOUND.replace(b"ss.txt", b"a" * 300), b"", "is no name for a file of a bundle"),
    ],
)
def test_what_the_script_cannot_have_printed_is_a_collection_error(stdout: bytes, stderr: bytes, reason: str) -> None:
    with pytest.raises(CollectionError, match=reason) as caught:
        collect(answering("pbx1", lambda: stdout, stderr))
    assert caught.value.host == "ssh://pbx1"
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("no such\n file"), "cannot be reached: no such file"),
        (RuntimeError(), "cannot be reached: RuntimeError"),
        (ValueError("x" * 5000), "cannot be reached: x{300}$"),
        (MemoryError(), "cannot be reached: MemoryError"),
    ],
)
def test_whatever_a_back_end_raises_is_a_collection_error(error: Exception, reason: str) -> None:
    def fail() -> bytes:
        raise error

    with pytest.raises(CollectionError, match=reason):
        collect(answering("pbx1", fail))


def test_hosts_are_collected_at_once_and_in_order_of_their_keys() -> None:
    together = threading.Barrier(3, timeout=10)

    def meet() -> bytes:
        together.wait()
        return SOUND

    hosts = {name: answering(name, meet) for name in ("c", "a", "b")}
    results = collect_all(hosts)
    assert list(results) == ["c", "a", "b"]
    assert all(isinstance(result, Bundle) for result in results.values())


def test_no_more_hosts_are_asked_at_once_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "AT_ONCE", 2)
    lock, now, most = threading.Lock(), 0, 0

    def busy() -> bytes:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return SOUND

    assert len(collect_all({str(n): answering(f"h{n}", busy) for n in range(6)})) == 6
    assert most == 2


def test_a_host_that_hangs_is_given_up_while_the_others_are_done(
    released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "AT_ONCE", 2)

    def hang() -> bytes:
        released.wait(30)
        return SOUND

    hosts = {"hangs": answering("hangs", hang)} | {f"h{n}": answering(f"h{n}", lambda: SOUND) for n in range(4)}
    done: list[str] = []
    began = time.monotonic()
    results = collect_all(hosts, lambda key, _: done.append(key), host_seconds=1)
    assert time.monotonic() - began < 10
    late = results.pop("hangs")
    assert isinstance(late, CollectionError)
    assert str(late) == "hangs: did not answer within 1 seconds"
    assert all(isinstance(result, Bundle) for result in results.values())
    assert done == ["h0", "h1", "h2", "h3", "hangs"]


def test_every_host_hanging_is_given_up_one_after_another(
    released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "AT_ONCE", 1)

    def hang() -> bytes:
        released.wait(30)
        return SOUND

    results = collect_all({name: answering(name, hang) for name in "ab"}, host_seconds=0.2)
    assert [type(result) for result in results.values()] == [CollectionError, CollectionError]


def test_progress_tells_of_each_host_once_with_its_result() -> None:
    hosts = {"good": answering("good", lambda: SOUND), "bad": answering("bad", lambda: b"")}
    told: dict[str, Bundle | CollectionError] = {}
    results = collect_all(hosts, lambda key, result: told.update({key: result}))
    assert told == results
    assert isinstance(results["bad"], CollectionError)


def test_a_host_that_cannot_even_be_named_is_a_collection_error() -> None:
    host: Any = testinfra.get_host("ssh://pbx1")
    host.backend.host = None
    del host.backend.hostname
    results = collect_all({"pbx1": host}, host_seconds=30)
    assert isinstance(results["pbx1"], CollectionError)
    assert "has no attribute 'hostname'" in str(results["pbx1"])


def test_no_hosts_are_no_results() -> None:
    assert collect_all({}) == {}


@pytest.mark.lab
def test_over_ssh_it_is_one_login_which_close_ends() -> None:
    require_tool("ssh")
    require(lab_unavailable())
    require(sshd_unavailable())
    with Lab() as lab:
        sshd = start_sshd(lab.pbx)
        with SharedLogins() as logins:
            config = logins.config(str(sshd.ssh_config))
            hosts = [testinfra.get_host(f"ssh://{sshd.alias}", ssh_config=str(config)) for _ in range(2)]
            bundles = [collect(host) for host in hosts]
            assert (sshd.logins(), sshd.sessions()) == (1, 2)
            assert [entry for entry in config.parent.iterdir() if entry.is_socket()]
        assert not config.parent.exists()
        for bundle in bundles:
            assert bundle.text("identity.txt").splitlines()[0] == "0"
            assert {str(one.address) for one in Evidence(bundle).addresses} >= {"192.168.1.10"}
            assert 22 in {one.port for one in Evidence(bundle).listeners}
        until = time.monotonic() + 5
        while any(str(config.parent) in line for line in _commands()) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(str(config.parent) in line for line in _commands())


def _commands() -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_text(errors="replace").replace("\0", " "))
        except OSError:  # gone
            continue
    return lines
