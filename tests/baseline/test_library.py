from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from callgate.baseline.library import (
    DEFAULT_BASELINE,
    data_dir,
    find_baseline,
    load_baseline,
    shipped_baselines,
)
from callgate.baseline.service import CATALOGUE
from callgate.errors import UsageMistake

Write = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ["cisco-call-manager", "sccp-call-manager", "sip-registrar", "voip-core", "voip-strict"]

# How an id of each catalogue looks. NIST withdrew SC-19 (voice over IP) in revision 5.
REFERENCES = {
    "nist-800-53r5": r"(?!SC-19)[A-Z]{2}-[1-9][0-9]?(\([1-9][0-9]?\))?",
    "cis-8.1": r"([1-9]|1[0-8])\.[1-9][0-9]?",
    "disa-evvm-srg": r"V-[0-9]{6}|SRG-(NET|VOIP)-[0-9]{6}(-[A-Z]+-[0-9]{5})?",
    "pci-dss-4": r"[1-9][0-9]?(\.[1-9][0-9]?){2,3}",
    "scanner": r"Nessus 22877 Skinny Server Detection",
}


def test_in_a_clone_checks_and_baselines_stand_beside_the_source() -> None:
    assert data_dir("baselines") == ROOT / "baselines"
    assert data_dir("checks") == ROOT / "checks"
    assert (data_dir("baselines") / f"{DEFAULT_BASELINE}.yaml").is_file()


def test_in_an_installed_package_they_stand_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "baselines").mkdir()
    monkeypatch.setattr("callgate.baseline.library.resources.files", lambda _: tmp_path)
    assert data_dir("baselines") == tmp_path / "baselines"
    assert data_dir("checks") == ROOT / "checks"
    assert shipped_baselines() == ()


def test_the_shipped_baselines_are_these() -> None:
    assert [path.stem for path in shipped_baselines()] == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_baseline_is_whole(name: str) -> None:
    baseline = load_baseline(name)
    assert baseline.id == name
    assert baseline.chain[-1] == name
    assert set(baseline.services) <= set(CATALOGUE)
    assert len(baseline.services) == len(set(baseline.services))
    assert list(baseline.controls) == [control.id for control in baseline.controls.values()]
    for control in baseline.controls.values():
        assert control.references, control.id
        assert not control.rationale.endswith("\n"), control.id
        assert not control.remedy.endswith("\n"), control.id


@pytest.mark.parametrize("name", SHIPPED)
def test_references_are_ids_of_known_catalogues(name: str) -> None:
    for control in load_baseline(name).controls.values():
        assert set(control.references) <= set(REFERENCES), control.id
        for catalogue, ids in control.references.items():
            assert ids, f"{control.id}: {catalogue}"
            assert len(ids) == len(set(ids)), f"{control.id}: {catalogue}"
            assert [id_ for id_ in ids if not re.fullmatch(REFERENCES[catalogue], id_)] == [], control.id


def test_the_default_baseline_judges_sccp_and_sip_on_the_host() -> None:
    core = load_baseline(DEFAULT_BASELINE)
    assert core.services == ("sccp", "sccp-tls", "sip-udp", "sip-tcp", "sip-tls")
    exposure = {"EXP-01", "EXP-02", "EXP-03", "EXP-06"}
    service = {f"SVC-0{number}" for number in range(1, 9)}
    boot = {f"PER-0{number}" for number in range(1, 6)}
    assert set(core.controls) == exposure | boot | service | {"LSN-02", "LSN-03", "LSN-04", "ANS-01", "ANS-02"}
    assert core.judged_from == "inside"
    assert core.chain == ("voip-core",)
    assert core.controls["LSN-02"].severity == "high"


def test_each_shipped_baseline_changes_what_its_title_says() -> None:
    manager, registrar = load_baseline("sccp-call-manager"), load_baseline("sip-registrar")
    assert manager.services == (*load_baseline(DEFAULT_BASELINE).services, "tftp")
    assert (manager.controls["LSN-02"].severity, registrar.controls["LSN-02"].severity) == ("medium", "critical")
    cisco = load_baseline("cisco-call-manager")
    assert cisco.judged_from == "outside"
    assert cisco.chain == ("voip-core", "sccp-call-manager", "cisco-call-manager")
    assert {id_.partition("-")[0] for id_ in cisco.controls} == {"ANS", "SVC"}  # nothing that needs a shell there
    assert set(cisco.services) == set(CATALOGUE) - {"rtp"}


def test_every_check_of_the_clone_serves_a_control_of_a_shipped_baseline_and_each_has_one() -> None:
    marks = {
        id_
        for path in data_dir("checks").glob("test_*.py")
        for id_ in re.findall(r'@control\("([^"]+)"', path.read_text())
    }
    assert marks == {id_ for name in SHIPPED for id_ in load_baseline(name).controls}


def test_the_strict_baseline_demands_more_of_the_same_and_two_controls_besides() -> None:
    core, strict = load_baseline(DEFAULT_BASELINE), load_baseline("voip-strict")
    assert set(strict.controls) - set(core.controls) == {"EXP-04", "EXP-05"}
    assert set(core.controls) <= set(strict.controls)
    for name, parameter in (("EXP-01", "demanded"), ("EXP-03", "into_trusted")):
        assert core.controls[name].parameters == {parameter: False}
        assert strict.controls[name].parameters == {parameter: True}


def test_a_baseline_is_found_by_name_or_by_path(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("id: ours\ntitle: Ours\nextends: [voip-core]\n", "ours.yaml")
    assert find_baseline("voip-core") == data_dir("baselines") / "voip-core.yaml"
    assert find_baseline(str(path)) == path
    assert load_baseline(str(path)).chain == ("voip-core", "ours")
    monkeypatch.chdir(path.parent)
    assert find_baseline("ours.yaml") == find_baseline("./ours.yaml") == Path("ours.yaml")
    monkeypatch.setenv("HOME", str(path.parent))
    assert find_baseline("~/ours.yaml") == path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("voip-cor", "no baseline is called 'voip-cor'; did you mean voip-core?; a file ends in .yaml"),
        ("ours", f"no baseline is called 'ours'; known: {', '.join(SHIPPED)}; a file ends in .yaml"),
        ("", f"no baseline is called ''; known: {', '.join(SHIPPED)}; a file ends in .yaml"),
        ("VOIP-CORE", "no baseline is called 'VOIP-CORE'; did you mean voip-core?; a file ends in .yaml"),
        ("ours.yaml", "ours.yaml: there is no such baseline file"),
        ("./ours", "ours: there is no such baseline file"),
        ("/", "/: there is no such baseline file"),
        ("~nobody-of-that-name/x.yaml", "~nobody-of-that-name/x.yaml: there is no such baseline file"),
        ("x" * 300 + ".yaml", "x" * 300 + ".yaml: File name too long"),
    ],
)
def test_a_baseline_that_is_not_there_is_a_usage_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageMistake) as raised:
        load_baseline(name)
    assert str(raised.value) == told


@pytest.mark.parametrize("name", ["../baselines/voip-core", "schema", "..", "schema/baseline.schema"])
def test_a_name_leads_to_the_shipped_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageMistake):
        find_baseline(name)
