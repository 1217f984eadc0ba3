"""The list of tracked flows, in both forms it comes in: strict, bounded, and never partly read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import EvidenceError
from callgate.evidence.conntrack import read_conntrack

# What conntrack 1.4.7 and Linux 6.18 printed for the same flows.
TOOL = """\
tcp      6 431999 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=57190 dport=2000 src=127.0.0.1 dst=127.0.0.1 \
sport=2000 dport=57190 [ASSURED] mark=0 use=1
tcp      6 431999 ESTABLISHED src=fd00:1::1 dst=fd00:1::1 sport=36480 dport=2000 src=fd00:1::1 dst=fd00:1::1 \
sport=2000 dport=36480 [ASSURED] mark=0 use=1
udp      17 29 src=127.0.0.1 dst=127.0.0.1 sport=48189 dport=5060 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=5060 \
dport=48189 mark=0 use=1
"""
KERNEL = """\
ipv4     2 tcp      6 431999 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=57190 dport=2000 src=127.0.0.1 \
dst=127.0.0.1 sport=2000 dport=57190 [ASSURED] mark=0 zone=0 use=2
ipv6     10 tcp      6 431999 ESTABLISHED src=fd00:0001:0000:0000:0000:0000:0000:0001 \
dst=fd00:0001:0000:0000:0000:0000:0000:0001 sport=36480 dport=2000 src=fd00:0001:0000:0000:0000:0000:0000:0001 \
dst=fd00:0001:0000:0000:0000:0000:0000:0001 sport=2000 dport=36480 [ASSURED] mark=0 zone=0 use=2
ipv4     2 udp      17 29 src=127.0.0.1 dst=127.0.0.1 sport=48189 dport=5060 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 \
sport=5060 dport=48189 mark=0 zone=0 use=2
"""
OFFLOADED = (
    "ipv4     2 udp      17 src=198.51.100.7 dst=192.168.1.10 sport=5060 dport=5060 packets=3 bytes=90 "
    "src=10.0.0.2 dst=198.51.100.7 sport=15060 dport=5060 packets=1 bytes=30 [OFFLOAD] mark=0 secctx=null "
    "zone-orig=1 delta-time=4 use=3\n"
)


def test_both_forms_say_the_same() -> None:
    tool, kernel = read_conntrack(TOOL), read_conntrack(KERNEL)
    assert len(tool) == 3
    assert [(one.protocol, one.state, one.original, one.reply) for one in tool] == [
        (one.protocol, one.state, one.original, one.reply) for one in kernel
    ]
    assert [one.state for one in tool] == ["ESTABLISHED", "ESTABLISHED", None]
    assert str(tool[1].original.source) == "fd00:1::1"
    assert (tool[0].original.destination_port, tool[0].reply.source_port) == (2000, 2000)


def test_translated_flow_shows_both_its_ends() -> None:
    (flow,) = read_conntrack(OFFLOADED)
    assert str(flow.original.destination) == "192.168.1.10"
    assert (str(flow.reply.source), flow.reply.source_port) == ("10.0.0.2", 15060)


@pytest.mark.parametrize(("state", "ended"), [("ESTABLISHED", False), ("TIME_WAIT", True), ("CLOSE", True)])
def test_flow_of_which_only_the_memory_is_left_has_ended(state: str, ended: bool) -> None:
    assert read_conntrack(TOOL.replace("ESTABLISHED", state))[0].ended is ended


def test_no_flow_is_no_line() -> None:
    assert read_conntrack("") == ()


@pytest.mark.parametrize(
    "line",
    [
        "conntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown.",
        "tcp      6 431999 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=57190 dport=2000",
        "tcp      6 9 ESTABLISHED src=127.0.0.1 dst=::1 sport=1 dport=2 src=::1 dst=127.0.0.1 sport=2 dport=1",
        "tcp      6 9 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 src=127.0.0.1 dst=127.0.0.1",
        "udp      17 9 src=127.0.0.1 dst=127.0.0.1 sport=1 dport=70000 src=127.0.0.1 dst=127.0.0.1 sport=2 dport=1",
        "udp      17 9 src=here dst=127.0.0.1 sport=1 dport=2 src=127.0.0.1 dst=127.0.0.1 sport=2 dport=1",
        "udp      17 9 dst=1.2.3.4 src=1.2.3.4 sport=1 dport=2 src=1.2.3.4 dst=1.2.3.4 sport=2 dport=1",
        "udp      17 9 src=1.2.3.4 src=1.2.3.5 dst=1.2.3.4 sport=1 dport=2 dst=1.2.3.4 sport=2 dport=1",
        "udp      17 9 <b> src=1.2.3.4 dst=1.2.3.4 sport=1 dport=2 src=1.2.3.4 dst=1.2.3.4 sport=2 dport=1",
    ],
)
def test_line_that_is_no_flow_is_an_error_with_its_number(line: str) -> None:
    with pytest.raises(EvidenceError) as raised:
        read_conntrack(f"{TOOL}{line}\n")
    assert raised.value.line == 4
    assert raised.value.file == "conntrack.txt"


def test_flows_of_other_protocols_are_read() -> None:
    line = (
        "icmp     1 29 src=1.2.3.4 dst=1.2.3.5 type=8 code=0 id=7 src=1.2.3.5 dst=1.2.3.4 type=0 code=0 id=7 mark=0\n"
    )
    (flow,) = read_conntrack(line)
    assert (flow.protocol, flow.original.source_port) == ("icmp", None)


@given(st.data())
def test_line_cut_short_is_never_another_flow(data: st.DataObject) -> None:
    line = TOOL.splitlines()[0]
    cut = data.draw(st.integers(1, line.index(" [ASSURED]") - 1))
    try:
        (flow,) = read_conntrack(line[:cut])
    except EvidenceError:
        return
    # Only the last port may have lost digits; a whole dump ends with a newline, which the bundle demands.
    assert (flow.original, flow.reply.source_port) == (read_conntrack(line)[0].original, 2000)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read_conntrack(text)
    except EvidenceError:
        return
    assert len(found) == sum(bool(line.strip()) for line in text.splitlines())
