"""OpenSSH's server on a lab host, and the client configuration that reaches it from outside the lab."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Final

from callgate.errors import LabError
from callgate.lab.availability import find_tool
from callgate.lab.holder import isolated_python
from callgate.lab.host import LabHost
from callgate.lab.service import Service

ALIAS: Final = "pbx"
"""The server's name in the client configuration: `ssh -F CONFIG pbx`."""
READY_WITHIN: Final = 5.0
"""Seconds until sshd must listen (usually 0.03)."""

_RELAY: Final = Path(__file__).with_name("relay.py")
_ACCEPTED: Final = re.compile(r"^Accepted \S+ for ", re.MULTILINE)
_SESSION: Final = re.compile(r"^Starting session: ", re.MULTILINE)
_SERVER: Final = """\
Port {port}
ListenAddress 0.0.0.0
ListenAddress ::
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile {directory}/pid
LogLevel VERBOSE
PermitRootLogin prohibit-password
AuthenticationMethods publickey
UsePAM no
StrictModes no
PermitUserRC no
PrintLastLog no
PrintMotd no
UseDNS no
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
"""
_CLIENT: Final = """\
Host {alias}
  HostName {address}
  Port {port}
  User root
  IdentityFile "{directory}/client_key"
  IdentitiesOnly yes
  IdentityAgent none
  PreferredAuthentications publickey
  BatchMode yes
  UserKnownHostsFile "{directory}/known_hosts"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  ProxyCommand {proxy}
"""
_END_SESSIONS: Final = """\
for process in /proc/[0-9]*; do
  read -r name <"$process/comm" || continue
  case $name in sshd*) kill -9 "${process#/proc/}" ;; esac
done
"""


class Sshd:
    """sshd on a lab host; can be stopped and started again with the same keys.

    `ssh_config` names it `pbx`, with the only key it takes and the only host key that is right. The way in is a relay
    inside the lab, so that no interface leads out of it. Sharing a login is left to the user; a shared one ends with
    the lab.
    """

    alias = ALIAS

    def __init__(self, host: LabHost, directory: Path, port: int) -> None:
        self.host = host
        self.directory = directory
        self.port = port
        self.ssh_config = directory / "ssh_config"
        self.log = directory / "log"
        self._service: Service | None = None

    def start(self) -> None:
        """Start sshd and wait until it listens; raises LabError when it does not within `READY_WITHIN` seconds."""
        if self._service is not None and self._service.running:
            return
        before = self._listening()
        program = str(find_tool("sshd"))  # it wants to be called by its full path
        command = [program, "-D", "-e", "-f", str(self.directory / "sshd_config")]
        self._service = self.host.spawn(command, log=self.log)
        self._service.wait_ready(lambda: self._listening() >= before + 2, READY_WITHIN)  # one line a family

    def stop(self, *, sessions: bool = False) -> None:
        """End sshd: connections are refused from now on. Open sessions go on, as ever, unless `sessions` is set."""
        if self._service is not None:
            self._service.stop()
        if sessions:
            self.host.run(["sh", "-c", _END_SESSIONS])

    def logins(self) -> int:
        """How many logins were accepted so far."""
        return len(_ACCEPTED.findall(self._log_text()))

    def sessions(self) -> int:
        """How many commands, shells and subsystems were started so far, over however many logins."""
        return len(_SESSION.findall(self._log_text()))

    def _listening(self) -> int:
        return self._log_text().count("Server listening on ")

    def _log_text(self) -> str:
        return "" if self._service is None else self._service.log_text()


def sshd_unavailable() -> str | None:
    """None when sshd can serve here; else one line that says why not."""
    for tool, package in (("sshd", "openssh-server"), ("ssh-keygen", "openssh-client")):
        if find_tool(tool) is None:
            return f"{tool} not found (Debian package {package})"
    with open("/proc/self/setgroups", encoding="ascii") as setgroups:
        if setgroups.read().strip() == "deny":
            return "sshd changes its user and groups, which this user namespace forbids: it needs root"
    return None


def start_sshd(host: LabHost, *, port: int = 22, via: LabHost | None = None) -> Sshd:
    """Start sshd on `host` with fresh keys, root alone may log in.

    The client configuration connects from `host` itself over the loopback, or from the host `via` over the lab's
    network, where the firewall of `host` has its say. Raises LabError.
    """
    if reason := sshd_unavailable():
        raise LabError(reason)
    directory = host.new_directory("sshd")
    for key in ("host_key", "client_key"):
        _generate_key(directory / key)
    public = (directory / "client_key.pub").read_text(encoding="ascii")
    (directory / "authorized_keys").write_text(public, encoding="ascii")
    server = _SERVER.format(port=port, directory=directory)
    (directory / "sshd_config").write_text(server, encoding="utf-8")
    address = "127.0.0.1" if via is None else str(next(iter(host.addresses.values()))[0].ip)
    host_key = " ".join((directory / "host_key.pub").read_text(encoding="ascii").split()[:2])
    known_as = address if port == 22 else f"[{address}]:{port}"
    (directory / "known_hosts").write_text(f"{known_as} {host_key}\n", encoding="ascii")
    holder = str((via or host).pid)
    relay = ["nsenter", "--target", holder, "--net", "--", *isolated_python(_RELAY, address, str(port), holder)]
    client = _CLIENT.format(
        alias=ALIAS, address=address, port=port, directory=_escaped(str(directory)), proxy=_escaped(shlex.join(relay))
    )
    (directory / "ssh_config").write_text(client, encoding="utf-8")
    _open_account(host, directory)
    sshd = Sshd(host, directory, port)
    sshd.start()
    return sshd


def _generate_key(path: Path) -> None:
    command = [str(find_tool("ssh-keygen")), "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=10)
    if done.returncode != 0:
        raise LabError(f"ssh-keygen ended with {done.returncode}: {done.stderr.strip()}")


def _open_account(host: LabHost, directory: Path) -> None:
    """Give the host a root account of its own, whatever the machine's is like.

    sshd without PAM refuses a locked one, and a login shell would run the profile of the machine's root.
    """
    with open("/etc/passwd", encoding="utf-8", errors="surrogateescape") as machine:
        others = [line for line in machine if not line.startswith("root:")]
    files = {
        "passwd": "".join(["root:x:0:0:root:/run/root:/bin/sh\n", *others]),
        "shadow": "root:*:19000:0:99999:7:::\n",
    }
    for name, text in files.items():
        own = directory / name
        own.write_text(text, encoding="utf-8", errors="surrogateescape")
        host.run(["mount", "--bind", str(own), f"/etc/{name}"])
    host.run(["mkdir", "-p", "-m", "0700", "/run/root"])


def _escaped(text: str) -> str:
    """For ssh_config(5), where a percent sign begins a token."""
    return text.replace("%", "%%")
