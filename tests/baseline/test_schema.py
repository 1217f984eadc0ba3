from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from callgate.baseline.library import data_dir, load_baseline, shipped_baselines
from callgate.baseline.schema import KINDS, schema_text
from callgate.baseline.site import load_site, load_waivers
from callgate.baseline.source import read_source
from callgate.errors import FileMistakes

Write = Callable[..., Path]
LOADERS: dict[str, Callable[[Path], object]] = {
    "baseline": lambda path: load_baseline(str(path)),
    "site": load_site,
    "waivers": load_waivers,
}

SITE = """\
# yaml-language-server: $schema=https://example.org/site.schema.json
trusted: [192.168.1.0/24, 203.0.113.7, "fd00:1::/64"]
tls_only: [sccp]
expected: [sccp, own]
services:
  sip-udp: {port: 5080}
  sccp: {port: 2000-2002, judged: true, tls: false}
  own: {application: sip, transport: tcp, port: 5070, tls: true, title: Own}
  h323: true
  tftp: false
listeners:
  - {port: 22/tcp, process: sshd, reason: administration}
  - {port: 8088-8090/tcp}
voice_interfaces: [eth1]
behind: [10.9.0.0/16, "fd00:9::/64"]
vantages:
  - {name: in, host: "local://", side: trusted}
  - {name: out, host: "ssh://x", side: stranger}
auditor: none
phones:
  - {name: SEP1, application: sip, address: 192.168.1.7}
  - {name: 1001}
  - {name: link, address: "fd00:1::7"}
test_phones:
  - {name: desk, device: SEP001122334455, version: 11, number: 1001, dials: 600, unknown: SEPCA11DEAD, hosts: "pbx*"}
  - {name: door, application: sip, transport: tls, user: a, password_env: A, domain: x.example, certificate: c, key: k}
  - {name: hall, application: sip, user: 4711, password_file: hall.secret}
tls_ca: ca.pem
hosts:
  "pbx*":
    tls_name: pbx.example
    addresses: [192.168.1.2, "fd00:1::2", "fe80::1%eth0"]
    expected: [own]
    listeners: [{port: 443/tcp}]
    behind: [10.88.0.0/24]
  gate: {}
waivers:
  - {control: EXP-01, host: pbx1, service: sccp, reason: r, owner: o, ticket: 12, expires: 2026-12-31}
  - {control: EXP-01, host: "*", reason: r, owner: o, ticket: 4.10, expires: 2026-12-31T18:00:00+01:00}
"""
WAIVER = "control: EXP-01, host: x, reason: r, owner: o, ticket: t, expires: 2026-12-31"
TRUSTED = "trusted: [10.0.0.0/8]\n"
HEAD = "id: ours\ntitle: Ours\nextends: [voip-core]\n"


def validator(kind: str) -> Any:
    return Draft202012Validator(json.loads(schema_text(kind)))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_schema_is_one(kind: str) -> None:
    schema = json.loads(schema_text(kind))
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"Callgate {kind}"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_published_file_is_what_the_models_say(kind: str) -> None:
    published = data_dir("baselines") / "schema" / f"{kind}.schema.json"
    assert published.read_text(encoding="utf-8") == schema_text(kind), (
        f"write it anew: callgate baseline schema {kind} > baselines/schema/{kind}.schema.json"
    )


def test_there_is_no_other_schema() -> None:
    published = {path.name for path in (data_dir("baselines") / "schema").iterdir()}
    assert published == {f"{kind}.schema.json" for kind in KINDS}


@pytest.mark.parametrize("path", shipped_baselines(), ids=lambda path: path.stem)
def test_a_shipped_baseline_follows_the_schema_it_names(path: Path) -> None:
    assert list(validator("baseline").iter_errors(read_source(path).data)) == []
    note, _, schema = path.read_text().partition("\n")[0].partition("$schema=")
    assert note == "# yaml-language-server: "
    assert (path.parent / schema).samefile(data_dir("baselines") / "schema" / "baseline.schema.json")


def test_a_full_site_is_right_for_schema_and_model(write: Write) -> None:
    path = write(SITE)
    load_site(path)
    assert list(validator("site").iter_errors(read_source(path).data)) == []


def test_the_full_site_uses_every_key_there_is(write: Write) -> None:
    schema = json.loads(schema_text("site"))
    data = read_source(write(SITE)).data
    parts = {
        "Phone": data["phones"],
        "TrialPhone": data["test_phones"],
        "Vantage": data["vantages"],
        "Waiver": data["waivers"],
        "AccountedListener": data["listeners"],
        "HostEntry": data["hosts"].values(),
    }
    assert set(data) == set(schema["properties"])
    for name, entries in parts.items():
        assert {key for entry in entries for key in entry} == set(schema["$defs"][name]["properties"]), name


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("site", "expected: []"),
        ("site", "trusted: []"),
        ("site", "trusted: 10.0.0.0/8"),
        ("site", "trusted: [nope]"),
        ("site", "trusted: [[10.0.0.0/8]]"),
        ("site", TRUSTED + "trustd: []"),
        ("site", TRUSTED + "tls_only: sccp"),
        ("site", TRUSTED + "tls_only: [mgcp]"),
        ("site", TRUSTED + "expected: [SCCP]"),
        ("site", TRUSTED + "services: [sccp]"),
        ("site", TRUSTED + "services: {SCCP: true}"),
        ("site", TRUSTED + "services: {sccp: ~}"),
        ("site", TRUSTED + "services: {sccp: 5}"),
        ("site", TRUSTED + "services: {sip-udp: {prt: 1}}"),
        ("site", TRUSTED + "services: {sip-udp: {port: 70000}}"),
        ("site", TRUSTED + "services: {sip-udp: {port: many}}"),
        ("site", TRUSTED + "services: {sip-udp: {port: true}}"),
        ("site", TRUSTED + "services: {sip-udp: {transport: sctp}}"),
        ("site", TRUSTED + "services: {sip-udp: {application: skinny}}"),
        ("site", TRUSTED + "services: {sip-udp: {tls: maybe}}"),
        ("site", TRUSTED + "listeners: [{process: sshd}]"),
        ("site", TRUSTED + "listeners: [{port: 22}]"),
        ("site", TRUSTED + "listeners: [{port: 22/sctp}]"),
        ("site", TRUSTED + "listeners: [{port: 22/tcp, proces: sshd}]"),
        ("site", TRUSTED + "voice_interfaces: eth0"),
        ("site", TRUSTED + "voice_interfaces: ['']"),
        ("site", TRUSTED + "vantages: [{name: a, host: b}]"),
        ("site", TRUSTED + "vantages: [{name: a, host: b, side: left}]"),
        ("site", TRUSTED + "auditor: maybe"),
        ("site", TRUSTED + "phones: [SEP1]"),
        ("site", TRUSTED + "phones: [{name: a, address: pbx1}]"),
        ("site", TRUSTED + "phones: [{name: a, application: h323}]"),
        ("site", TRUSTED + "hosts: {x: ~}"),
        ("site", TRUSTED + "hosts: {x: {adresses: []}}"),
        ("site", TRUSTED + "waivers: [{}]"),
        ("site", TRUSTED + f"waivers: [{{{WAIVER}, sevice: sccp}}]"),
        ("site", "- a"),
        ("waivers", "waiver: []"),
        ("waivers", "waivers: {}"),
        ("waivers", f"waivers: [{{{WAIVER.replace('EXP-01', 'lsn-01')}}}]"),
        ("waivers", f"waivers: [{{{WAIVER.replace('12-31', '12-31T18:00')}}}]"),
        ("waivers", f"waivers: [{{{WAIVER.replace('2026-12-31', 'never')}}}]"),
        ("waivers", f"waivers: [{{{WAIVER.replace('host: x', 'host: []')}}}]"),
        ("waivers", f"waivers: []\n{TRUSTED}"),
        ("baseline", "id: ours"),
        ("baseline", "id: Ours\ntitle: t\nextends: [voip-core]"),
        ("baseline", HEAD + "contols: []"),
        ("baseline", HEAD + "judged_from: afar"),
        ("baseline", HEAD + "services: sccp"),
        ("baseline", HEAD + "services: [SCCP]"),
        ("baseline", HEAD + "controls: [{severity: low}]"),
        ("baseline", HEAD + "controls: [{id: lsn-01}]"),
        ("baseline", HEAD + "controls: [{id: EXP-01, severity: urgent}]"),
        ("baseline", HEAD + "controls: [{id: EXP-01, severty: low}]"),
        ("baseline", HEAD + "controls: [{id: EXP-01, title: ''}]"),
        ("baseline", HEAD + "controls: [{id: EXP-01, references: [SC-7]}]"),
        ("baseline", HEAD + "controls: [{id: EXP-01, references: {cis-8.1: 4.4}}]"),
        ("baseline", HEAD + "controls: [{id: EXP-01, parameters: []}]"),
        ("baseline", HEAD.replace("[voip-core]", "voip-core")),
    ],
)
def test_schema_and_model_refuse_the_same(write: Write, kind: str, text: str) -> None:
    path = write(text)
    with pytest.raises(FileMistakes):
        LOADERS[kind](path)
    assert not validator(kind).is_valid(read_source(path).data)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_key_but_the_plainest_is_described(kind: str) -> None:
    schema = json.loads(schema_text(kind))
    plain = {"id", "title", "severity", "controls", "waivers"}
    assert {key for key, place in schema["properties"].items() if "description" not in place} <= plain
    assert all("description" in place or "anyOf" in place or not place for place in schema["$defs"].values())
