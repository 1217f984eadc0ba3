from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import EvidenceError
from callgate.evidence.bundle import MANIFEST, Bundle, bundle_of
from callgate.evidence.stream import FileState, Taken

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def taken(file: str, output: bytes = b"", state: FileState = FileState.COLLECTED, **changes: object) -> Taken:
    values: dict[str, object] = {"command": f"show {file}", "exit_code": 0, "stderr": ""} | changes
    return Taken(file=file, state=state, output=output, **values)  # type: ignore[arg-type]


TAKEN = (
    taken("identity.txt", b"0\nLinux 6.1 x86_64\npbx1\n"),
    taken("ss.txt", b"tcp LISTEN 0 5 *:22 *:*\n"),
    taken("etc/iptables/rules.v4", b"*filter\nCOMMIT\n"),
    taken("empty.txt"),
    taken("latin.txt", b"caf\xe9\n"),
    taken("nft.json", b"half", FileState.FAILED, exit_code=1, stderr="nft: denied\nmore"),
    taken("ip6_tables_names.txt", state=FileState.ABSENT, exit_code=None),
    taken("ipset-save.txt", state=FileState.TOOL_MISSING, exit_code=None, command="ipset save"),
    taken("sysctl.txt", b"x", FileState.TIMED_OUT, exit_code=124, command="sh -c slow"),
    taken("conntrack.txt", b"x", FileState.TOO_LARGE, exit_code=141),
    taken("iptables-save.txt", b"x", FileState.DAMAGED),
)


@pytest.fixture
def sound() -> Bundle:
    return bundle_of("ssh://pbx1", NOON, "1.2.3", TAKEN)


def damaged(bundle: Bundle, **changes: bytes | None) -> Bundle:
    """The bundle with some files changed, or removed."""
    assert bundle.manifest is not None
    files = {one.file: one.output for one in TAKEN if one.state is FileState.COLLECTED}
    files[MANIFEST] = bundle.manifest.model_dump_json().encode()
    for name, content in changes.items():
        if content is None:
            del files[name]
        else:
            files[name] = content
    return Bundle("damaged", files)


def test_the_manifest_says_who_when_and_how(sound: Bundle) -> None:
    assert sound.manifest is not None
    manifest = json.loads(sound.manifest.model_dump_json())
    assert {key: manifest[key] for key in ("host", "time", "collector_version", "user_id")} == {
        "host": "ssh://pbx1",
        "time": "2026-11-22T12:00:00Z",
        "collector_version": "1.2.3",
        "user_id": 0,
    }
    assert manifest["files"]["ss.txt"] == {
        "command": "show ss.txt",
        "exit_code": 0,
        "sha256": hashlib.sha256(b"tcp LISTEN 0 5 *:22 *:*\n").hexdigest(),
        "stderr": "",
        "state": "collected",
        "utf8": True,
    }
    assert manifest["files"]["latin.txt"]["utf8"] is False
    assert (manifest["files"]["nft.json"]["sha256"], manifest["files"]["nft.json"]["state"]) == (None, "failed")
    assert set(manifest["files"]) == {one.file for one in TAKEN}


def test_output_that_is_no_evidence_is_left_out(sound: Bundle) -> None:
    assert set(sound.names()) == {MANIFEST} | {one.file for one in TAKEN if one.state is FileState.COLLECTED}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("nft.json", "`show nft.json` ended with exit code 1: nft: denied"),
        ("ip6_tables_names.txt", "the host has nothing of the kind"),
        ("ipset-save.txt", "the host has no ipset"),
        ("sysctl.txt", "`sh -c slow` did not end in time"),
        ("conntrack.txt", "`show conntrack.txt` printed more than 33554432 bytes"),
        ("iptables-save.txt", "the output of `show iptables-save.txt` was damaged on its way"),
        ("ss6.txt", "is not in the manifest"),
    ],
)
def test_reading_what_is_not_there_gives_the_reason(sound: Bundle, file: str, reason: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        sound.read(file)
    assert (caught.value.file, caught.value.reason) == (file, reason)


def test_only_what_the_host_lacks_is_absent(sound: Bundle) -> None:
    assert [one.file for one in TAKEN if sound.absent(one.file)] == ["ip6_tables_names.txt"]
    assert not damaged(sound, **{"ip6_tables_names.txt": b"filter\n"}).absent("ip6_tables_names.txt")


@pytest.mark.parametrize("user", [b"x\n", b"", b"-1\n", b"9" * 5000 + b"\n", "\u0663\n".encode(), b"12345678901234\n"])
def test_a_user_id_that_is_none_is_left_out(user: bytes) -> None:
    manifest = bundle_of("h", NOON, "1", [taken("identity.txt", user)]).manifest
    assert manifest is not None
    assert manifest.user_id is None


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", "a/../../b", "a\0b", "./ss.txt", "a" * 256, MANIFEST])
def test_a_host_cannot_choose_where_its_files_go(name: str) -> None:
    with pytest.raises(EvidenceError):
        bundle_of("h", NOON, "1", [taken(name)])


@pytest.mark.parametrize("content", [b"", b"tcp LISTEN 0 5 *:23 *:*\n", b"tcp LISTEN 0 5 *:22 *:*"])
def test_a_changed_file_is_no_evidence(sound: Bundle, content: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"ss\.txt: does not match its sha256"):
        damaged(sound, **{"ss.txt": content}).read("ss.txt")


def test_a_lost_file_still_belongs_to_the_bundle(sound: Bundle) -> None:
    lacking = damaged(sound, **{"ss.txt": None})
    assert "ss.txt" in lacking
    with pytest.raises(EvidenceError, match="is in the manifest but not in the bundle"):
        lacking.read("ss.txt")
    assert "nft.json" not in lacking


def test_a_file_that_was_added_is_no_evidence(sound: Bundle) -> None:
    with pytest.raises(EvidenceError, match="is not in the manifest but in the bundle"):
        damaged(sound, **{"added.txt": b"x\n"}).read("added.txt")
    # Nor is one that takes the place of a failed one.
    with pytest.raises(EvidenceError, match="ended with exit code 1"):
        damaged(sound, **{"nft.json": b"{}"}).read("nft.json")


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (b"", "Invalid JSON"),
        (b"[]", "should be an object"),
        (b"{}", "host: Field required"),
        (b'{"host": "h", "time": "2026-11-22T12:00:00", "files": {}}', "time: Input should have timezone info"),
        (b'{"host": "h", "time": "2026-11-22T12:00:00Z", "files": {"a": {"state": "fine"}}}', "files.a.state: "),
        (b'{"host": "h", "time": "2026-11-22T12:00:00Z", "files": {"%b": 1}}' % (b"a" * 9999), "files.aaa"),
        (b"[" * 100_000, "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
        (b'{"host": "h", "time": 1e999, "files": {}}', "time: "),
        (b'{"host": "h", "time": %b, "files": {}}' % (b"9" * 6000), "out of range"),
        (b'{"host": "h", "user_id": %b}' % (b"9" * 6000), "out of range"),
        (b" " * (3 << 20), "has more than"),
    ],
)
def test_with_a_damaged_manifest_nothing_is_evidence(sound: Bundle, manifest: bytes, reason: str) -> None:
    broken = damaged(sound, **{MANIFEST: manifest})
    assert not broken.by_hand
    for file in (*broken.names(), "not-there.txt"):
        assert file in broken
        assert not broken.absent(file)
        with pytest.raises(EvidenceError) as caught:
            broken.read(file)
        assert str(caught.value).startswith("manifest.json: ")
        assert reason in str(caught.value)
        assert len(str(caught.value)) < 400


@given(st.binary(max_size=200) | st.text(st.sampled_from('{}[]",:hostimefls0123456789Z- ')).map(str.encode))
def test_any_manifest_is_read_or_makes_every_file_an_error(data: bytes) -> None:
    bundle = Bundle("b", {MANIFEST: data, "ss.txt": b"\n"})
    with pytest.raises(EvidenceError):
        bundle.read("ss.txt")


def test_a_manifest_without_states_goes_by_exit_codes() -> None:
    digest = hashlib.sha256(b"x\n").hexdigest().upper()
    records = {
        "good": {"exit_code": 0, "sha256": digest},
        "bad": {"exit_code": 2, "command": "b", "stderr": "\n\nwhy\n"},
    }
    manifest = {"host": "h", "time": "2026-11-22T12:00:00Z", "files": records | {"bare": {}}}
    bundle = Bundle("b", {MANIFEST: json.dumps(manifest).encode(), "good": b"x\n", "bad": b"x\n", "bare": b"x\n"})
    assert bundle.read("good") == b"x\n"
    with pytest.raises(EvidenceError, match="`b` ended with exit code 2: why"):
        bundle.read("bad")
    with pytest.raises(EvidenceError, match="does not match its sha256"):
        bundle.read("bare")


def test_text_is_whole_lines_without_nul() -> None:
    bundle = Bundle("b", {"cut": b"one\ntwo", "nul": b"a\0b\n", "sound": b"caf\xe9\n", "empty": b""})
    assert (bundle.text("sound"), bundle.text("empty")) == ("caf\\xe9\n", "")
    with pytest.raises(EvidenceError, match="cut short"):
        bundle.text("cut")
    with pytest.raises(EvidenceError, match="NUL"):
        bundle.text("nul")
