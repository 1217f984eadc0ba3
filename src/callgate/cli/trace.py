"""`callgate trace`: what happens to single packets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, BinaryIO

import click

if TYPE_CHECKING:
    from callgate.firewall.policy import Policy

LINE_BYTES = 65536


@click.command(
    epilog="""\b
A packet is one JSON object a line; all but the first four fields may be left out:
  {"iif": "eth1", "source": "203.0.113.66", "destination": "192.168.1.10", "protocol": "tcp",
   "source_port": 40000, "destination_port": 2000, "tcp_flags": ["syn"], "ttl": 64, "state": "new"}
It comes back with "verdict" (accept, drop, reject or unknown) and "rules".

\b
Examples:
  callgate trace pbx1/ --packets packets.jsonl
  echo '{"iif": "eth1", "source": "203.0.113.66", "destination": "192.168.1.10",
         "protocol": "tcp", "destination_port": 2000}' | tr -d '\\n' | callgate trace pbx1.tar.gz --packets -"""
)
@click.argument("evidence")
@click.option("--packets", required=True, metavar="FILE|-", help="Packets as JSON lines; - reads standard input.")
def trace(evidence: str, packets: str) -> int:
    """Print what the host that EVIDENCE describes does to each packet, and through which rules.

    EVIDENCE is a bundle: a folder or .tar.gz. The packet is the first of its flow unless it says a state. `unknown`
    means that the verdict rests on something the evidence does not tell.
    """
    from callgate.cli.evidence_argument import evidence_of
    from callgate.errors import UsageMistake

    policy = evidence_of(evidence).policy
    try:
        source = nullcontext(sys.stdin.buffer) if packets == "-" else open(packets, "rb")  # noqa: SIM115
    except OSError as error:
        raise UsageMistake(f"{packets}: {error.strerror}") from None
    with source as stream:
        for line in _answered(policy, stream, "<stdin>" if packets == "-" else packets):
            sys.stdout.write(line)
    sys.stdout.flush()
    return 0


def _answered(policy: Policy, stream: BinaryIO, name: str) -> Iterator[str]:
    from callgate.errors import EvidenceError, UsageMistake
    from callgate.firewall.trace import read_packet

    encode = json.JSONEncoder(ensure_ascii=False).encode
    number = 0
    while line := stream.readline(LINE_BYTES):
        number += 1
        if len(line) == LINE_BYTES:
            raise UsageMistake(f"{name}:{number}: the line is longer than {LINE_BYTES} bytes")
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            raise UsageMistake(f"{name}:{number}: not a JSON object") from None
        if not isinstance(data, dict):
            raise UsageMistake(f"{name}:{number}: not a JSON object")
        try:
            traced = policy.trace(read_packet(data))
        except EvidenceError as error:
            raise UsageMistake(f"{name}:{number}: {error.reason}") from None
        data["verdict"] = traced.verdict
        data["rules"] = traced.rules
        yield f"{encode(data)}\n"
