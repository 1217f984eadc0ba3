"""Every packet that a real kernel was seen to judge: the engine agrees, or says that it does not know.

`kernel-cases.jsonl.gz` was recorded on Linux 6.18: rulesets in dumps of iptables (both back ends), nft, firewalld and
ufw, each with packets and what became of them. A second file of rulesets from public sources is not ours to keep; it is
read where it lies beside the project.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callgate.evidence.policy import policy_of
from callgate.firewall.trace import read_packet

RECORDED = Path(__file__).parents[1] / "data/firewall/kernel-cases.jsonl.gz"
PUBLIC = Path(__file__).parents[3] / "shared/firewall/kernel-cases-public-rulesets.jsonl.gz"
OPEN_TO_CHANGE = (
    "limit", "recent", "hashlimit", "statistic", "quota", "string", "u32", "bpf", "time", "owner", "mac", "length",
    "numgen", "connlimit", "ether", "meta-hour", "meta-length",
)  # fmt: skip
"""Matches that depend on rate, time, chance, payload or link layer, in the words of the file's features."""
REJECTED_TOWARDS_NOBODY = {"firewalld-forward-port"}
"""Ten of its packets claim to come from 172.17.0.3, where no host was: the rejection could not be delivered."""


def cases(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt") as lines:
        yield from map(json.loads, lines)


def differences(path: Path) -> tuple[list[str], Counter[str]]:
    """Wrong verdicts in words, and how many packets were certain, doubtful, and doubtful where they need not be."""
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for case in cases(path):
        policy = policy_of(case["files"])
        certain = not any(word in feature for feature in case["features"] for word in OPEN_TO_CHANGE)
        for packet in case["packets"]:
            said = policy.trace(read_packet(packet)).verdict
            seen = packet["observed"]
            counts["packets"] += 1
            counts["unknown"] += said == "unknown"
            counts["certain"] += certain
            counts["needless"] += certain and said == "unknown"
            if said != seen and said != "unknown" and seen != "either":
                if (case["id"] in REJECTED_TOWARDS_NOBODY and packet["source"] == "172.17.0.3"
                        and (said, seen) == ("reject", "drop")):  # fmt: skip
                    continue
                wrong.append(f"{case['id']}: {said}, the kernel: {seen}: {packet}")
    return wrong, counts


def test_every_recorded_verdict_is_the_engines() -> None:
    wrong, counts = differences(RECORDED)
    assert wrong == []
    assert counts["packets"] == 10_611
    assert counts["needless"] <= 0.02 * counts["certain"]
    assert counts["unknown"] <= 0.05 * counts["packets"]


@pytest.mark.skipif(not PUBLIC.exists(), reason="the rulesets from public sources are not beside the project")
def test_every_verdict_on_public_rulesets_is_the_engines() -> None:
    wrong, counts = differences(PUBLIC)
    assert wrong == []
    assert counts["packets"] == 3_443
    assert counts["needless"] <= 0.02 * counts["certain"]
