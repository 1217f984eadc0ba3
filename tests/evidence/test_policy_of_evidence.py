"""When a collected bundle proves what the kernel does to packets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callgate.errors import EvidenceError
from callgate.evidence.bundle import bundle_of
from callgate.evidence.evidence import Evidence
from callgate.evidence.stream import FileState, Taken

NEEDED = {
    "nft.json": b'{"nftables": [{"metainfo": {"version": "1.0.6"}}]}\n',
    "nft.txt": b"",
    "iptables-save.txt": b"",
    "ip6tables-save.txt": b"",
    "ip_tables_names.txt": b"",
    "ip6_tables_names.txt": b"",
    "ip-addr.json": b'[{"ifname": "eth0", "addr_info": [{"local": "192.168.1.10", "prefixlen": 24}]}]\n',
    "ip-route.json": b'[{"dst": "192.168.1.0/24", "dev": "eth0"}]\n',
    "sysctl.txt": b"net.ipv4.ip_forward = 0\n",
}


def collected(failed: str | None = None) -> Evidence:
    taken = [
        Taken(file, f"show {file}", FileState.FAILED, 1, b"", "")
        if file == failed
        else Taken(file, f"show {file}", FileState.COLLECTED, 0, output, "")
        for file, output in NEEDED.items()
    ]
    return Evidence(bundle_of("ssh://pbx1", datetime(2026, 11, 22, tzinfo=UTC), "0", taken))


def test_policy_is_read_when_everything_it_rests_on_was_collected() -> None:
    assert collected().policy.host.interfaces == ("eth0",)


@pytest.mark.parametrize("file", sorted(NEEDED))
def test_policy_rests_on_every_one_of_its_files(file: str) -> None:
    # Without nft.txt, say, nobody knows which tables are dormant.
    with pytest.raises(EvidenceError, match=file.replace(".", r"\.")):
        _ = collected(failed=file).policy
