"""How a program is started on a host that testinfra reaches, to be talked to while it runs.

testinfra runs a command to its end. Its back ends that work through a local command line (ssh, docker exec ...) compose
one, and that is taken from them.
"""

from __future__ import annotations

import copy
from typing import Any, Final, Protocol

from callgate.endpoint.relay.network import RelayedNetwork, relay_source
from callgate.endpoint.relay.program import LIFE_SECONDS
from callgate.endpoint.vantage import MAXIMUM_COMMAND
from callgate.errors import NotDetermined

COMMAND: Final = "python3 -I -c %s %s"
"""-I keeps modules of the working directory and the environment of the vantage out of it."""

_AS_COMPOSED: Final = {"local", "ssh", "safe-ssh", "nsenter", "chroot", "lxc"}
_WITHOUT_STDIN: Final = {
    "docker": ("docker exec ", "docker exec -i "),
    "podman": ("podman exec ", "podman exec -i "),
    "kubectl": ("exec %s -- ", "exec -i %s -- "),
    "openshift": ("exec %s -- ", "exec -i %s -- "),
}
"""What stands in the back end's command line, and what attaches stdin."""


class InteractiveHost(Protocol):
    """A host as testinfra's `Host` is one."""

    @property
    def backend(self) -> Any: ...  # noqa: D102


def relay_from(host: InteractiveHost, name: str, *, seconds: int = LIFE_SECONDS) -> RelayedNetwork:
    """The network of a host that testinfra reaches, for `seconds` at most; enter it to start the relay.

    The relay's text travels as an argument and nothing is left behind on the host. `name` names the host in errors.
    Raises NotDetermined if the host's back end cannot run a program to talk to.
    """
    command = interactive_command(host, COMMAND, relay_source(), str(seconds))
    if len(command[-1]) > MAXIMUM_COMMAND:
        raise NotDetermined(f"{name}: the relay's command is longer than {MAXIMUM_COMMAND} bytes; use less sudo")
    return RelayedNetwork(command, name)


class _ComposedError(Exception):
    """Carries a command line out of the back end."""

    def __init__(self, command: str, arguments: tuple[str, ...]) -> None:
        self.command = command
        self.arguments = arguments
        super().__init__(command)


def interactive_command(host: InteractiveHost, command: str, *args: str) -> list[str]:
    """The local command that runs `command` on the host with stdin and stdout attached.

    `%s` in `command` become quoted arguments, and the host's sudo is kept. The command must be a simple one. Raises
    NotDetermined for a host that is reached in another way than by a local command line.
    """
    backend = host.backend
    kind = str(getattr(backend, "NAME", type(backend).__name__))
    if kind not in _AS_COMPOSED and kind not in _WITHOUT_STDIN:
        raise NotDetermined(f"{kind}:// cannot keep a program running to talk to; give the host as ssh://")
    shadow = copy.copy(backend)
    shadow.run_local = _compose
    if kind in ("ssh", "safe-ssh"):
        shadow.controlpersist = 0  # no connection is left behind for others; one that is there is used
    try:
        if kind == "safe-ssh":  # it would send the output to a file first
            shadow.run_ssh(shadow.get_command(command, *args))
        else:
            shadow.run(command, *args)
    except _ComposedError as composed:
        line, arguments = composed.command, composed.arguments
    else:
        raise NotDetermined(f"{kind}:// has shown no command line that could be started")
    if kind in _WITHOUT_STDIN:
        old, new = _WITHOUT_STDIN[kind]
        if line.count(old) != 1:
            raise NotDetermined(
                f"{kind}:// has a command line to which stdin cannot be attached; give the host as ssh://"
            )
        line = line.replace(old, new)
    return ["/bin/sh", "-c", "exec " + shadow.quote(line, *arguments)]


def _compose(command: str, *args: str) -> Any:
    raise _ComposedError(command, args)
