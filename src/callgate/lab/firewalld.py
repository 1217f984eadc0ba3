"""firewalld on a lab host: the real daemon with a system bus of its own, and its command.

The host's /run, /etc and network are its own, so nothing here can reach the machine's firewalld.
"""

from __future__ import annotations

from typing import Final, Literal

from callgate.errors import LabError
from callgate.lab.availability import find_tool
from callgate.lab.boot_units import enable_as_packaged
from callgate.lab.host import LabHost
from callgate.lab.service import Service

Backend = Literal["nftables", "iptables"]
"""FirewallBackend of firewalld.conf(5)."""

TOOLS: Final = {"firewalld": "firewalld", "firewall-cmd": "firewalld", "dbus-daemon": "dbus-daemon"}
"""Programs firewalld needs, and the Debian package of each."""

UNIT: Final = "firewalld.service"
BUS_WITHIN: Final = 5.0
"""Seconds until the bus must listen (usually 0.02)."""
READY_WITHIN: Final = 20.0
"""Seconds until firewalld must say that it runs (usually 1 to 2)."""
DONE_WITHIN: Final = 20.0
"""Seconds a firewall-cmd may take (usually 0.3, with --reload 1)."""

BUS_ADDRESS: Final = "unix:path=/run/dbus/system_bus_socket"
"""Of the host's own system bus."""
BUS_CONFIGURATION: Final = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy user="root">
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""
RUNNING_BUT_FAILED: Final = 251
"""`firewall-cmd --state` when the configuration did not load: the rules are then those of firewalld's fallback."""
_CONFIGURATION: Final = """\
DefaultZone=public
CleanupOnExit=yes
CleanupModulesOnExit=no
Lockdown=no
IPv6_rpfilter={rpfilter}
IndividualCalls=no
LogDenied=off
FirewallBackend={backend}
FlushAllOnReload=yes
RFC3964_IPv4=yes
"""
# The daemon and its command are Python programs of the machine: what ours was started with is not for them.
_PROGRAM: Final = ("env", "-u", "PYTHONPATH", "-u", "PYTHONHOME", f"DBUS_SYSTEM_BUS_ADDRESS={BUS_ADDRESS}")


class Firewalld:
    """A running firewalld; it ends with its host, or with `stop`."""

    def __init__(self, host: LabHost, bus: Service, daemon: Service) -> None:
        self.host = host
        self._bus = bus
        self._daemon = daemon

    def command(self, *options: str) -> str:
        """What `firewall-cmd` prints, without the last newline; raises LabError when it refuses."""
        return self.host.run([*_PROGRAM, "firewall-cmd", *options], timeout=DONE_WITHIN).stdout.strip()

    @property
    def running(self) -> bool:
        """Whether the daemon answers its command, and runs with its configuration."""
        return self.state() == 0

    def state(self) -> int:
        """The exit code of `firewall-cmd --state`: 0, `RUNNING_BUT_FAILED`, or 252 when it does not run."""
        return self.host.run([*_PROGRAM, "firewall-cmd", "--state"], timeout=DONE_WITHIN, check=False).returncode

    def stop(self) -> None:
        """End the daemon, which takes its rules along, and its bus; safe to repeat."""
        self._daemon.stop()
        self._bus.stop()


def firewalld_unavailable() -> str | None:
    """None when firewalld can be started here; else one line that names what is missing."""
    for tool, package in TOOLS.items():
        if find_tool(tool) is None:
            return f"{tool} not found (Debian package {package})"
    return None


def start_firewalld(host: LabHost, *, backend: Backend = "nftables", ipv6_rpfilter: bool = True) -> Firewalld:
    """Start firewalld with the package's zones, as freshly installed, and wait until it says that it runs.

    Its unit is enabled, so that `callgate.lab.boot_files.reboot` starts it with what is permanent.
    `public` is the default zone and takes every interface. `ipv6_rpfilter` (its default is on) drops IPv6 packets whose
    way back is another interface. Raises LabError when a program is missing or it is not ready in `READY_WITHIN`.
    """
    if reason := firewalld_unavailable():
        raise LabError(reason)
    # The machine's own zones stay out of the host; the package's are below /usr/lib.
    host.run(["sh", "-c", "mkdir -p /etc/firewalld && mount -t tmpfs -o mode=0750 tmpfs /etc/firewalld"])
    text = _CONFIGURATION.format(backend=backend, rpfilter="yes" if ipv6_rpfilter else "no")
    host.write_etc("firewalld/firewalld.conf", text)
    enable_as_packaged(host, UNIT)
    return run_firewalld(host)


def run_firewalld(host: LabHost, *, faulty: bool = False) -> Firewalld:
    """Start the bus and the daemon with what is in the host's /etc/firewalld. Raises LabError.

    With `faulty`, a daemon counts as ready too that runs with its fallback because its configuration does not load.
    """
    if reason := firewalld_unavailable():
        raise LabError(reason)
    directory = host.new_directory("firewalld")
    host.run(["mkdir", "-p", "/run/dbus"])
    configuration = directory / "bus.conf"
    configuration.write_text(BUS_CONFIGURATION.format(address=BUS_ADDRESS), encoding="utf-8")
    serve = ["dbus-daemon", "--nofork", "--nopidfile", "--print-address", f"--config-file={configuration}"]
    bus = host.spawn(serve, log=directory / "bus.log", name="dbus-daemon")
    bus.wait_ready(lambda: bus.log_text().startswith("unix:"), BUS_WITHIN)
    command = [*_PROGRAM, "firewalld", "--nofork", "--nopid"]
    daemon = host.spawn(command, log=directory / "log", name="firewalld")
    firewalld = Firewalld(host, bus, daemon)
    states = (0, RUNNING_BUT_FAILED) if faulty else (0,)
    try:
        daemon.wait_ready(lambda: firewalld.state() in states, READY_WITHIN)
    except LabError:
        bus.stop()
        raise
    return firewalld
