"""A relay on a host of each testinfra back end: the command line that talks to it."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import testinfra
from tests.endpoint.loopback_endings import Serve, at, echo
from tests.endpoint.relay_on_loopback import run

from callgate.endpoint.relay.interactive import interactive_command, relay_from
from callgate.errors import NotDetermined


def host(uri: str) -> Any:
    return testinfra.get_host(uri)


def composed(uri: str) -> str:
    command = interactive_command(host(uri), "python3 -c %s %s", "print(1)", "it's 5% $x")
    assert command[:2] == ["/bin/sh", "-c"]
    return command[2]


INNER = shlex.join(["python3", "-c", "print(1)", "it's 5% $x"])


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("local://", ["exec", *shlex.split(INNER)]),
        ("local://?sudo=true", ["exec", "sudo", "/bin/sh", "-c", INNER]),
        ("local://?sudo=true&sudo_user=eve", ["exec", "sudo", "-u", "eve", "/bin/sh", "-c", INNER]),
        ("docker://box", ["exec", "docker", "exec", "-i", "box", "/bin/sh", "-c", INNER]),
        ("docker://eve@box", ["exec", "docker", "exec", "-i", "-u", "eve", "box", "/bin/sh", "-c", INNER]),
        ("podman://box", ["exec", "podman", "exec", "-i", "box", "/bin/sh", "-c", INNER]),
        (
            "kubectl://pod?namespace=n",
            ["exec", "kubectl", "-n", "n", "exec", "-i", "pod", "--", "/bin/sh", "-c", INNER],
        ),
        ("openshift://pod", ["exec", "oc", "exec", "-i", "pod", "--", "/bin/sh", "-c", INNER]),
        ("lxc://box", ["exec", "lxc", "exec", "box", "--mode=non-interactive", "--", "/bin/sh", "-c", INNER]),
    ],
)
def test_the_command_line_of_each_back_end_has_stdin_attached(uri: str, words: list[str]) -> None:
    assert shlex.split(composed(uri)) == words


@pytest.mark.parametrize("scheme", ["ssh", "safe-ssh"])
def test_ssh_shares_no_connection_that_would_stay_and_sends_no_output_to_files(scheme: str) -> None:
    words = shlex.split(composed(f"{scheme}://eve@pbx:2222?ssh_config=/etc/cfg&sudo=true"))
    assert words[:2] == ["exec", "ssh"]
    assert words[-2:] == ["pbx", shlex.join(["sudo", "/bin/sh", "-c", INNER])]
    assert {"User=eve", "Port=2222", "ConnectTimeout=10"} <= set(words)
    assert "/etc/cfg" in words
    assert not [word for word in words if "ControlMaster" in word]


def test_the_host_itself_is_left_as_it_was() -> None:
    local = host("local://")
    interactive_command(local, "true")
    assert local.run("echo %s", "still").stdout == "still\n"


class Odd:
    """A back end as this version of testinfra has none."""

    def __init__(self, name: str, line: str | None) -> None:
        self.NAME = name
        self.line = line

    @property
    def backend(self) -> Odd:
        return self

    def run(self, command: str, *args: str) -> None:
        if self.line is not None:
            self.run_local(self.line, *args)

    def run_local(self, command: str, *args: str) -> None:
        raise AssertionError("it was run")


@pytest.mark.parametrize(
    ("odd", "text"),
    [
        (Odd("ansible", "x"), "ansible:// cannot keep a program running to talk to; give the host as ssh://"),
        (Odd("paramiko", "x"), "paramiko:// cannot keep a program running to talk to; give the host as ssh://"),
        (Odd("docker", "docker run box"), "docker:// has a command line to which stdin cannot be attached"),
        (Odd("local", None), "local:// has shown no command line that could be started"),
    ],
)
def test_a_back_end_that_cannot_be_talked_to_is_said_so(odd: Odd, text: str) -> None:
    with pytest.raises(NotDetermined, match=text):
        interactive_command(odd, "true")


def test_a_relay_runs_on_a_host_of_testinfra_and_in_a_container(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container is imitated: without -i, docker gives a program no stdin."""
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\nshift\n[ "$1" = -i ] && shift || exec </dev/null\nshift\nexec "$@"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    async def work(uri: str) -> bytes:
        async with relay_from(host(uri), uri, seconds=30) as network:
            stream = await network.connect(at("127.0.0.1", serve(echo)), within=5)
            await stream.send(b"hello")
            heard = await stream.receive()
            await stream.close()
            return heard

    assert run(work("local://")) == b"hello"
    assert run(work("docker://box")) == b"hello"
    if os.geteuid() == 0 and shutil.which("sudo"):
        assert run(work("local://?sudo=true")) == b"hello"


def test_a_line_too_long_for_one_argument_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callgate.endpoint.relay.interactive.MAXIMUM_COMMAND", 1000)
    with pytest.raises(NotDetermined, match="pbx7: the relay's command is longer than 1000 bytes"):
        relay_from(host("local://"), "pbx7")
