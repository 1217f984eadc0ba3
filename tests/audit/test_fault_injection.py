"""Whatever happens to a file of the evidence, a control that relied on it never passes."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate.audit.answers import Answers
from callgate.audit.target import Target
from callgate.audit.verdicts import phase_verdict
from callgate.baseline.library import data_dir
from callgate.baseline.service import CATALOGUE
from callgate.baseline.site import Site
from callgate.evidence.bundle import MANIFEST, Bundle, read_bundle
from callgate.report.outcome import Verdict

from .conftest import BUNDLES, QUIET_HOST, bundle, target_of

_spec = importlib.util.spec_from_file_location("listener_checks", data_dir("checks") / "test_listeners.py")
assert _spec is not None
assert _spec.loader is not None
listeners = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(listeners)

SITE = Site.model_validate({"trusted": ["192.168.1.0/24"], "tls_only": True, "expected": ["sip-tls"]})
SCCP = CATALOGUE["sccp"]


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


def check(name: str, target: Target) -> Callable[[], Any]:
    """A check as pytest would call it."""
    fixed: dict[str, Any] = {
        "target": target,
        "service": SCCP,
        "site": SITE,
        "services": target.plan.services,
        "answers": Answers(target, (), (), {}),
        "parameters": target.plan.baseline.controls["LSN-04"].parameters,
        "attest": lambda _: None,
    }
    function = getattr(listeners, name)
    wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
    return lambda: function(**{key: fixed[key] for key in wanted})


def verdict(name: str, collected: Bundle) -> Verdict:
    call = pytest.CallInfo.from_call(check(name, target_of(collected, SITE)), when="call")
    return phase_verdict(call)[0]


# White space around a JSON document or between lines damages nothing.
NOISE = st.binary(min_size=1, max_size=80).filter(lambda noise: bool(noise.strip()))
CONTROLS = [name for name in vars(listeners) if name.startswith("test_")]


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
    assert len(CONTROLS) == 5


@pytest.mark.parametrize("name", CONTROLS)
def test_sound_evidence_of_a_quiet_host_passes(name: str) -> None:
    assert verdict(name, bundle(QUIET_HOST)) is Verdict.PASS


@pytest.mark.parametrize("name", CONTROLS)
@settings(max_examples=30)
@given(random=NOISE, cut=st.integers(0, 10_000))
def test_control_never_passes_on_a_damaged_file_it_relied_on(name: str, random: bytes, cut: int) -> None:
    sound = files_of(bundle(QUIET_HOST))
    watched = Watched(sound)
    assert verdict(name, watched) is Verdict.PASS
    assert watched.seen
    for relied_on in sorted(watched.seen & set(sound) - {MANIFEST}):
        for damaged in damages(sound, relied_on, random, cut):
            got = verdict(name, Bundle("damaged", damaged))
            assert got is not Verdict.PASS, relied_on


@pytest.mark.parametrize("name", CONTROLS)
@settings(max_examples=30)
@given(random=NOISE, cut=st.integers(0, 10_000))
def test_control_never_passes_on_a_damaged_manifest(name: str, random: bytes, cut: int) -> None:
    sound = files_of(bundle(QUIET_HOST))
    for damaged in damages(sound, MANIFEST, random, cut):
        if MANIFEST in damaged:  # without one it is a bundle made by hand, whole as far as it goes
            assert verdict(name, Bundle("damaged", damaged)) is not Verdict.PASS


@pytest.mark.parametrize("name", CONTROLS)
@settings(max_examples=30)
@given(random=NOISE, cut=st.integers(0, 10_000))
def test_bundle_made_by_hand_never_passes_on_a_damaged_file_it_relied_on(name: str, random: bytes, cut: int) -> None:
    by_hand = {key: data for key, data in QUIET_HOST.items() if not key.startswith("proc-net")}
    by_hand["ip6tables-save.txt"] = by_hand["iptables-save.txt"] = b"*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    watched = Watched(by_hand)
    assert verdict(name, watched) is Verdict.PASS
    for relied_on in sorted(watched.seen & {"ss.txt", "nft.json", "sysctl.txt"}):
        for damaged in damages(by_hand, relied_on, random, cut):
            # Cut at the end of a line nothing shows; these files have one line that matters, or are JSON.
            if damaged.get(relied_on, b"x").endswith(b"\n") and relied_on == "sysctl.txt":
                continue
            assert verdict(name, Bundle("damaged", damaged)) is not Verdict.PASS, relied_on


@pytest.mark.parametrize(
    "name", ["test_service_listens_for_trusted_networks_only", "test_every_listener_is_accounted_for"]
)
@pytest.mark.parametrize("folder", sorted(path.name for path in BUNDLES.iterdir()))
@settings(max_examples=20)
@given(data=st.data())
def test_recorded_host_never_passes_on_damaged_sockets(name: str, folder: str, data: st.DataObject) -> None:
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
            assert verdict(name, Bundle("damaged", damaged)) is not Verdict.PASS


def test_watching_sees_what_is_read() -> None:
    watched = Watched(files_of(bundle(QUIET_HOST)))
    watched.read("ss.txt")
    assert watched.seen == {"ss.txt"}
    assert Path(os.fspath(BUNDLES)).is_dir()
