"""Two back ends beside testinfra's own: `bundle://DIR` and `nsenter://PID`; and how a HOST is written."""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from typing import Any

import testinfra.backend
from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from callgate.errors import NotDetermined, UsageMistake

_OWN = {
    "bundle": "callgate.evidence.backends.BundleBackend",
    "nsenter": "callgate.evidence.backends.NsenterBackend",
}


class BundleBackend(BaseBackend):
    """A host that is an evidence bundle: it can be read, not run."""

    NAME = "bundle"

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.path = Path(urllib.parse.unquote(name))
        super().__init__(str(self.path), *args, **kwargs)

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """Raises NotDetermined: there is no shell behind a bundle."""
        raise NotDetermined(f"{self.path} is an evidence bundle: no command can be run there")


class NsenterBackend(BaseBackend):
    """A host that lives in the namespaces of a local process, like the lab's (util-linux nsenter(1))."""

    NAME = "nsenter"

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        if not (name.isascii() and name.isdigit()):
            raise UsageMistake(f"nsenter://{name}: a process id is expected after nsenter://")
        self.process = name
        super().__init__(name, *args, **kwargs)

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """Run a shell command inside the process's network, mount, process-id and host-name namespaces."""
        return self.run_local(
            "nsenter --target %s --net --mount --pid --uts -- /bin/sh -c %s",
            self.process,
            self.get_command(command, *args),
        )


def register_backends() -> None:
    """Teach testinfra the two back ends; calling it again changes nothing."""
    testinfra.backend.BACKENDS.update(_OWN)


def host_uri(text: str) -> str:
    """The testinfra form of a HOST a user wrote.

    A bare name is reached by ssh; the path of a bundle is quoted, as testinfra takes no path. Raises
    UsageMistake for an unknown back end, a password in the URI, and a name testinfra would take apart.
    """
    register_backends()
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = text.encode("utf-8", "backslashreplace").decode()
        raise UsageMistake(f"{shown}: holds bytes that are not UTF-8") from None
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "ssh", text
    if scheme == "bundle":
        if not rest:
            raise UsageMistake(f"{text}: a folder or .tar.gz is expected after bundle://")
        # Quoted once already when it comes back from testinfra's own option.
        return "bundle://" + urllib.parse.quote(urllib.parse.unquote(rest), safe="")
    if scheme not in testinfra.backend.BACKENDS:
        known = ", ".join(sorted(testinfra.backend.BACKENDS))
        raise UsageMistake(f"{text}: no back end is called {scheme!r}; there are {known}")
    user = rest.partition("?")[0].rpartition("@")[0]
    if ":" in user:
        raise UsageMistake(f"{scheme}://{rest.rpartition('@')[2]}: a host URI must not hold a password; use keys")
    if "," in rest:
        raise UsageMistake(f"{text}: a host name has no comma; give each host on its own")
    name = rest.partition("?")[0].rpartition("@")[2]
    if scheme != "local" and not name and scheme != "ansible":
        raise UsageMistake(f"{text}: a host name is expected after {scheme}://")
    if name.startswith("[") and name.count("]") != 1:
        raise UsageMistake(f"{text}: an IPv6 address is expected between [ and ]")
    if urllib.parse.unquote(name).lstrip("[").startswith("-"):
        raise UsageMistake(f"{text}: a host name does not begin with a dash: the tool would take it as an option")
    return f"{scheme}://{rest}"


def host_key(host: Host) -> str:
    """The one name of a host in results, files and waivers: back end, user, name and port, never a password.

    testinfra's own id drops user and port, so that two hosts could share it.
    """
    backend = host.backend
    if isinstance(backend, BundleBackend):
        return f"bundle://{backend.path}"
    if backend.NAME == "local":
        return "local://" + ("?sudo=true" if backend.sudo else "")
    spec = getattr(backend, "host", None)
    if isinstance(spec, str) or spec is None:
        user = getattr(backend, "user", None)
        name, port = str(backend.hostname), None
    else:
        user, name, port = spec.user, spec.name, spec.port
    if ":" in name:
        name = f"[{name}]"
    key: str = f"{backend.NAME}://" + (f"{user}@" if user else "") + name + (f":{port}" if port else "")
    return key + ("?sudo=true" if backend.sudo else "")


def host_name(host: Host) -> str:
    """The short name: the machine's or the bundle's, without back end and user."""
    backend = host.backend
    if isinstance(backend, BundleBackend):
        return backend.path.name.removesuffix(".tar.gz").removesuffix(".tgz") or str(backend.path)
    return "localhost" if backend.NAME == "local" else str(backend.hostname)
