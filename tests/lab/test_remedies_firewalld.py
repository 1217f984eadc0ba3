"""Remedies that firewalld takes, applied to real ones; and the usual advice for it, of which Callgate says why not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.lab.rebuilt_host import dumps, plain
from tests.lab.remedied_host import PLAN, called, differing, live, phones, run, serve, strangers_in

from callgate.audit.exposure import exposure
from callgate.change.remedy.need import needs
from callgate.change.remedy.remedy import Remedy, remedy
from callgate.lab.boot_files import reboot
from callgate.lab.firewalld import Backend, Firewalld, firewalld_unavailable, start_firewalld
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

LAN = 'rule family="ipv4" source address="192.168.1.0/24" port port="2000" protocol="tcp" accept'
PORTS = ("5060/udp", "2000/tcp", "5060/tcp")


def open_ports(lab: Lab, firewalld: Firewalld) -> None:
    """ans-B-before."""
    ports = [f"--add-port={port}" for port in PORTS]
    firewalld.command(*ports)
    firewalld.command("--permanent", *ports)


def translated_and_behind_its_back(lab: Lab, firewalld: Firewalld) -> None:
    """fw10-nat-redirect and fw23-nft-behind."""
    lab.pbx.load_nft("insert rule inet firewalld filter_INPUT tcp dport 2000 accept\n")
    redirect = "-t nat -A PREROUTING -p tcp --dport 12000 -j REDIRECT --to-ports 2000"
    lab.pbx.run(["iptables", *redirect.split()])


def rich_and_passed_through(lab: Lab, firewalld: Firewalld) -> None:
    """fw30-ipt-rich and fw32-ipt-passthrough."""
    firewalld.command(f"--add-rich-rule={LAN}")
    accept = "-I INPUT -p tcp --dport 2000 -s 203.0.113.0/24 -j ACCEPT"
    firewalld.command("--direct", "--passthrough", "ipv4", *accept.split())


def guarded(lab: Lab, backend: Backend, services: tuple[str, ...], made: Callable[[Lab, Firewalld], None]) -> Firewalld:
    """A host that lets strangers in, though firewalld guards it."""
    require(firewalld_unavailable())
    for tool in ("iptables", "ipset"):
        require_tool(tool)
    serve(lab, *services)
    firewalld = start_firewalld(lab.pbx, backend=backend)
    made(lab, firewalld)
    assert strangers_in(called(lab, "12000/tcp"))
    return firewalld


def assert_closed(lab: Lab, found: Remedy, services: tuple[str, ...]) -> None:
    """The script does what was foreseen: strangers are out, and the phones in."""
    done = run(lab, found.recipe.script)
    assert (done.returncode, done.stderr) == (0, "")
    after = live(lab)
    assert differing(after, found.recipe.ruleset) == []
    assert needs(after) == ()
    assert strangers_in(called(lab, "12000/tcp")) == frozenset()
    assert called(lab) == phones(*services)


def listings(firewalld: Firewalld) -> list[list[str]]:
    """What firewalld has in both configurations, in no order: it lists rules as they come."""
    asked = [("--list-all-zones",), ("--permanent", "--list-all-zones")]
    asked += [(*view, "--direct", "--get-all-rules") for view in ((), ("--permanent",))]
    return [sorted(firewalld.command(*words).splitlines()) for words in asked]


@pytest.mark.parametrize(
    ("backend", "services", "made", "direct"),
    [
        ("nftables", ("2000/tcp", "5060/tcp", "5060/udp"), open_ports, False),
        ("nftables", ("2000/tcp",), translated_and_behind_its_back, True),
    ],
    ids=["ports-opened", "redirect-and-behind"],
)
def test_remedy_holds_is_idempotent_and_is_taken_back(
    lab: Lab, backend: Backend, services: tuple[str, ...], made: Callable[[Lab, Firewalld], None], direct: bool
) -> None:
    firewalld = guarded(lab, backend, services, made)
    before, then = live(lab), listings(firewalld)
    found = remedy(before, "firewalld")
    assert found is not None
    assert ("-j CALLGATE-FWD-IN" in found.recipe.script) is direct
    assert_closed(lab, found, services)
    applied, rules = listings(firewalld), plain(dumps(lab.pbx))
    again = run(lab, found.recipe.script)
    assert (again.returncode, again.stdout.splitlines()) == (0, ["callgate: applied"])
    assert (listings(firewalld), plain(dumps(lab.pbx))) == (applied, rules)

    assert run(lab, found.recipe.script, "rollback").returncode == 0
    assert listings(firewalld) == then
    assert differing(live(lab), before.evidence.policy.ruleset) == []
    assert run(lab, found.recipe.script, "status").returncode == 1


def test_remedy_over_iptables_survives_a_reboot_and_leaves_nothing_when_it_is_taken_back(lab: Lab) -> None:
    firewalld = guarded(lab, "iptables", ("2000/tcp",), rich_and_passed_through)
    found = remedy(live(lab), "firewalld")
    assert found is not None
    assert_closed(lab, found, ("2000/tcp",))
    firewalld.stop()
    rebooted = reboot(lab.pbx)
    assert (rebooted.started, rebooted.complaints) == (("firewalld.service",), {})
    # What stood at runtime alone is gone, but the phones that it let in are not: the remedy saw to them as well.
    assert called(lab) == phones("2000/tcp")
    assert rebooted.firewalld is not None
    assert run(lab, found.recipe.script, "status").returncode == 0
    assert run(lab, found.recipe.script, "rollback").returncode == 0
    zones, saved, *direct = listings(rebooted.firewalld)
    # What stood at runtime before stays there, though it was the remedy that brought it over the boot.
    assert [line.strip() for line in zones if "2000" in line] == [LAN]
    assert not any("2000" in line for line in saved)
    assert direct == [[], []]
    lab.pbx.run(["test", "!", "-e", "/etc/callgate"])


def usual_task(firewalld: Firewalld, zone: str = "public") -> None:
    """`firewalld: port=5060/udp permanent=true state=disabled immediate=yes`, as the module does it.

    ansible-core alone has no ansible.posix; the module says ok where the port was not open in the zone.
    """
    for view in ((), ("--permanent",)):
        if firewalld.host.run(["firewall-cmd", *view, f"--zone={zone}", "--query-port=5060/udp"], check=False).stdout:
            firewalld.command(*view, f"--zone={zone}", "--remove-port=5060/udp")


def test_usual_ansible_task_leaves_every_way_in_but_one(lab: Lab) -> None:
    require(firewalld_unavailable())
    serve(lab)
    firewalld = start_firewalld(lab.pbx)
    services = {service.name: service for service in PLAN.services}
    variants = [
        (["--add-port=5060/udp", "--add-port=2000/tcp"], "sccp", "2000/tcp", "filter_IN_public_allow"),
        (["--add-service=sip"], "sip-udp", "5060/udp", "filter_IN_public_allow"),
        (["--add-rich-rule=rule service name=sip accept"], "sip-udp", "5060/udp", "filter_IN_public_allow"),
        (["--zone=trusted", "--add-interface=eth1"], "sccp", "2000/tcp", "filter_IN_trusted"),
    ]
    for options, name, port, chain in variants:
        firewalld.command("--reload")
        firewalld.command(*options)
        usual_task(firewalld)
        assert strangers_in(called(lab)), options
        told = exposure(live(lab), services[name], demanded=True)
        assert told, options
        assert port in told.explain()
        assert chain in told.explain(), told.explain()
