"""The relay's process: how it starts, dies or hangs, and that none stays."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.endpoint.loopback_endings import Serve, at, echo, ending_of
from tests.endpoint.relay_on_loopback import NOWHERE, RELAY, run

from callgate.endpoint.attempt import Ending
from callgate.endpoint.relay.frames import GREETING
from callgate.endpoint.relay.network import RelayedNetwork, relay_source
from callgate.endpoint.relay.process import end_process, start_process


def descendants(marker: str) -> list[int]:
    """Processes whose command line holds the marker, zombies left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if marker.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("when", ["starting", "connecting", "standing"])
def test_cancelled_at_any_point_no_process_stays(when: str) -> None:
    marker = f"marker-{when}-{os.getpid()}"
    command = [sys.executable, "-I", "-c", relay_source(), "60", marker]
    if when == "starting":
        command = [sys.executable, "-I", "-c", "import time; time.sleep(60)", marker]

    async def work() -> None:
        began = asyncio.Event()

        async def phone() -> None:
            if when == "starting":
                began.set()
            async with RelayedNetwork(command, "here") as network:
                with socket.socket() as listener:
                    listener.bind(("127.0.0.1", 0))
                    if when == "standing":
                        listener.listen()
                    else:
                        began.set()
                    sock = await network.datagrams(toward=at("127.0.0.1", 9))
                    began.set()
                    await sock.receive()

        task = asyncio.create_task(phone())
        await began.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())
    assert descendants(marker) == []


async def entered(command: list[str], name: str = "pbx7") -> tuple[Ending, str]:
    async def enter() -> None:
        async with RelayedNetwork(command, name):
            pass

    return await ending_of(enter())


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (
            ["echo", "Welcome to pbx7!"],
            "pbx7: text stands before the relay's greeting (a login banner?): Welcome to pbx7!",
        ),
        (["printf", "\\033[2J\\r\\nhi"], "pbx7: text stands before the relay's greeting (a login banner?): \\x1b[2J"),
        (["sh", "-c", "echo no >&2; exit 7"], "pbx7: the relay ended with 7: no"),
        (["sh", "-c", "printf callgate-re; exit 1"], "pbx7: the relay ended with 1"),
        (["sh", "-c", "exec no-such-python"], "pbx7: the relay ended with 127 (is python3 there?): "),
        (["no-such-program"], "pbx7: No such file or directory"),
        (["sh", "-c", "cat /dev/zero"], "pbx7: text stands before the relay's greeting (a login banner?): \\x00"),
        (["sh", "-c", "exec 1>&-; sleep 30"], "pbx7: the relay ended"),
    ],
    ids=str,
)
def test_a_relay_that_does_not_greet_is_told_with_its_reason(command: list[str], text: str) -> None:
    began = time.monotonic()
    ending, said = run(entered(command))
    assert ending is Ending.FAILED_HERE
    assert said.startswith(text)
    assert time.monotonic() - began < 5


def test_a_relay_that_says_nothing_at_all_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callgate.endpoint.relay.network.START_SECONDS", 0.2)
    ending, text = run(entered(["sleep", "30"]))
    assert (ending, text) == (Ending.FAILED_HERE, "pbx7: the relay has not greeted within 0.2 s")


def test_a_relay_that_dies_fails_what_is_under_way_with_its_name(serve: Serve) -> None:
    async def work() -> list[tuple[Ending, str]]:
        async with RelayedNetwork(RELAY, "pbx7") as network:
            stream = await network.connect(at("127.0.0.1", serve(echo)), within=5)
            sock = await network.datagrams(toward=at("127.0.0.1", 9))
            waiting = [asyncio.create_task(ending_of(each.receive())) for each in (stream, sock)]
            await asyncio.sleep(0.02)
            assert network._process is not None
            network._process.kill()
            found = [await task for task in waiting]
            found.append(await ending_of(stream.send(b"x")))
            found.append(await ending_of(network.connect(NOWHERE, within=5)))
            found.append(await ending_of(network.confirm()))
            await stream.close()
            await sock.close()
            return found

    assert run(work()) == [(Ending.FAILED_HERE, "pbx7: the relay ended with -9")] * 5


def test_a_relay_that_hangs_is_noticed_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence of a vantage that is gone must not be taken for silence of the peer."""
    monkeypatch.setattr("callgate.endpoint.relay.network.PING_SECONDS", 0.05)
    monkeypatch.setattr("callgate.endpoint.relay.network.DEAD_SECONDS", 0.4)
    monkeypatch.setattr("callgate.endpoint.relay.network.ANSWER_SECONDS", 0.1)
    monkeypatch.setattr("callgate.endpoint.relay.network.END_SECONDS", 0.2)

    async def work() -> tuple[tuple[Ending, str], tuple[Ending, str], int]:
        async with RelayedNetwork(RELAY, "pbx7") as network:
            sock = await network.datagrams(toward=at("127.0.0.1", 9))
            assert network._process is not None
            await network.confirm()
            os.kill(network._process.pid, signal.SIGSTOP)
            asked = await ending_of(network.confirm())
            noticed = await ending_of(sock.receive())
            await sock.close()
            return asked, noticed, network._process.pid

    asked, noticed, pid = run(work())
    assert asked == (Ending.FAILED_HERE, "pbx7: the relay has not answered within 0.1 s")
    assert noticed == (Ending.FAILED_HERE, "pbx7: the relay has said nothing for 0.4 s")
    assert not Path(f"/proc/{pid}").exists()


def test_a_process_group_that_does_not_end_by_itself_is_ended() -> None:
    marker = f"31.{os.getpid()}"

    async def work() -> bool:
        process = start_process(["sh", "-c", f"trap '' TERM HUP; sleep {marker} & sleep {marker}; true"])
        while len(descendants(marker)) < 3:
            await asyncio.sleep(0.01)
        return await end_process(process, gently=0.05)

    assert run(work())
    end = time.monotonic() + 3
    while descendants(marker) and time.monotonic() < end:
        time.sleep(0.01)
    assert descendants(marker) == []


def test_the_relays_text_is_found_by_the_package_alone() -> None:
    done = subprocess.run([*RELAY[:3], relay_source(), "5"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
    assert (done.returncode, done.stdout, done.stderr) == (0, GREETING, b"")
