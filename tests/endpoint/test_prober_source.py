"""The prober's text travels through shells to hosts with an old python3."""

from __future__ import annotations

import ast
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from callgate.endpoint.answer import exchange_for
from callgate.endpoint.exchange import Exchange, exchanges_to_json
from callgate.endpoint.prober import run
from callgate.endpoint.vantage import prober_source

Serve = Callable[..., int]
OLDEST = (3, 6)


def _oldest_interpreter() -> str:
    """An interpreter of the oldest version we promise, on PATH or among pyenv's."""
    name = "python{}.{}".format(*OLDEST)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    try:
        found = sorted(root.glob(f"versions/{OLDEST[0]}.{OLDEST[1]}.*/bin/{name}"))
    except PermissionError:  # another user's
        found = []
    candidate = str(found[-1]) if found else shutil.which(name)
    if candidate is None or subprocess.run([candidate, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"{name} is missing")
    return candidate


def test_the_source_is_in_the_oldest_grammar() -> None:
    ast.parse(prober_source(), feature_version=OLDEST)


def test_only_the_standard_library_is_imported() -> None:
    imported = {
        name
        for node in ast.walk(ast.parse(prober_source()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert "socket" in imported
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.parametrize("character", ["'", "{{", "{%", "{#"])
def test_quoting_and_templates_leave_the_source_alone(character: str) -> None:
    assert character not in prober_source()
    assert prober_source().isascii()


def exchanges(serve: Serve, serve_datagrams: Serve, closed: int) -> list[Exchange]:
    def echo(connection: socket.socket) -> None:
        while data := connection.recv(4096):
            connection.sendall(data)

    here = ip_address("127.0.0.1")
    asked = [
        exchange_for("sccp", "tcp", here, serve(echo)),
        exchange_for("sip", "udp", here, serve_datagrams(lambda request: [request])),
        exchange_for("sip", "udp", here, serve_datagrams(lambda _: [])),
        exchange_for("sccp", "tcp", here, closed),
        exchange_for("sip", "udp", here, closed),
        exchange_for("sccp", "tls", here, serve(echo), key="it's {{ a }} $(key) \\", server_name="pbx.example.net"),
    ]
    return [replace(exchange, wait_seconds=0.5) for exchange in asked]


def lasting(observations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The observations without what differs from run to run and from one OpenSSL to another."""
    kept = []
    for seen in observations:
        raw = seen["tls_error"] is not None
        kept.append({**seen, "milliseconds": None, "received": raw or seen["received"], "tls_error": raw})
    return kept


@pytest.mark.parametrize("through", ["argument", "stdin"])
def test_run_as_a_program_it_sees_what_it_sees_in_process(
    serve: Serve, serve_datagrams: Serve, closed_port: Callable[..., int], through: str
) -> None:
    asked = exchanges(serve, serve_datagrams, closed_port())
    text = exchanges_to_json(asked)
    done = subprocess.run(
        [sys.executable, "-I", "-c", prober_source(), *([text] if through == "argument" else [])],
        input=text if through == "stdin" else "",
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr == ""
    assert lasting(json.loads(done.stdout)) == lasting(run([exchange.as_json() for exchange in asked]))


def test_the_oldest_python_sees_the_same(serve: Serve, serve_datagrams: Serve, closed_port: Callable[..., int]) -> None:
    interpreter = _oldest_interpreter()
    asked = exchanges(serve, serve_datagrams, closed_port())
    done = subprocess.run(
        [interpreter, "-I", "-W", "error", "-c", prober_source(), exchanges_to_json(asked)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr == ""
    assert lasting(json.loads(done.stdout)) == lasting(run([exchange.as_json() for exchange in asked]))


def test_it_ends_even_if_an_exchange_hangs() -> None:
    hang = "import signal, sys, time\nsignal.alarm = lambda seconds: print(seconds, file=sys.stderr)\n"
    done = subprocess.run([sys.executable, "-I", "-c", hang + prober_source(), "[]"], capture_output=True, timeout=30)
    assert done.stdout == b"[]\n"
    assert 0 < int(done.stderr) < 120
