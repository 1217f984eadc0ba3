from __future__ import annotations

import time

import pytest

from callgate.errors import LabError
from callgate.lab.availability import lab_unavailable
from callgate.lab.pytest_fixtures import require
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import PBX, STRANGER, TRUSTED, Lab

pytestmark = pytest.mark.lab

PBX_ADDRESSES = [str(own.ip) for all_own in PBX.values() for own in all_own]


def test_each_host_has_its_addresses_at_once(lab: Lab) -> None:
    for host, expected in ((lab.pbx, PBX), (lab.trusted, TRUSTED), (lab.stranger, STRANGER)):
        shown = host.run(["ip", "-brief", "address"]).stdout
        for interface, addresses in expected.items():
            (line,) = [line for line in shown.splitlines() if line.startswith(f"{interface}@")]
            for address in addresses:
                assert str(address) in line
        assert "tentative" not in host.run(["ip", "address"]).stdout
        assert host.addresses == expected


@pytest.mark.parametrize("address", PBX_ADDRESSES)
def test_both_clients_reach_every_address_of_the_pbx(lab: Lab, address: str) -> None:
    start_sccp(lab.pbx)
    for client in (lab.trusted, lab.stranger):
        assert client.dial("connect", address, 2000).result == "connected"
        assert client.dial("connect", address, 2001).result == "refused"


@pytest.mark.parametrize(
    ("client", "address", "interface"),
    [
        ("trusted", "192.168.1.10", "eth0"),
        ("trusted", "2001:db8:66::10", "eth0"),
        ("stranger", "192.168.1.10", "eth1"),
        ("stranger", "fd00:1::10", "eth1"),
    ],
)
def test_a_client_comes_in_through_its_own_side(lab: Lab, client: str, address: str, interface: str) -> None:
    start_sccp(lab.pbx, listen=("*:2000",), device=interface)
    start_sccp(lab.pbx, listen=("*:2001",), device="eth1" if interface == "eth0" else "eth0")
    caller = {"trusted": lab.trusted, "stranger": lab.stranger}[client]
    assert caller.dial("connect", address, 2000).result == "connected"
    assert caller.dial("connect", address, 2001).result == "refused"


@pytest.mark.parametrize("forwarding", [False, True])
def test_the_clients_see_each_other_only_with_forwarding(forwarding: bool) -> None:
    require(lab_unavailable())
    with Lab(forwarding=forwarding) as lab:
        start_sccp(lab.trusted)
        for address in ("192.168.1.50", "fd00:1::50"):
            seen = lab.stranger.dial("keepalive", address, 2000, timeout=1 if forwarding else 0.3).result
            assert (seen == "answered") is forwarding


@pytest.mark.parametrize(("rp_filter", "dropped"), [(0, False), (1, True)])
def test_a_spoofed_trusted_source_meets_the_reverse_path_filter(rp_filter: int, dropped: bool) -> None:
    require(lab_unavailable())
    send = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.bind(('192.168.1.77', 0)); s.sendto(b'x', ('203.0.113.10', 9))"
    )
    with Lab(rp_filter=rp_filter) as lab:
        lab.stranger.run(["ip", "address", "add", "192.168.1.77/32", "dev", "lo"])
        lab.stranger.dial("connect", "203.0.113.10", 9)  # ARP first: the filter drops a request from that source too
        lab.stranger.run(["python3", "-c", send])
        names, values = (
            line.split() for line in lab.pbx.run(["grep", "^TcpExt", "/proc/net/netstat"]).stdout.splitlines()
        )
        assert (int(values[names.index("IPReversePathFilter")]) > 0) is dropped


def test_two_labs_stand_side_by_side(lab: Lab) -> None:
    with Lab() as other:
        start_sccp(lab.pbx)
        other.pbx.load_nft("table inet only_here { }")
        assert lab.trusted.dial("connect", "192.168.1.10", 2000).result == "connected"
        assert other.trusted.dial("connect", "192.168.1.10", 2000).result == "refused"
        assert lab.pbx.run(["nft", "list", "tables"]).stdout == ""
        assert lab.directory != other.directory
    assert lab.trusted.dial("connect", "192.168.1.10", 2000).result == "connected"


def test_a_lab_stands_within_a_second() -> None:
    require(lab_unavailable())
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        with Lab():
            seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.0, seconds


def test_temporary_files_cannot_be_where_hosts_have_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/run")
    with pytest.raises(LabError, match="temporary files go to /run, and lab hosts have a /run of their own"), Lab():
        pass


def test_rp_filter_has_three_values() -> None:
    with pytest.raises(ValueError, match="rp_filter is 0, 1 or 2, not 3"):
        Lab(rp_filter=3)
