"""A host of the lab: run commands on it, start servers on it, give it firewall rules."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Final, Literal

from callgate.errors import LabError
from callgate.lab.availability import NAMESPACES, find_tool, search_path
from callgate.lab.group import end_group
from callgate.lab.holder import Holder, isolated_python
from callgate.lab.service import Service

Addresses = Mapping[str, tuple[IPv4Interface | IPv6Interface, ...]]
"""Interface name to its addresses, like `{"eth0": (192.168.1.10/24, fd00:1::10/64)}`."""

Call = Literal["connect", "keepalive", "keepalive-tls", "options-udp", "options-tcp", "options-tls"]
"""What `LabHost.dial` says to the other side; see `callgate.lab.dial`."""

ADDRESSED_WITHIN: Final = 5.0
"""Seconds until IPv6 neighbours must be able to find a host (usually 0.005)."""

_DIAL: Final = Path(__file__).with_name("dial.py")


def enter(pid: int) -> list[str]:
    """The command prefix that runs a program on the host whose first process is `pid` (in `/`, as its root)."""
    return ["nsenter", "--target", str(pid), *NAMESPACES, "--"]


@dataclass(frozen=True, slots=True)
class Dialled:
    """What a client on a lab host saw."""

    result: Literal["connected", "answered", "closed", "unanswered", "refused", "unreachable"]
    """`connected` ends a bare connect; `closed` and `unanswered` follow a TCP connection that stood."""
    answer: bytes = b""
    """The first bytes of the answer (64 KiB at most); empty unless `answered`."""


class LabHost:
    """A network namespace with its own mounts (/run, /var/log and what is written to /etc), processes and host name.

    `directory` is private to the host and readable from outside: logs, keys and run files go there.
    """

    def __init__(self, name: str, addresses: Addresses, directory: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.addresses = addresses
        self.directory = directory
        directory.mkdir(mode=0o700)
        self._holder = Holder(name, directory, settings)
        self._services: list[Service] = []

    @property
    def pid(self) -> int:
        """The host's first process as this process sees it."""
        return self._holder.pid

    @property
    def uri(self) -> str:
        """How an audit names the host: `nsenter://PID`."""
        return f"nsenter://{self.pid}"

    def new_directory(self, name: str) -> Path:
        """A directory for one server's files below `directory` (mode 0700), its name beginning with `name`."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.directory))

    def wait_ready(self) -> None:
        """Wait for the host's namespaces; raises LabError when they cannot be made."""
        self._holder.wait_ready()

    def configure(self, batch: str) -> None:
        """Run lines of ip(8) (addresses, links, routes) in the host's network; pids in them are this process's."""
        command = ["nsenter", "--target", str(self.pid), "--net", "--", "ip", "-batch", "-"]
        self._finish(self._start(command, stdin=subprocess.PIPE), command, batch, 10, check=True)

    def wait_addressed(self) -> None:
        """Wait until neighbours can find the host's IPv6 addresses; raises LabError after `ADDRESSED_WITHIN` seconds.

        An address is not answered for before its solicited-node group (RFC 4291, 2.7.1) is joined, and Linux joins it
        when the carrier's change has gone through a work queue: up to a second after the link went up.
        """
        groups = {
            f"{interface} ff0200000000000000000001ff{int(own.ip) & 0xFFFFFF:06x}"
            for interface, all_own in self.addresses.items()
            for own in all_own
            if own.version == 6
        }
        deadline = time.monotonic() + ADDRESSED_WITHIN
        while True:
            with open(f"/proc/{self.pid}/net/igmp6", encoding="ascii") as table:
                joined = {" ".join(line.split()[1:3]) for line in table}
            if groups <= joined:
                return
            if time.monotonic() > deadline:
                missing = ", ".join(sorted(groups - joined))
                raise LabError(f"{self.name}: not joined within {ADDRESSED_WITHIN:g} s: {missing}")
            time.sleep(0.002)

    def run(
        self, argv: Sequence[str], *, stdin: str | None = None, timeout: float = 10, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end.

        Raises LabError when it outlives `timeout` seconds (it is killed, and all of its process group), and when it
        ends with another code than 0 while `check` is set.
        """
        command = [*enter(self.pid), *argv]
        pipe = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        return self._finish(self._start(command, stdin=pipe), list(argv), stdin, timeout, check=check)

    def spawn(self, argv: Sequence[str], *, log: Path, name: str | None = None) -> Service:
        """Start a server that runs until it is stopped or the lab closes; its output is appended to `log`."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                self._existing([*enter(self.pid), *argv]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
        service = Service(f"{self.name}: {name or Path(argv[0]).name}", process, log)
        self._services.append(service)
        return service

    def dial(self, call: Call, address: str, port: int, *, timeout: float = 1.0) -> Dialled:
        """What a plain client on this host sees at `address` and `port` within `timeout` seconds."""
        program = isolated_python(_DIAL, call, address, str(port), str(timeout))
        said = json.loads(self.run(program, timeout=timeout + 10).stdout)
        return Dialled(said["result"], bytes.fromhex(said["answer"]))

    def load_nft(self, text: str) -> None:
        """Add a ruleset in nft(8)'s language; raises LabError with its complaint."""
        self.run(["nft", "-f", "-"], stdin=text)

    def load_iptables(self, text: str, *, family: Literal[4, 6] = 4, legacy: bool = False) -> None:
        """Replace the tables named in `text` (the format of iptables-save), through nf_tables or the legacy way."""
        tool = f"{'iptables' if family == 4 else 'ip6tables'}-{'legacy' if legacy else 'nft'}-restore"
        self.run([tool], stdin=text)

    def write_etc(self, name: str, text: str) -> None:
        """Write a file below the host's own /etc, like `nftables.conf`; the machine's /etc stays as it is."""
        path = Path("/etc") / name
        if ".." in path.parts or Path("/etc") not in path.parents:
            raise ValueError(f"{name!r} is not below /etc")
        new = f"{path}.new"
        script = 'mkdir -p -- "$(dirname -- "$1")" && cat >"$2" && mv -f -- "$2" "$1"'
        self.run(["sh", "-c", script, "sh", str(path), new], stdin=text)

    def close(self) -> None:
        """End the host and all that runs on it; safe to repeat."""
        self._holder.close()
        for service in self._services:
            service.stop()

    def _start(self, command: list[str], *, stdin: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._existing(command),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="backslashreplace",
            env=_environment(),
            start_new_session=True,  # one group to end when it takes too long
        )

    def _existing(self, command: list[str]) -> list[str]:
        if self._holder.closed:
            raise LabError(f"{self.name}: this lab is closed")
        tool = command[command.index("--") + 1]
        if find_tool(tool) is None:
            raise LabError(f"{self.name}: {tool} not found")
        return command

    def _finish(
        self,
        process: subprocess.Popen[str],
        argv: list[str],
        stdin: str | None,
        timeout: float,
        *,
        check: bool,
    ) -> subprocess.CompletedProcess[str]:
        with process:
            try:
                out, err = process.communicate(stdin, timeout)
            except BaseException as error:
                end_group(process, gently=0)
                if isinstance(error, subprocess.TimeoutExpired):
                    line = f"{self.name}: {shlex.join(argv)} did not end within {timeout:g} s"
                    raise LabError(line) from error
                raise
        if check and process.returncode != 0:
            words = (err.strip() or out.strip()).splitlines()
            complaint = words[0] if words else "no output"
            raise LabError(f"{self.name}: {shlex.join(argv)} ended with {process.returncode}: {complaint}")
        return subprocess.CompletedProcess(argv, process.returncode, out, err)


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": search_path(), "LC_ALL": "C"}
