"""Many phones that register at once: SCCP with the lab's call manager, SIP with Kamailio, and sipp beside them.

Usage: python bench/phones.py [PHONES]     (default 500, at most 800; needs root or user namespaces, kamailio, sipp)

Two lab hosts, the servers on one, the phones on the other. Each SIP phone, sipp's as ours, has an account and a UDP
socket of its own and does the same: REGISTER, 401, REGISTER with digest, 200, and once more with `Expires: 0`. A SCCP
phone registers, is asked for its capabilities, asks for its buttons, soft keys and line, and unregisters. All begin at
once. Printed: seconds from the first packet to the last (of sipp: of its whole run), phones a second, CPU seconds of
the phones' process (interpreter and imports included) and of the server's, and how the phones ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path

from callgate.endpoint import sccp_phone, sip_phone
from callgate.endpoint.attempt import Attempt
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sockets import LocalNetwork
from callgate.lab.availability import enter_user_namespace
from callgate.lab.call_manager import start_call_manager
from callgate.lab.host import LabHost
from callgate.lab.kamailio import start_kamailio
from callgate.lab.topology import Lab

MOST = 800
LONGEST = 120.0
SERVER = "192.168.1.10"
PASSWORD = "bench"
PATIENCE = 30.0
"""Seconds for an answer: 500 phones are a queue at one server process."""

REGISTER = """\
<send retrans="500"><![CDATA[

REGISTER sip:[remote_ip] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:[field0]@[remote_ip]>;tag=[call_number]
To: <sip:[field0]@[remote_ip]>
Call-ID: [call_id]
CSeq: {sequence} REGISTER
Contact: <sip:[field0]@[local_ip]:[local_port]>;expires={expires}
Expires: {expires}
{credentials}User-Agent: sipp
Content-Length: 0

]]></send>
"""


def scenario() -> str:
    """sipp's scenario: what our SIP phone sends."""
    steps = []
    for sequence, expires in ((1, 300), (3, 0)):
        steps.append(REGISTER.format(sequence=sequence, expires=expires, credentials=""))
        steps.append('<recv response="401" auth="true" />\n')
        steps.append(REGISTER.format(sequence=sequence + 1, expires=expires, credentials="[field1]\n"))
        steps.append('<recv response="200" />\n')
    head = '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
    return f'{head}<scenario name="register">\n{"".join(steps)}</scenario>\n'


def devices(count: int) -> dict[str, str]:
    return {f"SEP{number:012X}": str(10000 + number) for number in range(count)}


async def registered(kind: str, count: int) -> list[Attempt]:
    """Every phone registers and leaves, all at once."""
    network, server = LocalNetwork(), ip_address(SERVER)
    deeds: list[Awaitable[Attempt]]
    if kind == "sccp":
        waits = sccp_phone.Patience(connect=PATIENCE, answer=PATIENCE, step=PATIENCE, settle=2 * PATIENCE)
        whom = [sccp_phone.Identity(device_name=name) for name in devices(count)]
        where = TransportAddress(server, 2000)
        deeds = [sccp_phone.register_once(network, where, one, patience=waits) for one in whom]
    else:
        patience = sip_phone.Patience(connect=PATIENCE, answer=PATIENCE, leave=PATIENCE)
        accounts = [sip_phone.Account(user=f"u{number}", password=PASSWORD) for number in range(count)]
        where = TransportAddress(server, 5060)
        deeds = [sip_phone.register_once(network, where, one, patience=patience) for one in accounts]
    async with asyncio.timeout(LONGEST):
        return list(await asyncio.gather(*deeds))


def work(kind: str, count: int) -> None:
    """What runs on the phones' host; prints an object."""
    begun = time.perf_counter()
    attempts = asyncio.run(registered(kind, count))
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "endings": Counter(str(one.ending) for one in attempts)}))


def own_phones(lab: Lab, kind: str, count: int) -> tuple[float, str]:
    """Run this file on the phones' host; seconds, and how the phones ended."""
    program = [sys.executable, str(Path(__file__).resolve()), "--work", kind, str(count)]
    said = json.loads(lab.trusted.run(program, timeout=LONGEST + 20).stdout)
    return said["seconds"], ", ".join(f"{number} {ending}" for ending, number in said["endings"].items())


def sipp_phones(lab: Lab, count: int) -> tuple[float, str]:
    """The same with sipp."""
    folder = lab.trusted.new_directory("sipp")
    (folder / "register.xml").write_text(scenario(), encoding="latin-1")
    rows = (f"u{number};[authentication username=u{number} password={PASSWORD}]" for number in range(count))
    (folder / "accounts.csv").write_text("\n".join(("SEQUENTIAL", *rows)) + "\n", encoding="ascii")
    command = [
        "sipp",
        "-sf",
        str(folder / "register.xml"),
        "-inf",
        str(folder / "accounts.csv"),
        "-t",
        "un",
        "-max_socket",
        str(MOST + 100),
    ]
    command += ["-i", "192.168.1.50", "-m", str(count), "-r", "100000", "-l", str(count), "-nostdin"]
    command += ["-timeout", str(int(LONGEST)), "-timeout_error", f"{SERVER}:5060"]
    begun = time.perf_counter()
    done = lab.trusted.run(command, timeout=LONGEST + 20, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"sipp: exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    return seconds, f"{count} done"


def cpu_of(host: LabHost) -> float:
    """CPU seconds so far of all that lives in a host's network namespace."""
    namespace, ticks = os.readlink(f"/proc/{host.pid}/ns/net"), 0
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "ns/net") == namespace:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                ticks += int(stat[11]) + int(stat[12])
        except OSError:  # it ended, or is not ours
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def main(count: int) -> None:
    for tool in ("kamailio", "sipp"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not installed")
    enter_user_namespace()
    with Lab() as lab:
        start_call_manager(lab.pbx, devices=devices(count))
        start_kamailio(lab.pbx, users={f"u{number}": PASSWORD for number in range(count)}, transports=("udp",))
        print(f"{count} phones register at once, and leave\n")
        print("phones                 seconds  phones/s  CPU s  server's CPU s  ended")
        runs: dict[str, Callable[[], tuple[float, str]]] = {
            "SCCP, Callgate": lambda: own_phones(lab, "sccp", count),
            "SIP, Callgate": lambda: own_phones(lab, "sip", count),
            "SIP, sipp": lambda: sipp_phones(lab, count),
        }
        for name, run in runs.items():
            times, server = os.times(), cpu_of(lab.pbx)
            seconds, ended = run()
            after = os.times()
            cpu = after.children_user + after.children_system - times.children_user - times.children_system
            server = cpu_of(lab.pbx) - server
            print(f"{name:22} {seconds:7.2f} {count / seconds:9,.0f} {cpu:6.2f} {server:15.2f}  {ended}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], int(sys.argv[3]))
    else:
        wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 500
        if not 1 <= wanted <= MOST:
            raise SystemExit(f"1 to {MOST} phones")
        main(wanted)
