"""When the list of tracked flows may be believed, and which ports it is about."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callgate.errors import EvidenceError
from callgate.evidence.bundle import Bundle, bundle_of
from callgate.evidence.evidence import Evidence
from callgate.evidence.stream import FileState, Taken

LINE = (
    b"udp      17 29 src=203.0.113.66 dst=203.0.113.10 sport=5060 dport=5060 src=203.0.113.10 dst=203.0.113.66 "
    b"sport=5060 dport=5060 mark=0 use=1\n"
)


def collected(data: bytes, state: FileState = FileState.COLLECTED, command: str = "conntrack -L") -> Evidence:
    code = 0 if state is FileState.COLLECTED else 1
    taken = Taken("conntrack.txt", command, state, code, data, "")
    return Evidence(bundle_of("ssh://pbx1", datetime(2026, 11, 22, tzinfo=UTC), "0", [taken]))


def test_list_with_a_manifest_is_believed_even_when_it_is_empty() -> None:
    assert collected(b"").flows == ()
    flows = collected(LINE).flows
    assert flows is not None
    assert [str(flow.original.source) for flow in flows] == ["203.0.113.66"]


def test_kernel_that_tracks_nothing_has_no_flow() -> None:
    assert collected(b"", FileState.ABSENT).flows == ()


@pytest.mark.parametrize("state", [FileState.TOOL_MISSING, FileState.FAILED, FileState.TIMED_OUT, FileState.TOO_LARGE])
def test_list_that_could_not_be_taken_is_an_error(state: FileState) -> None:
    with pytest.raises(EvidenceError, match=r"conntrack\.txt"):
        _ = collected(b"", state).flows


def test_list_the_manifest_does_not_name_is_an_error() -> None:
    other = Taken("ss.txt", "ss", FileState.COLLECTED, 0, b"", "")
    evidence = Evidence(bundle_of("ssh://pbx1", datetime(2026, 11, 22, tzinfo=UTC), "0", [other]))
    with pytest.raises(EvidenceError, match="not in the manifest"):
        _ = evidence.flows


def test_bundle_made_by_hand_may_lack_the_list_but_an_empty_one_is_not_believed() -> None:
    assert Evidence(Bundle("by hand", {"ss.txt": b""})).flows is None
    with pytest.raises(EvidenceError, match="is empty, and no manifest"):
        _ = Evidence(Bundle("by hand", {"conntrack.txt": b""})).flows
    flows = Evidence(Bundle("by hand", {"conntrack.txt": LINE})).flows
    assert flows is not None
    assert len(flows) == 1


def test_ports_that_were_kept_are_those_of_the_recorded_command() -> None:
    assert collected(b"", command='conntrack -L | grep -E "[sd]port=(2000|5060) "').flow_ports == frozenset(
        {2000, 5060}
    )
    assert collected(b"", command="conntrack -L").flow_ports is None
    assert Evidence(Bundle("by hand", {"conntrack.txt": LINE})).flow_ports is None
