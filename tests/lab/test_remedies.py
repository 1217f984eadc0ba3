"""Remedies applied for real: recorded hosts that answered strangers, rebuilt in a kernel, and closed by the script."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator, Mapping
from typing import Literal

import pytest
import testinfra
from tests.lab.rebuilt_host import Answer, answers, behind, dumps, evidence, listen, listen_on, load, plain

from callgate.audit.exposure import exposure
from callgate.audit.plan import AuditPlan
from callgate.audit.reaching import families_of, question
from callgate.audit.target import Target
from callgate.audit.ways_in import behind as networks_behind
from callgate.baseline.library import load_baseline
from callgate.baseline.site import Site
from callgate.change.remedy.foreseen import foreseen_target
from callgate.change.remedy.need import needs
from callgate.change.remedy.recipe import Refused
from callgate.change.remedy.remedy import remedy
from callgate.change.snapshot import target_of
from callgate.evidence.backends import host_uri, register_backends
from callgate.evidence.boot import boot_plan
from callgate.evidence.bundle import Bundle
from callgate.evidence.collector import collect
from callgate.evidence.policy import policy_of
from callgate.firewall.difference import difference
from callgate.firewall.question import Question
from callgate.lab.availability import lab_unavailable
from callgate.lab.boot_files import NFTABLES_UNIT, PERSISTENT_UNIT, enable, reboot, save_iptables, save_nftables
from callgate.lab.host import LabHost
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.rulesets import USUAL_REMEDY
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

PLAN = AuditPlan(
    load_baseline("voip-core"), Site.model_validate({"trusted": ["192.168.1.0/24", "fd00:1::/64"]}), None, ()
)
CALLED = ("2000/tcp", "5060/tcp", "5060/udp", "12000/tcp", "12001/tcp", "15060/udp", "8443/tcp")
SERVICES = {"2000/tcp", "5060/tcp", "5060/udp"}
FORMATS: tuple[Literal["nft", "iptables"], ...] = ("nft", "iptables")

EXPOSED = [
    "ans-B-after", "ans-B-before", "ans-D-after", "boot03-missing-ipset", "f2b01-probe-source-banned",
    "fpbx02-responsive-on", "fw10-nat-redirect", "fw23-nft-behind", "fw32-ipt-passthrough", "ipt01-given",
    "ipt02-before-broad-first", "ipt06-redirect-away", "ipt09-v4-tight-v6-open", "ipt11-split-halves",
    "ipt15-user-chain-return", "ipt20-rate-accept", "ipt25-legacy-drop", "nft03-vmap-leak", "nft14-reject-rst",
    "ufw07-behind",
]  # fmt: skip
"""The recorded hosts that answer strangers themselves."""
FLUSHED = {("iptables", "fw32-ipt-passthrough")}
"""Where firewalld keeps its rules in iptables, which it flushes when it is reloaded."""


@pytest.fixture(scope="module")
def lab_of_many() -> Iterator[Lab]:
    """One lab for the hosts of this file: each is loaded in place of the one before."""
    require(lab_unavailable())
    for tool in ("nft", "iptables-nft-restore", "iptables-legacy-restore"):
        require_tool(tool)
    with Lab(forwarding=True) as built:
        yield built


def target(host: LabHost) -> Target:
    """The live host, as evidence shows it now."""
    return target_of(Bundle("rebuilt", {name: text.encode() for name, text in evidence(host).items()}), PLAN)


def run(host: LabHost, script: str, action: str = "apply", *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the script as it is meant to be run: read by sh from a pipe."""
    return host.run(["sh", "-s", action], stdin=script, timeout=30, check=check)


def service_answers(found: frozenset[Answer], side: str) -> set[Answer]:
    """The answers of a VoIP service: of its socket, or on its port."""
    return {one for one in found if one.side == side and {one.by, one.port} & SERVICES}


def differing(before: Target, texts: Mapping[str, str], after: Target) -> list[str]:
    """The questions to which the kernel's rules give other answers than the foreseen ones."""
    policy = policy_of(
        {**{name: before.evidence.bundle.text(name) for name in before.evidence.bundle.names()}, **texts}
    )
    asked = [question(service, networks_behind(before)) for service in PLAN.services]
    asked += [Question("tcp", (port, port), f"{port}/tcp") for port in (22, 12001)]
    families = families_of(before.evidence)
    return [one.what for one in asked if not difference(after.evidence.policy, policy, one, families).nothing]


def assert_remedied(lab: Lab, form: Literal["nft", "iptables"], before: frozenset[Answer]) -> None:
    """The remedy closes the host, keeps everything else, changes nothing twice, and goes without a trace."""
    pbx = lab.pbx
    found, rules = target(pbx), plain(dumps(pbx))
    made = remedy(found, form)
    assert made is not None
    foreseen = foreseen_target(found, made.recipe.ruleset)
    run(pbx, made.recipe.script)
    first = dumps(pbx)
    after = answers(lab, CALLED)
    assert service_answers(after, "stranger") == set()
    assert service_answers(before, "trusted") <= service_answers(after, "trusted")
    for need in made.recipe.opens:
        asked = {one.address for one in after if one.side == "trusted" and one.port == need.service.ports}
        assert {"192.168.1.10" if need.family == 4 else "fd00:1::10"} <= asked, need.found
    others = {one for one in before if not {one.by, one.port} & SERVICES}
    assert {one for one in after if not {one.by, one.port} & SERVICES} == others
    assert differing(found, first, foreseen) == []
    assert run(pbx, made.recipe.script, "status").returncode == 0
    run(pbx, made.recipe.script)
    assert plain(dumps(pbx)) == plain(first)
    run(pbx, made.recipe.script, "rollback")
    assert plain(dumps(pbx)) == rules
    assert run(pbx, made.recipe.script, "status", check=False).returncode == 1
    left = pbx.run(["sh", "-c", "ls -A /etc/callgate /etc/systemd/system | grep callgate"], check=False).stdout
    assert left == ""


@pytest.mark.parametrize("name", EXPOSED)
def test_exposed_host_is_closed_for_real_and_rollback_restores_it(lab_of_many: Lab, name: str) -> None:
    lab = lab_of_many
    load(lab.pbx, name)
    sockets = listen(lab.pbx, name)
    try:
        before = answers(lab, CALLED)
        for form in FORMATS:
            if (form, name) in FLUSHED:
                with pytest.raises(Refused, match="--format firewalld or nft"):
                    remedy(target(lab.pbx), form)
            else:
                assert_remedied(lab, form, before)
    finally:
        sockets.stop()


@pytest.mark.parametrize("form", FORMATS)
def test_published_container_is_closed_to_strangers_and_open_to_phones(
    lab_of_many: Lab, form: Literal["nft", "iptables"]
) -> None:
    lab = lab_of_many
    with behind(lab, "docker0", "172.17.0.2/16", "172.17.0.1/16", bridge=True) as container:
        load(lab.pbx, "dk01-published")
        inside = listen_on(container, [("tcp", 2000, False), ("tcp", 5060, False), ("udp", 5060, False)])
        proxies = listen(lab.pbx, "dk01-published")
        try:
            before = answers(lab, CALLED)
            assert {one.port for one in before if one.side == "stranger" and "." in one.address} == SERVICES
            assert_remedied(lab, form, before)
        finally:
            inside.stop()
            proxies.stop()


@pytest.mark.parametrize("form", FORMATS)
def test_call_manager_behind_a_gateway_is_closed_to_strangers(
    lab_of_many: Lab, form: Literal["nft", "iptables"]
) -> None:
    lab = lab_of_many
    with behind(lab, "eth2", "10.88.0.2/24", "10.88.0.1/24") as manager:
        load(lab.pbx, "gw01-forward")
        sockets = listen_on(manager, [("tcp", 2000, False), ("tcp", 8443, False)])
        try:
            before = {(one.side, one.port) for one in answers(lab, CALLED, also=["10.88.0.2"])}
            assert before == {(side, port) for side in ("trusted", "stranger") for port in ("2000/tcp", "8443/tcp")}
            made = remedy(target(lab.pbx), form)
            assert made is not None
            rules = plain(dumps(lab.pbx))
            run(lab.pbx, made.recipe.script)
            after = {(one.side, one.port) for one in answers(lab, CALLED, also=["10.88.0.2"])}
            assert after == before - {("stranger", "2000/tcp")}
            run(lab.pbx, made.recipe.script, "rollback")
            assert plain(dumps(lab.pbx)) == rules
        finally:
            sockets.stop()


_CALL_FROM = """\
import socket, sys
own, peer, port = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as call:
    call.bind((own, int(port)))
    call.connect((peer, 5060))
    call.settimeout(0.5)
    call.send(b"?")
    try:
        print(call.recv(64).decode())
    except OSError as error:
        print(type(error).__name__)
"""


def test_flow_that_a_stranger_began_ends_and_one_that_the_pbx_began_goes_on(lab_of_many: Lab) -> None:
    lab = lab_of_many
    load(lab.pbx, "ipt02-before-broad-first")
    called = listen_on(lab.pbx, [("udp", 5060, True)])
    provider = listen_on(lab.stranger, [("udp", 5060, True)])
    inward = (lab.stranger, "203.0.113.66", "203.0.113.10", "40000")
    outward = (lab.pbx, "203.0.113.10", "203.0.113.66", "40001")

    def said(host: LabHost, *arguments: str) -> str:
        return host.run(["python3", "-c", _CALL_FROM, *arguments]).stdout.strip()

    try:
        for form in FORMATS:
            assert [said(*inward), said(*outward)] == ["5060/udp", "5060/udp"]
            made = remedy(target(lab.pbx), form)
            assert made is not None
            run(lab.pbx, made.recipe.script)
            assert [said(*inward), said(*outward)] == ["TimeoutError", "5060/udp"]
            run(lab.pbx, made.recipe.script, "rollback")
    finally:
        called.stop()
        provider.stop()


def test_usual_remedy_run_for_real_leaves_skinny_open_and_the_audit_says_why(lab_of_many: Lab) -> None:
    lab = lab_of_many
    load(lab.pbx, "ipt01-given")
    lab.pbx.run(["iptables", "-F"])
    sockets = listen(lab.pbx, "ipt01-given")
    try:
        for command in USUAL_REMEDY:
            lab.pbx.run(shlex.split(command))
        reached = {(one.port, ":" in one.address) for one in answers(lab, CALLED, ["stranger"])}
        assert {("2000/tcp", False), ("2000/tcp", True), ("5060/tcp", False), ("5060/udp", True)} <= reached
        assert ("5060/udp", False) not in reached
        found = target(lab.pbx)
        said = {service.name: exposure(found, service, demanded=False).explain() for service in PLAN.services[:4]}
        assert "the rules speak of 5060, which is SIP's port; SCCP is 2000/tcp" in said["sccp"]
        assert "IPv6 has no rule that refuses anything: give it the rules that IPv4 has" in said["sip-udp"]
        assert "every IPv4 stranger" not in said["sip-udp"]
        made = remedy(found, "iptables")
        assert made is not None
        run(lab.pbx, made.recipe.script)
        assert service_answers(answers(lab, CALLED, ["stranger"]), "stranger") == set()
        run(lab.pbx, made.recipe.script, "rollback")
    finally:
        sockets.stop()


@pytest.mark.parametrize("form", FORMATS)
def test_script_that_fails_half_way_leaves_everything_as_it_was(
    lab_of_many: Lab, form: Literal["nft", "iptables"]
) -> None:
    pbx = lab_of_many.pbx
    load(pbx, "ipt02-before-broad-first")
    sockets = listen(pbx, "ipt02-before-broad-first")
    try:
        made = remedy(target(pbx), form)
    finally:
        sockets.stop()
    assert made is not None
    rules = plain(dumps(pbx))
    pbx.run(["sh", "-c", "mkdir -p /etc/systemd/system && : >/etc/systemd/system/multi-user.target.wants"])
    try:
        done = run(pbx, made.recipe.script, check=False)
    finally:
        pbx.run(["rm", "/etc/systemd/system/multi-user.target.wants"])
    assert done.returncode == 1
    assert "they cannot be loaded at boot; what was done is undone" in done.stderr
    assert plain(dumps(pbx)) == rules
    assert pbx.run(["sh", "-c", "ls -d /etc/callgate /etc/systemd/system/callgate*"], check=False).stdout == ""


@pytest.mark.parametrize(
    ("name", "form", "unit"),
    [
        ("ipt02-before-broad-first", "iptables", PERSISTENT_UNIT),
        ("ipt06-redirect-away", "nft", PERSISTENT_UNIT),
        ("nft14-reject-rst", "nft", NFTABLES_UNIT),
    ],
)
def test_reboot_keeps_the_remedy(lab: Lab, name: str, form: Literal["nft", "iptables"], unit: str) -> None:
    pbx = lab.pbx
    load(pbx, name)
    listen(pbx, name)
    save_nftables(pbx) if unit == NFTABLES_UNIT else save_iptables(pbx)
    enable(pbx, unit)
    register_backends()
    found = target_of(collect(testinfra.get_host(host_uri(pbx.uri))), PLAN)
    made = remedy(found, form)
    assert made is not None
    assert not [note for note in made.notes if "not proven" in note], made.notes
    run(pbx, made.recipe.script)
    first, seen = plain(dumps(pbx)), answers(lab, CALLED)
    assert service_answers(seen, "stranger") == set()
    booted = reboot(pbx)
    assert booted.started[-1] == "callgate-gate.service"
    assert booted.complaints == {}
    assert plain(dumps(pbx)) == first
    assert answers(lab, CALLED) == seen
    later = target_of(collect(testinfra.get_host(host_uri(pbx.uri))), PLAN)
    assert needs(later) == ()
    plan = boot_plan(later.evidence)
    assert (plan.others, plan.conflicts, plan.findings, plan.missing) == ((), (), (), ())
    assert [loader.name for loader in plan.loaders if loader.enabled][-1] == "callgate"


@pytest.mark.parametrize("form", FORMATS)
def test_host_whose_rules_are_not_saved_is_closed_after_its_next_boot_too(
    lab: Lab, form: Literal["nft", "iptables"]
) -> None:
    pbx = lab.pbx
    load(pbx, "ipt01-given")
    listen(pbx, "ipt01-given")
    register_backends()
    found = target_of(collect(testinfra.get_host(host_uri(pbx.uri))), PLAN)
    now = {(need.service.name, need.family) for need in needs(found)}
    made = remedy(found, form)
    assert made is not None
    assert {(need.service.name, need.family) for need in made.needs} - now == {("sip-udp", 4)}
    run(pbx, made.recipe.script)
    reboot(pbx)
    assert service_answers(answers(lab, CALLED), "stranger") == set()
    assert service_answers(answers(lab, CALLED, ["trusted"]), "trusted")
