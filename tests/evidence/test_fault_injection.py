"""Whatever happens to one file of a bundle: the answers stay the same, or there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callgate.errors import NotDetermined
from callgate.evidence.bundle import MANIFEST, Bundle, bundle_of
from callgate.evidence.evidence import Evidence
from callgate.evidence.listener import Listener
from callgate.evidence.stream import FileState, Taken

DATA = Path(__file__).parents[1] / "data"
SOCKETS = {
    "ss.txt": "ss-H-tulnp.txt",
    **{f"proc-net-{name}.txt": f"proc-net-{name}.txt" for name in ("tcp", "udp", "tcp6", "udp6")},
}
IP6_ROUTES = (
    b'[\n{"dst":"fd00:1::/64","dev":"eth0","pref":"medium"},\n{"dst":"default","dev":"eth1","pref":"medium"}\n]\n'
)
RECORDED = tuple(sorted(folder.name for folder in (DATA / "bundles").iterdir() if (folder / "ss.txt").read_bytes()))

Files = dict[str, bytes]
Damage = Callable[[bytes], bytes | None]
UNKNOWN = "not determined"
QUESTIONS: dict[str, Callable[[Evidence], object]] = {
    "listeners": lambda evidence: evidence.listeners,
    "addresses": lambda evidence: evidence.addresses,
    "routes": lambda evidence: evidence.routes,
    "sysctls": lambda evidence: evidence.sysctls,
    "forwards": lambda evidence: evidence.forwards(),
    "filtering": lambda evidence: evidence.filtering,
    "translates": lambda evidence: evidence.translates(),
    "rules name one": lambda evidence: evidence.rules_name(ip_address("192.168.1.50")),
}


@cache
def recorded(host: str) -> Files:
    folder = DATA / "bundles" / host
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@cache
def sockets() -> Files:
    return {file: (DATA / "sockets" / source).read_bytes() for file, source in SOCKETS.items()}


def netstat() -> Files:
    return {"netstat.txt": (DATA / "sockets" / "netstat-tulnp.txt").read_bytes()}


def host(name: str, more: Files, *failed: str) -> tuple[Taken, ...]:
    """What the collector would have taken on a recorded host."""
    files = recorded(name) | {"ip6-route.json": IP6_ROUTES} | more
    if "iptables-legacy-save.txt" in files:
        files["ip_tables_names.txt"] = b"filter\n"
    taken = [Taken(file, file, FileState.COLLECTED, 0, content, "") for file, content in files.items()]
    unlisted = {"ip_tables_names.txt", "ip6_tables_names.txt", "proc-net-ip_vs.txt"} - set(files)
    taken += [Taken(names, names, FileState.ABSENT, None, b"", "") for names in sorted(unlisted)]
    return tuple(replace(one, state=FileState.FAILED, exit_code=1) if one.file in failed else one for one in taken)


NO_VIRTUAL_SERVICE = b"IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n"
HOSTS: dict[str, tuple[Taken, ...]] = {
    **{name: host(name, {}) for name in RECORDED},
    "all sources of sockets": host("ipt01-given", sockets() | {"proc-net-ip_vs.txt": NO_VIRTUAL_SERVICE}),
    "netstat": host("ipt25-legacy-drop", sockets() | netstat(), "ss.txt"),
    "the kernel's lists alone": host("nft01-compliant", sockets(), "ss.txt"),
    "sockets refused": host("nft01-compliant", {}, "ss.txt"),
    "rules refused": host("dk01-published", sockets(), "nft.json", "nft.txt", "iptables-save.txt"),
}


def answers(files: Files) -> dict[str, object]:
    evidence = Evidence(Bundle("bundle", files))
    found: dict[str, object] = {}
    for question, ask in QUESTIONS.items():
        try:
            found[question] = ask(evidence)
        except NotDetermined:
            found[question] = UNKNOWN
    return found


@cache
def sound(name: str) -> Files:
    """The files of a collected host, its manifest among them."""
    bundle = bundle_of(f"ssh://{name}", datetime(2026, 11, 22, tzinfo=UTC), "1", HOSTS[name])
    assert bundle.manifest is not None
    files = {one.file: one.output for one in HOSTS[name] if one.state is FileState.COLLECTED}
    return files | {MANIFEST: bundle.manifest.model_dump_json(indent=1).encode() + b"\n"}


@cache
def undamaged(name: str) -> dict[str, object]:
    return answers(sound(name))


@cache
def undamaged_by_hand(name: str) -> dict[str, object]:
    return answers(by_hand(name))


@cache
def by_hand(name: str) -> Files:
    return {file: content for file, content in sound(name).items() if file != MANIFEST}


@st.composite
def damages(draw: st.DrawFn, files: Files) -> tuple[str, bytes | None]:
    """One file, and what becomes of it."""
    file = draw(st.sampled_from(sorted(files)))
    content = files[file]
    return file, draw(
        st.one_of(
            st.none(),
            st.just(b""),
            st.integers(0, len(content)).map(lambda length: content[:length]),
            st.integers(0, len(content)).map(lambda start: content[start:]),
            st.sampled_from(sorted(files)).map(files.__getitem__),
            st.binary(max_size=200),
            st.tuples(st.integers(0, len(content)), st.binary(min_size=1, max_size=3)).map(
                lambda change: content[: change[0]] + change[1] + content[change[0] + 1 :]
            ),
        )
    )


def with_damage(files: Files, file: str, content: bytes | None) -> Files:
    others = {name: each for name, each in files.items() if name != file}
    return others if content is None else others | {file: content}


@pytest.mark.parametrize("name", HOSTS)
def test_a_sound_bundle_answers_what_its_files_allow(name: str) -> None:
    unknown = {question for question, answer in undamaged(name).items() if answer is UNKNOWN}
    assert unknown == {
        "sockets refused": {"listeners"},
        "rules refused": {"filtering", "translates", "rules name one"},
    }.get(name, set())


@settings(max_examples=60)
@pytest.mark.parametrize("name", HOSTS)
@given(data=st.data())
def test_with_a_manifest_damage_never_changes_an_answer(name: str, data: st.DataObject) -> None:
    file, content = data.draw(damages(sound(name)))
    damaged = answers(with_damage(sound(name), file, content))
    made_by_hand = file == MANIFEST and content is None
    for question, answer in damaged.items():
        if made_by_hand and undamaged(name)[question] is UNKNOWN:
            continue  # what a bundle made by hand takes for granted, it says
        assert answer is UNKNOWN or answer == undamaged(name)[question], question


@pytest.mark.parametrize("name", HOSTS)
def test_without_its_manifest_a_bundle_says_what_it_takes_for_granted(name: str) -> None:
    assert Evidence(Bundle("bundle", sound(name))).assumptions() == ()
    assert Evidence(Bundle("bundle", by_hand(name))).assumptions()


@pytest.mark.parametrize("name", HOSTS)
def test_with_a_manifest_no_file_is_lost_unseen(name: str) -> None:
    """Each file some answer rests on, removed: at least that answer is gone."""
    gone = {
        file: {
            question for question, answer in answers(with_damage(sound(name), file, None)).items() if answer is UNKNOWN
        }
        for file in sound(name)
    }
    for file, question in {
        "ss.txt": "listeners",
        "netstat.txt": "listeners",
        "proc-net-udp.txt": "listeners",
        "ip-addr.json": "addresses",
        "ip6-route.json": "routes",
        "sysctl.txt": "forwards",
        "nft.json": "filtering",
        "ip6tables-save.txt": "filtering",
        "iptables-legacy-save.txt": "filtering",
    }.items():
        assert file not in gone or question in gone[file], file


KERNEL = {*SOCKETS} - {"ss.txt"}
LINES = {*SOCKETS, "netstat.txt", "iptables-save.txt", "ip6tables-save.txt", "iptables-legacy-save.txt", "sysctl.txt"}
"""Files of lines that stand alone: cut between two of them, nothing shows it without a manifest."""
DUMPS = {"nft.json", "iptables-save.txt", "ip6tables-save.txt", "iptables-legacy-save.txt", "ip_tables_names.txt"}
ALIKE = {"iptables-save.txt", "iptables-legacy-save.txt", "etc/iptables/rules.v4"}


def covers(found: object, expected: object) -> bool:
    """Whether every expected listener is there, bound no more narrowly."""
    if not (isinstance(found, tuple) and isinstance(expected, tuple)):
        return False
    return all(any(_stands_for(one, listener) for one in found) for listener in expected)


def _stands_for(one: Listener, listener: Listener) -> bool:
    return (
        (one.transport, one.port, one.address) == (listener.transport, listener.port, listener.address)
        and one.families >= listener.families
        and one.device in (None, listener.device)
    )


@st.composite
def clumsiness(draw: st.DrawFn, files: Files) -> tuple[str, bytes | None]:
    """What happens to a bundle made by hand: a file forgotten, emptied, cut short, mixed up with another, or junk."""
    file = draw(st.sampled_from(sorted(files)))
    content = files[file]
    return file, draw(
        st.one_of(
            st.none(),
            st.just(b""),
            st.integers(0, len(content)).map(lambda length: content[:length]),
            st.sampled_from(sorted(set(files) - (ALIKE if file in ALIKE else set()))).map(files.__getitem__),
            st.binary(min_size=1, max_size=200),
        )
    )


@settings(max_examples=60)
@pytest.mark.parametrize("name", HOSTS)
@given(data=st.data())
def test_by_hand_damage_changes_no_answer_but_where_nothing_can_show_it(name: str, data: st.DataObject) -> None:
    files = by_hand(name)
    file, content = data.draw(clumsiness(files))
    damaged = answers(with_damage(files, file, content))
    cut_between_lines = (
        file in LINES
        and content is not None
        and files[file].startswith(content)
        and (content == b"" or content.endswith(b"\n"))
    )
    for question, answer in damaged.items():
        expected = undamaged_by_hand(name)[question]
        if answer is UNKNOWN or answer == expected or question == "rules name one":  # asked of live hosts alone
            continue
        if question == "listeners":
            others = KERNEL if file not in KERNEL else {"ss.txt"} if "ss.txt" in files else {"netstat.txt"}
            assert covers(answer, expected) or (cut_between_lines and not others <= set(files)), (file, content)
        elif content is None:
            assert (question, file in DUMPS) in {("filtering", True), ("translates", True)}, (file, question)
        else:
            assert cut_between_lines, (file, content, question)


def test_a_forgotten_dump_is_named_among_the_assumptions() -> None:
    for file in ("nft.json", "iptables-save.txt", "ip6tables-save.txt"):
        lacking = Evidence(Bundle("bundle", with_damage(by_hand("ipt01-given"), file, None)))
        assert lacking.filtering.rules < 5
        assert any(file in said for said in lacking.assumptions())


@given(length=st.integers(0, 1082))
@example(length=0)
@example(length=1082)
def test_the_kernels_lists_make_up_for_a_list_of_sockets_cut_anywhere(length: int) -> None:
    files = by_hand("all sources of sockets")
    cut = answers(with_damage(files, "ss.txt", files["ss.txt"][:length]))["listeners"]
    expected = undamaged_by_hand("all sources of sockets")["listeners"]
    assert cut is UNKNOWN or covers(cut, expected)
