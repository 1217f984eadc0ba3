"""Whatever happens to a file of the evidence, a control that relied on it never passes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate.baseline.site import Site
from callgate.evidence.bundle import MANIFEST, Bundle, read_bundle
from callgate.report.outcome import Verdict

from .conftest import BOOTING_HOST, BUNDLES, CHECKS, QUIET_HOST, SERVING_HOST, bundle, judged, target_of

SITE = Site.model_validate({"trusted": ["192.168.1.0/24"], "tls_only": True, "expected": ["sip-tls"]})
FROM_EVIDENCE = sorted(id_ for id_ in CHECKS if not id_.startswith(("ANS-", "SVC-")))
STRICT = ("EXP-04", "EXP-05")
HOST_OF = {
    id_: {"EXP": SERVING_HOST, "PER": BOOTING_HOST}.get(id_.partition("-")[0], QUIET_HOST) for id_ in FROM_EVIDENCE
}
"""A host on which the control passes, and has something to judge."""
AT_BOOT = [id_ for id_ in FROM_EVIDENCE if id_.startswith("PER-")]
AT_NOW = [id_ for id_ in FROM_EVIDENCE if id_ not in AT_BOOT]


class Watched(Bundle):
    """A bundle that remembers which of its files were read."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__("watched", files)
        self.seen: set[str] = set()

    def read(self, file: str) -> bytes:
        self.seen.add(file)
        return super().read(file)

    def __contains__(self, file: str) -> bool:
        self.seen.add(file)
        return super().__contains__(file)


def files_of(collected: Bundle) -> dict[str, bytes]:
    return {name: collected._files[name] for name in collected.names()}


def verdict(control: str, collected: Bundle) -> Verdict:
    baseline = "voip-strict" if control in STRICT else "voip-core"
    return judged(control, target_of(collected, SITE, baseline))[0]


# White space around a JSON document or between lines damages nothing, nor does a comment in a dump.
NOISE = st.binary(min_size=1, max_size=80).filter(
    lambda noise: bool(noise.decode("latin-1").strip()) and not noise.lstrip().startswith(b"#")
)


def damages(files: Mapping[str, bytes], name: str, random: bytes, cut: int) -> Iterator[dict[str, bytes]]:
    """A file missing, empty, cut short, another file's content, random bytes, bytes in front."""
    rest = {key: data for key, data in files.items() if key != name}
    whole = files[name]
    others = sorted({data for data in files.values() if data != whole})
    yield rest
    if whole:
        yield {**rest, name: b""}
        yield {**rest, name: whole[: cut % len(whole)]}
        yield {**rest, name: random + whole}
    yield {**rest, name: random}
    yield {**rest, name: others[cut % len(others)]}


def test_checks_are_all_here() -> None:
    family = {"EXP": range(1, 7), "LSN": range(2, 5), "PER": range(1, 6)}
    assert [f"{name}-0{n}" for name, numbers in family.items() for n in numbers] == FROM_EVIDENCE


@pytest.mark.parametrize("control", FROM_EVIDENCE)
def test_sound_evidence_passes(control: str) -> None:
    assert verdict(control, bundle(HOST_OF[control])) is Verdict.PASS


@pytest.mark.parametrize("control", AT_NOW)
@settings(max_examples=8)
@given(random=NOISE, cut=st.integers(0, 10_000))
def test_control_never_passes_on_a_damaged_file_it_relied_on(control: str, random: bytes, cut: int) -> None:
    relied_on = _damage_each(control, random, cut)
    assert relied_on


@pytest.mark.parametrize("control", AT_BOOT)
@settings(max_examples=2)  # they rely on many files
@given(random=NOISE, cut=st.integers(0, 10_000))
def test_control_of_booting_never_passes_on_a_damaged_file_it_relied_on(control: str, random: bytes, cut: int) -> None:
    relied_on = _damage_each(control, random, cut)
    boots = {"boot-units.txt", "boot-folders.txt", "boot-others.txt", "boot-commands.txt", "boot-links.txt"}
    assert relied_on >= boots | {"etc/iptables/rules.v4", "etc/iptables/rules.v6"}


def _damage_each(control: str, random: bytes, cut: int) -> set[str]:
    """Damage one file after the other of those that the control reads; returns which these are."""
    sound = files_of(bundle(HOST_OF[control]))
    watched = Watched(sound)
    assert verdict(control, watched) is Verdict.PASS
    found = watched.seen & set(sound) - {MANIFEST}
    for relied_on in sorted(found):
        for damaged in damages(sound, relied_on, random, cut):
            assert verdict(control, Bundle("damaged", damaged)) is not Verdict.PASS, relied_on
    return found


@pytest.mark.parametrize("control", [id_ for id_ in FROM_EVIDENCE if id_.startswith("EXP-")])
def test_exposure_relies_on_every_dump_and_on_routing(control: str) -> None:
    watched = Watched(files_of(bundle(SERVING_HOST)))
    verdict(control, watched)
    told = {"conntrack.txt", "ip-addr.json", "ip-route.json", "ip6-route.json", "ss.txt"}
    dumps = {"nft.json", "nft.txt", "iptables-save.txt", "ip6tables-save.txt", "ip_tables_names.txt", "sysctl.txt"}
    expected = {"EXP-05": dumps | told - {"conntrack.txt", "ss.txt"}, "EXP-06": told - {"ss.txt"}}
    assert watched.seen >= expected.get(control, dumps | told - {"conntrack.txt"})


@pytest.mark.parametrize("control", FROM_EVIDENCE)
@settings(max_examples=4)
@given(random=NOISE, cut=st.integers(0, 10_000))
def test_control_never_passes_on_a_damaged_manifest(control: str, random: bytes, cut: int) -> None:
    sound = files_of(bundle(HOST_OF[control]))
    for damaged in damages(sound, MANIFEST, random, cut):
        if MANIFEST in damaged:  # without one it is a bundle made by hand, whole as far as it goes
            assert verdict(control, Bundle("damaged", damaged)) is not Verdict.PASS


BY_HAND = {
    "EXP-01": {"ss.txt", "ip-addr.json", "iptables-save.txt"},
    "EXP-02": {"ss.txt", "ip-addr.json", "nft.json"},
    "EXP-03": {"ss.txt", "ip-addr.json", "nft.json"},
    "LSN-02": {"ss.txt"},
    "LSN-03": {"ss.txt"},
    "LSN-04": {"ss.txt", "ip-addr.json", "nft.json"},
}
"""What each control cannot do without, even in a bundle made by hand; other dumps then count as empty."""


@pytest.mark.parametrize("control", sorted(BY_HAND))
@settings(max_examples=8)
@given(random=NOISE, cut=st.integers(0, 10_000))
def test_bundle_made_by_hand_never_passes_on_a_damaged_file_it_relied_on(control: str, random: bytes, cut: int) -> None:
    by_hand = {key: data for key, data in HOST_OF[control].items() if not key.startswith("proc-net") and data}
    watched = Watched(by_hand)
    assert verdict(control, watched) is Verdict.PASS
    assert watched.seen >= BY_HAND[control]
    # A parameter more or less in sysctl.txt shows nowhere; what forwarding makes of it is tested below.
    for relied_on in sorted(watched.seen & set(by_hand) - {"sysctl.txt"}):
        whole = by_hand[relied_on]
        for damaged in damages(by_hand, relied_on, random, cut):
            # Without a manifest nothing shows that whole lines are gone, or a file that may be absent or empty.
            left = damaged.get(relied_on, b"").strip()
            if relied_on not in BY_HAND[control] and (left in whole or left == b"[]"):
                continue
            assert verdict(control, Bundle("damaged", damaged)) is not Verdict.PASS, relied_on


def test_what_forwarding_does_is_not_known_without_its_switches() -> None:
    by_hand = {key: data for key, data in QUIET_HOST.items() if not key.startswith("proc-net") and data}
    assert verdict("EXP-03", Bundle("by hand", by_hand)) is Verdict.PASS
    for sysctl in (None, b"net.ipv6.conf.all.forwarding = 0\n", b"net.ipv4.ip_forward = 1\n"):
        changed = {key: data for key, data in by_hand.items() if key != "sysctl.txt"}
        changed |= {"sysctl.txt": sysctl} if sysctl else {}
        assert verdict("EXP-03", Bundle("by hand", changed)) is not Verdict.PASS


@pytest.mark.parametrize("control", ["EXP-01", "LSN-04"])
@pytest.mark.parametrize("folder", sorted(path.name for path in BUNDLES.iterdir()))
@settings(max_examples=10)
@given(data=st.data())
def test_recorded_host_never_passes_on_damaged_sockets(control: str, folder: str, data: st.DataObject) -> None:
    files = files_of(read_bundle(BUNDLES / folder))
    sockets = files["ss.txt"]
    cut = data.draw(st.integers(0, max(0, len(sockets) - 1)))
    random = data.draw(st.binary(min_size=1, max_size=80))
    for damaged in (
        {**files, "ss.txt": sockets[:cut]},
        {**files, "ss.txt": random},
        {**files, "ss.txt": sockets + random},
    ):
        if not damaged["ss.txt"].endswith(b"\n"):
            assert verdict(control, Bundle("damaged", damaged)) is not Verdict.PASS


def test_watching_sees_what_is_read() -> None:
    watched = Watched(files_of(bundle(QUIET_HOST)))
    watched.read("ss.txt")
    assert watched.seen == {"ss.txt"}
    assert Path(os.fspath(BUNDLES)).is_dir()
