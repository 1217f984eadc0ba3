"""The call manager as a program: it is ready, it ends, and it tells what is wrong with its command line."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.endpoint.call_manager.house import FIRST, register

import callgate
from callgate.endpoint.call_manager.__main__ import main
from callgate.sccp import encode
from callgate.sccp.messages import keys


def program(*arguments: str) -> subprocess.Popen[str]:
    source = Path(callgate.__file__).parents[1]
    start = f"import sys, runpy; sys.path.insert(0, {str(source)!r}); sys.argv[0] = 'x'; "
    start += "runpy.run_module('callgate.endpoint.call_manager', run_name='__main__')"
    return subprocess.Popen(
        [sys.executable, "-c", start, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_says_when_it_is_ready_and_ends_at_a_signal(number: signal.Signals) -> None:
    with program("--listen", "127.0.0.1:0", "--device", f"{FIRST}=1001") as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline().split()
            assert ready[0] == "ready"
            port = int(ready[1].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=5) as phone:
                phone.sendall(encode(register(FIRST)))
                assert phone.recv(100)
                assert process.stdout.readline().startswith(f"registered {FIRST} from 127.0.0.1:")
                process.send_signal(number)
                assert process.wait(10) == 0
        finally:
            process.kill()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_the_program_ends_when_the_server_it_imitates_crashes() -> None:
    with program("--listen", "127.0.0.1:0", "--device", f"{FIRST}=1001", "--profile", "chan-sccp") as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=5) as phone:
                for message in (register(FIRST), keys.OffHookMessage(), keys.KeypadButtonMessage(kp_button=6)):
                    phone.sendall(encode(message))
                assert process.wait(10) == 1
            assert "crashed: keypad before ButtonTemplateReq" in process.stdout.read()
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--listen", "nonsense"], "ADDRESS:PORT"),
        (["--device", "SEP1"], "NAME=EXTENSION"),
        (["--device", "SEP1=x1"], "extension"),
        (["--device", "SEP1=1", "--device", "SEP1=2"], "twice"),
        (["--device", "SEP1=1", "--device", "SEP2=1"], "twice"),
        (["--device", "SEP1=600"], "twice"),
        (["--device", "S P1=1"], "device name"),
        (["--version", "23"], "0 to 22"),
        (["--keepalive", "0"], "keepalive"),
        (["--time-scale", "0"], "times"),
        (["--connections", "0"], "connections"),
        (["--tls-listen", "127.0.0.1:0"], "certificate"),
        (["--certificate", "/nonexistent.pem"], "No such file"),
    ],
)
def test_a_command_line_that_cannot_be_is_told_and_ends_with_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--listen", "127.0.0.1:0"] if "nonsense" not in arguments else arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
