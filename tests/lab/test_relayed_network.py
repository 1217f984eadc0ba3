"""Reaching out from hosts of the lab: firewalls, routers and neighbours that say no, from here and through a relay."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
import testinfra

from callgate.endpoint.attempt import AttemptFailed, AudioCount
from callgate.endpoint.audio import AudioChannel
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.relay.interactive import relay_from
from callgate.endpoint.relay.network import RelayedNetwork
from callgate.endpoint.relay.process import _members
from callgate.evidence.backends import register_backends
from callgate.lab.host import LabHost
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.sshd import sshd_unavailable, start_sshd
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

Result = TypeVar("Result")
PROJECT: Final = str(Path(__file__).parents[2] / "src")

PBX_RULES: Final = """
table inet filter {
    chain input {
        type filter hook input priority 0; policy accept;
        meta nfproto ipv4 th dport 1001 reject with icmp type host-prohibited
        meta nfproto ipv6 th dport 1001 reject with icmpv6 type admin-prohibited
        meta nfproto ipv4 th dport 1002 reject with icmp type net-unreachable
        meta nfproto ipv6 th dport 1002 reject with icmpv6 type addr-unreachable
        th dport 1003 reject with icmpx type port-unreachable
        tcp dport 1004 reject with tcp reset
        th dport 1006 drop
    }
}
"""
OWN_RULES: Final = """
table inet own {
    chain output {
        type filter hook output priority 0; policy accept;
        th dport 1011 reject with icmpx type admin-prohibited
        th dport 1012 drop
    }
}
"""
SHARED: Final = {
    ("203.0.113.10", 1001): "unreachable: 203.0.113.10:1001: ICMP host administratively prohibited from 203.0.113.10",
    ("2001:db8:66::10", 1001): (
        "unreachable: [2001:db8:66::10]:1001: ICMP administratively prohibited from 2001:db8:66::10"
    ),
    ("203.0.113.10", 1002): "unreachable: 203.0.113.10:1002: ICMP network unreachable from 203.0.113.10",
    ("2001:db8:66::10", 1002): "unreachable: [2001:db8:66::10]:1002: ICMP address unreachable from 2001:db8:66::10",
    ("203.0.113.10", 1003): "refused: 203.0.113.10:1003: ICMP port unreachable from 203.0.113.10",
    ("2001:db8:66::10", 1003): "refused: [2001:db8:66::10]:1003: ICMP port unreachable from 2001:db8:66::10",
    # This side's own firewall, and a router that has no way on.
    ("203.0.113.10", 1011): "no-route: 203.0.113.10:1011: could not be sent out: ",
    ("2001:db8:66::10", 1011): "no-route: [2001:db8:66::10]:1011: could not be sent out: ",
}
OVER_TCP: Final = {
    **SHARED,
    ("203.0.113.10", 1004): "refused: 203.0.113.10:1004: connection refused (RST)",
    ("2001:db8:66::10", 1005): "refused: [2001:db8:66::10]:1005: connection refused (RST)",
    ("203.0.113.10", 1006): "no-reply: 203.0.113.10:1006: no reply to the connection request",
    ("2001:db8:66::10", 1006): "no-reply: [2001:db8:66::10]:1006: no reply to the connection request",
    # The kernel does not tell a TCP client that its own firewall drops.
    ("203.0.113.10", 1012): "no-reply: 203.0.113.10:1012: no reply to the connection request",
    (
        "203.0.113.99",
        2000,
    ): "no-route: 203.0.113.99:2000: could not be sent out: ICMP host unreachable from 203.0.113.66",
}
OVER_UDP: Final = {
    **SHARED,
    ("203.0.113.10", 1005): "refused: 203.0.113.10:1005: ICMP port unreachable from 203.0.113.10",
    ("2001:db8:66::10", 1005): "refused: [2001:db8:66::10]:1005: ICMP port unreachable from 2001:db8:66::10",
    ("203.0.113.10", 1012): "no-route: 203.0.113.10:1012: could not be sent out: EPERM",
    ("2001:db8:66::10", 1012): "no-route: [2001:db8:66::10]:1012: could not be sent out: EPERM",
    ("203.0.113.10", 1006): "nothing",
}
CONNECT_SECONDS: Final = 4.0
"""Linux needs 3.1 s to find that a neighbour does not answer."""


async def over_tcp(network: Network, host: str, port: int) -> str:
    try:
        stream = await network.connect(TransportAddress(ip_address(host), port), within=CONNECT_SECONDS)
    except AttemptFailed as failure:
        return str(failure)
    await stream.close()
    return "connected"


async def over_udp(network: Network, host: str, port: int) -> str:
    remote = TransportAddress(ip_address(host), port)
    sock = await network.datagrams(toward=remote)
    try:
        async with asyncio.timeout(1):
            await sock.send(b"anyone?", remote)
            return repr(await sock.receive())
    except AttemptFailed as failure:
        return str(failure)
    except TimeoutError:
        return "nothing"
    finally:
        await sock.close()


async def all_endings(network: Network) -> list[list[str]]:
    async with asyncio.timeout(20):
        streams = asyncio.gather(*(over_tcp(network, *where) for where in OVER_TCP))
        datagrams = asyncio.gather(*(over_udp(network, *where) for where in OVER_UDP))
        return [await streams, await datagrams]


def wrong(found: list[list[str]]) -> dict[object, str]:
    return {
        (kind, *where): text
        for kind, expected, texts in zip(("tcp", "udp"), (OVER_TCP, OVER_UDP), found, strict=True)
        for (where, begin), text in zip(expected.items(), texts, strict=True)
        if not text.startswith(begin)
    }


@pytest.fixture
def guarded(lab: Lab) -> Lab:
    require_tool("nft")
    lab.pbx.load_nft(PBX_RULES)
    lab.stranger.load_nft(OWN_RULES)
    for name in ("net/ipv4/icmp_ratelimit", "net/ipv6/icmp/ratelimit"):
        for host in (lab.pbx, lab.stranger):
            host.run(["sh", "-c", f"echo 0 >/proc/sys/{name}"])
    return lab


def run(work: Coroutine[Any, Any, Result], seconds: float = 40) -> Result:
    async def bounded() -> Result:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(bounded())


def on_host(uri: str) -> Any:
    register_backends()
    return testinfra.get_host(uri)


def relay_on(host: LabHost) -> RelayedNetwork:
    return relay_from(on_host(host.uri), host.name, seconds=60)


def processes(host: LabHost) -> list[str]:
    """The names of what runs on the host, but for what asks."""
    script = 'for each in /proc/[0-9]*; do [ "${each#/proc/}" = $$ ] || cat "$each/comm" 2>/dev/null; done; true'
    return sorted(line for line in host.run(["sh", "-c", script]).stdout.split() if line not in ("sh", "cat"))


def test_every_way_to_say_no_is_told_apart_by_this_machines_sockets(guarded: Lab) -> None:
    """In a process on the stranger's host, whose sockets are this machine's to it."""
    program = (
        "import asyncio, importlib.util, json, sys\n"
        f"spec = importlib.util.spec_from_file_location('asked', {__file__!r})\n"
        "asked = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(asked)\n"
        "from callgate.endpoint.sockets import LocalNetwork\n"
        "print(json.dumps(asyncio.run(asked.all_endings(LocalNetwork()))))\n"
    )
    path = os.pathsep.join([PROJECT, *sys.path])
    environment = ["env", f"PYTHONPATH={path}", "PYTHONDONTWRITEBYTECODE=1"]
    done = guarded.stranger.run([*environment, sys.executable, "-c", program], timeout=40)
    assert wrong(json.loads(done.stdout)) == {}


def test_every_way_to_say_no_is_told_apart_through_the_relay(guarded: Lab) -> None:
    async def work() -> list[list[str]]:
        async with relay_on(guarded.stranger) as network:
            return await all_endings(network)

    before = processes(guarded.stranger)
    assert wrong(run(work())) == {}
    assert processes(guarded.stranger) == before


ECHO: Final = """
import socket, threading
tcp = socket.create_server(("::", 2000), family=socket.AF_INET6, dualstack_ipv6=True)
def serve(peer):
    with peer:
        while data := peer.recv(65536):
            peer.sendall(data)
def accept():
    while True:
        threading.Thread(target=serve, args=(tcp.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.bind(("::", 4000))
print("ready", flush=True)
while True:
    data, peer = udp.recvfrom(65536)
    udp.sendto(data, peer)
"""


@pytest.fixture
def echoing(lab: Lab) -> Lab:
    """A PBX that echoes: TCP port 2000, UDP port 4000, both families."""
    log = lab.pbx.directory / "echo.log"
    service = lab.pbx.spawn([sys.executable, "-I", "-S", "-c", ECHO], log=log, name="echo")
    service.wait_ready(lambda: "ready" in service.log_text(), 5)
    return lab


@pytest.mark.parametrize("side", ["trusted", "stranger"])
def test_streams_leave_from_the_vantage_in_both_families(echoing: Lab, side: str) -> None:
    host: LabHost = getattr(echoing, side)
    pbx = echoing.pbx.addresses["eth0" if side == "trusted" else "eth1"]
    own = [str(each.ip) for each in host.addresses["eth0"]]

    async def work() -> list[str]:
        async with relay_on(host) as network:
            found = []
            for each in pbx:
                stream = await network.connect(TransportAddress(each.ip, 2000), within=5)
                await stream.send(b"hello")
                assert await stream.receive() == b"hello"
                found.append(str(stream.local.address))
                await stream.close()
            return found

    assert run(work()) == own


def test_a_link_local_address_is_reached_by_its_zone_at_the_vantage(echoing: Lab) -> None:
    shown = echoing.pbx.run(["ip", "-6", "-o", "address", "show", "dev", "eth1", "scope", "link"]).stdout
    address = shown.split()[3].partition("/")[0]

    async def work() -> tuple[str, str]:
        async with relay_on(echoing.stranger) as network:
            remote = TransportAddress(ip_address(f"{address}%eth0"), 2000)
            stream = await network.connect(remote, within=5)
            await stream.send(b"hello")
            assert await stream.receive() == b"hello"
            sock = await network.datagrams(toward=remote)
            await sock.send(b"ping", remote.with_port(4000))
            datagram = await sock.receive()
            assert (datagram.data, datagram.source) == (b"ping", remote.with_port(4000))
            local = stream.local.address, sock.local.address
            await stream.close()
            await sock.close()
            return str(local[0]), str(local[1])

    first, second = run(work())
    assert first == second
    assert first.startswith("fe80::")
    assert first.endswith("%eth0")


async def talk(network: Network, seconds: float) -> tuple[AudioCount, float]:
    """A tone to the echo of the PBX; what was counted, and how long the slowest packet was late, in seconds."""
    remote = TransportAddress(ip_address("203.0.113.10"), 4000)
    audio = AudioChannel(await network.datagrams(toward=remote))
    audio.transmit(remote)
    await asyncio.sleep(seconds)
    await audio.pause()
    await asyncio.sleep(0.2)
    return await audio.close(), seconds


def test_audio_keeps_its_pace_from_the_stranger(echoing: Lab) -> None:
    async def work() -> AudioCount:
        async with relay_on(echoing.stranger) as network:
            return (await talk(network, 1.0))[0]

    count = run(work())
    assert 45 <= count.sent <= 52
    assert count.echoed == count.received
    assert count.received >= count.sent - 1
    assert count.stray == 0


def test_a_vantage_behind_ssh_is_reached_through_its_login(echoing: Lab) -> None:
    require_tool("ssh")
    require(sshd_unavailable())
    server = start_sshd(echoing.pbx)

    async def work() -> tuple[AudioCount, bytes]:
        uri = f"ssh://{server.alias}?ssh_config={server.ssh_config}"
        async with relay_from(on_host(uri), "pbx", seconds=60) as network:
            stream = await network.connect(TransportAddress(ip_address("203.0.113.10"), 2000), within=5)
            data = os.urandom(200_000)
            sending = asyncio.create_task(stream.send(data))
            heard = b""
            while len(heard) < len(data):
                heard += await stream.receive()
            await sending
            await stream.close()
            assert heard == data
            return (await talk(network, 0.5))[0], heard[:1]

    before = processes(echoing.pbx)
    count, _ = run(work())
    assert count.sent >= 20
    assert count.received >= count.sent - 1
    assert server.sessions() == 1
    end = time.monotonic() + 5
    while processes(echoing.pbx) != before and time.monotonic() < end:
        time.sleep(0.05)
    assert processes(echoing.pbx) == before


def test_a_stopped_sshd_is_told_with_what_ssh_says(lab: Lab) -> None:
    require_tool("ssh")
    require(sshd_unavailable())
    server = start_sshd(lab.pbx)
    server.stop()

    async def work() -> str:
        async def enter() -> None:
            async with relay_from(on_host(f"ssh://{server.alias}?ssh_config={server.ssh_config}"), "pbx"):
                pass

        with pytest.raises(AttemptFailed) as failed:
            await enter()
        return str(failed.value)

    said = run(work())
    assert said.startswith("failed-here: pbx: the relay ended with 255: ")


@pytest.mark.parametrize("how", ["left", "cancelled", "killed"])
def test_nothing_stays_on_the_vantage_however_the_work_ends(echoing: Lab, how: str) -> None:
    before = processes(echoing.stranger)

    async def phone(standing: Callable[[], None], counted: asyncio.Event) -> None:
        async with relay_on(echoing.stranger) as network:
            await network.connect(TransportAddress(ip_address("203.0.113.10"), 2000), within=5)
            sock = await network.datagrams(toward=TransportAddress(ip_address("203.0.113.10"), 4000))
            standing()
            if how == "left":
                await counted.wait()  # else the relay may have ended before anybody looks
            if how == "killed":
                assert network._process is not None
                for pid in _members(network._process.pid):
                    os.kill(pid, signal.SIGKILL)
            if how != "left":
                await sock.receive()

    async def work() -> None:
        standing, counted = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(phone(standing.set, counted))
        await standing.wait()
        if how != "killed":
            assert len(processes(echoing.stranger)) == len(before) + 1
        counted.set()
        if how == "cancelled":
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() == (how == "cancelled")
        if how == "killed":
            assert str(task.exception()).startswith("failed-here: stranger: the relay ended with -9")

    run(work())
    assert processes(echoing.stranger) == before
