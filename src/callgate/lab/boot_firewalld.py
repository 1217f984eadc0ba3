"""firewalld's part of a boot: the real daemon on a bus of its own, with the host's permanent configuration."""

from __future__ import annotations

from typing import Final

from callgate.lab.boot_steps import Plan, Step
from callgate.lab.firewalld import BUS_ADDRESS, BUS_CONFIGURATION, RUNNING_BUT_FAILED

_BUS_FILE: Final = "run/bus.conf"
_ACCOUNTS: Final = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\n",
}


def plan_firewalld(plan: Plan) -> None:
    """Start the bus and the daemon; from then on the kernel's rules are what `/etc/firewalld` makes them.

    A zone file that is wrong leaves its zone out, and firewalld says so in its log while it runs.
    """
    daemon = plan.program("firewalld", "firewalld")
    ask = plan.program("firewall-cmd", "firewalld")
    plan.own |= _ACCOUNTS | {_BUS_FILE: BUS_CONFIGURATION.format(address=BUS_ADDRESS)}
    bus = (plan.program("dbus-daemon", "dbus-daemon"), "--nofork", "--nopidfile", f"--config-file=/{_BUS_FILE}")
    test = plan.program("test", "coreutils")
    socket = BUS_ADDRESS.removeprefix("unix:path=")
    plan.add(Step("", bus, ready=(test, "-S", socket)))
    env = {"DBUS_SYSTEM_BUS_ADDRESS": BUS_ADDRESS}
    plan.add(
        Step(
            "firewalld",
            (daemon, "--nofork", "--nopid"),
            ready=(ask, "--state"),
            faulty=RUNNING_BUT_FAILED,
            log="var/log/firewalld",
            env=env,
            seconds=40,
        )
    )
