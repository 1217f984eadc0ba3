"""What is read from a bundle that somebody put together without a manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from callgate.errors import EvidenceError, NotDetermined
from callgate.evidence.bundle import Bundle
from callgate.evidence.evidence import Evidence
from callgate.evidence.filtering import Filtering

EMPTY_NFT = b'{"nftables": [{"metainfo": {"version": "1.0.6"}}]}\n'
ONE_RULE = b"*filter\n-A INPUT -s 192.168.1.9/32 -j DROP\nCOMMIT\n"
FOUR = b'[{"dst": "default", "gateway": "10.0.0.1", "dev": "eth0"}]\n'
SIX = b'[{"dst": "default", "gateway": "fe80::1", "dev": "eth0", "pref": "medium"}]\n'
BOTH = FOUR.rstrip(b"]\n") + b"," + SIX.lstrip(b"[")


def made(files: Mapping[str, bytes]) -> Evidence:
    return Evidence(Bundle("pbx1", files))


def recorded_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def addresses(*networks: str) -> bytes:
    entries = [{"local": local, "prefixlen": int(length)} for local, length in (one.split("/") for one in networks)]
    return json.dumps([{"ifname": "eth0", "addr_info": entries}]).encode() + b"\n"


def destinations(files: Mapping[str, bytes]) -> list[str]:
    return [str(route.destination) for route in made(files).routes]


def test_a_bundle_made_by_hand_needs_one_dump_and_says_which_it_lacks() -> None:
    with pytest.raises(EvidenceError, match="nor is any other firewall dump"):
        _ = made({"ss.txt": b""}).filtering
    evidence = made({"iptables-save.txt": ONE_RULE})
    assert evidence.filtering == Filtering(1, 0, False)
    assert evidence.assumptions() == (
        "the bundle has no manifest: each file is taken as complete",
        "it holds firewall dumps alone: "
        "judged on a host that has every interface and address the rules name, and others",
        "it holds no dump of IPv6, which is not judged",
    )
    of_a_host = made({"iptables-save.txt": ONE_RULE, "ip-addr.json": addresses("10.0.0.2/8")})
    assert of_a_host.assumptions() == (
        "the bundle has no manifest: each file is taken as complete",
        "not in the bundle, taken as empty: nft.json, ip6tables-save.txt",
        "the bundle tells no routes: only networks the host has an address in are taken as known",
        "the bundle does not tell rp_filter: taken as off",
    )


def test_that_nothing_translates_needs_the_dump_that_shows_every_table() -> None:
    with pytest.raises(EvidenceError, match=r"nft\.json: is not in the bundle"):
        made({"iptables-save.txt": b""}).translates()
    assert made({"nft.json": EMPTY_NFT}).translates() is False


def test_ipv6_routes_are_asked_for_where_the_host_has_ipv6() -> None:
    """Else an interface could lead further than it seems."""
    host = {"ip-addr.json": addresses("10.0.0.2/8", "fd00::2/64"), "ip-route.json": FOUR}
    with pytest.raises(EvidenceError, match=r"ip6-route\.json: is not in the bundle"):
        destinations(host)
    assert destinations({**host, "ip6-route.json": SIX}) == ["0.0.0.0/0", "::/0"]
    assert destinations({**host, "ip-route.json": BOTH}) == ["0.0.0.0/0", "::/0"]
    assert destinations({**host, "ip-addr.json": addresses("10.0.0.2/8")}) == ["0.0.0.0/0"]


@pytest.mark.parametrize("file", ["ip-route.json", "ip6-route.json"])
def test_an_empty_list_of_routes_is_not_believed(file: str) -> None:
    files = {"ip-addr.json": addresses("10.0.0.2/8"), "ip-route.json": FOUR, "ip6-route.json": SIX}
    with pytest.raises(EvidenceError, match=f"^{file}: is empty, and no manifest"):
        destinations({**files, file: b""})


QUESTIONS: dict[str, Callable[[Evidence], object]] = {
    "listeners": lambda evidence: len(evidence.listeners),
    "addresses": lambda evidence: len(evidence.addresses),
    "forwards": lambda evidence: evidence.forwards(),
    "filtered": lambda evidence: not evidence.filtering.nothing_filtered,
    "translates": lambda evidence: evidence.translates(),
}


@pytest.mark.parametrize(
    ("host", "answers"),
    [
        ("ipt01-given", (5, 6, True, True, False)),
        ("nft01-compliant", (5, 6, True, True, False)),
        ("dk01-published", (7, 7, True, True, True)),
        ("relay01-userland", (4, 6, True, True, False)),
        ("boot03-missing-ipset", (3, 6, True, False, False)),
        ("ipt25-legacy-drop", (5, 6, True, True, False)),
        ("fw01-default-public", (3, 6, True, True, False)),
    ],
)
def test_the_recorded_hosts(recorded: Path, host: str, answers: tuple[object, ...]) -> None:
    files = recorded_files(recorded / host)
    evidence = made(files)
    assert tuple(ask(evidence) for ask in QUESTIONS.values()) == answers
    assert len(evidence.listeners) == files["ss.txt"].count(b"\n")
    assert len(evidence.addresses) == files["ip-addr.json"].count(b'"local"')
    routes = made({**files, "ip6-route.json": SIX}).routes
    assert len(routes) == files["ip-route.json"].count(b'"dst"') + 1


def test_a_recorded_host_whose_list_of_sockets_is_empty(recorded: Path) -> None:
    evidence = made(recorded_files(recorded / "gw01-forward"))
    with pytest.raises(NotDetermined, match="is empty"):
        _ = evidence.listeners
    assert evidence.forwards()
