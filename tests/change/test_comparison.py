"""What a comparison of two snapshots says, case by case: the host serves SCCP to the phones behind eth0."""

from __future__ import annotations

import pytest
from tests.audit.conftest import QUIET_HOST, SERVING_HOST
from tests.change.policies import dumps_alone, filtered, plan_of, snapshot

from callgate.change.comparison import Comparison, compare
from callgate.change.shift import Shift
from callgate.firewall.sources import Entrance, cidrs

SOCKET = b'tcp LISTEN 0 128 *:2000 *:* users:(("pbx",pid=1,fd=3))\n'
SSH = b'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=7,fd=3))\n'
PHONES = "-s 192.168.1.0/24 -i eth0 -j ACCEPT"
STRANGERS = "-s 203.0.113.0/24 -p tcp --dport 2000 -j ACCEPT"
LINKS = QUIET_HOST["ip-addr.json"]
RULES = "iptables-save.txt"


def v4(*rules: str) -> dict[str, bytes | None]:
    """The host with these rules of IPv4."""
    return {RULES: filtered("-i lo -j ACCEPT", *rules)}


def networks(shift: Shift) -> list[str]:
    return [text for text, _ in cidrs(shift.entrance.family, shift.surely)]


def of_sccp(shifts: tuple[Shift, ...]) -> dict[Entrance, Shift]:
    return {shift.entrance: shift for shift in shifts if shift.service == "sccp"}


def said(found: Comparison) -> list[str]:
    return [change.text for change in found.others]


def test_stranger_let_in_is_named_with_the_rule_and_a_packet() -> None:
    found = compare(snapshot(v4(PHONES)), snapshot(v4(PHONES, STRANGERS)))
    shift = of_sccp(found.gained)[Entrance(4, "eth1")]
    assert networks(shift)[0] == "203.0.113.0/29"
    assert shift.surely.size == 255  # all but the host's own address
    assert shift.rules == ("ip filter INPUT (legacy) rule 3: -A INPUT -s 203.0.113.0/24 -p tcp --dport 2000 -j ACCEPT",)
    assert shift.example == "203.0.113.1 to 192.168.1.10:2000/tcp"
    assert shift.offered
    assert (found.widened, found.locked_out, found.regression, found.nothing) == (True, False, True, False)
    assert found.reasons == ("strangers gain SCCP (Skinny): 203.0.113.0/24 on eth1",)


def test_phones_shut_out_are_named_with_the_rule_that_refuses_them() -> None:
    found = compare(snapshot(v4(PHONES)), snapshot(v4("-s 192.168.1.128/25 -j DROP", PHONES)))
    shift = of_sccp(found.lost)[Entrance(4, "eth0")]
    assert networks(shift) == ["192.168.1.128/25"]
    assert shift.rules == ("ip filter INPUT (legacy) rule 2: -A INPUT -s 192.168.1.128/25 -j DROP",)
    assert shift.example == "192.168.1.128 to 192.168.1.10:2000/tcp is dropped"
    assert not found.gained
    assert (found.widened, found.locked_out, found.regression) == (False, True, True)
    assert found.reasons == ("phones lose SCCP (Skinny): 192.168.1.128/25",)


def test_stranger_who_loses_access_is_no_regression() -> None:
    found = compare(snapshot(v4(PHONES, STRANGERS)), snapshot(v4(PHONES)))
    assert of_sccp(found.lost)
    assert found.regression is False
    assert not found.nothing


def test_trusted_network_that_gains_access_is_no_regression() -> None:
    found = compare(snapshot(v4("-s 192.168.1.0/25 -i eth0 -j ACCEPT")), snapshot(v4(PHONES)))
    assert networks(of_sccp(found.gained)[Entrance(4, "eth0")]) == ["192.168.1.128/25"]
    assert found.regression is False


def test_phone_that_loses_an_interface_it_never_came_by_is_not_locked_out() -> None:
    anywhere = "-s 192.168.1.0/24 -j ACCEPT"
    found = compare(snapshot(v4(anywhere)), snapshot(v4(PHONES)))
    assert set(of_sccp(found.lost)) == {Entrance(4, "eth1")}
    assert found.regression is False


def test_answers_that_are_dropped_lock_phones_out_who_still_reach_it() -> None:
    text = filtered(PHONES).replace(b"COMMIT", b":OUTPUT DROP [0:0]\nCOMMIT", 1)
    lines = text.splitlines()
    lines.insert(3, lines.pop(-2))  # chains stand before rules
    found = compare(snapshot(v4(PHONES)), snapshot({RULES: b"\n".join(lines) + b"\n"}))
    shift = of_sccp(found.lost)[Entrance(4, "eth0")]
    assert "its answer" in shift.example
    assert found.locked_out is True


def test_all_icmpv6_dropped_locks_ipv6_phones_out() -> None:
    links = LINKS.replace(b'"scope": "global"}]', b'"scope": "global"}, {"local": "fd00:1::10", "prefixlen": 64}]', 1)
    routes = b'[{"dst": "fd00:1::/64", "dev": "eth0"}]\n'
    rules = b"*filter\n:INPUT %s [0:0]\n-A INPUT -s fd00:1::/64 -p tcp --dport 2000 -j ACCEPT\n%sCOMMIT\n"
    common = {"ip-addr.json": links, "ip6-route.json": routes}
    before = snapshot({**common, "ip6tables-save.txt": rules % (b"DROP", b"-A INPUT -p ipv6-icmp -j ACCEPT\n")})
    after = snapshot({**common, "ip6tables-save.txt": rules % (b"DROP", b"")})
    found = compare(before, after)
    assert not found.lost
    assert found.locked_out is True
    assert compare(after, before).regression is False


def test_service_that_stops_is_lost_by_its_phones_and_one_that_starts_gains_them() -> None:
    running, stopped = snapshot(v4(PHONES)), snapshot({**v4(PHONES), "ss.txt": SSH})
    found = compare(running, stopped)
    shift = of_sccp(found.lost)[Entrance(4, "eth0")]
    assert shift.surely.size == 255
    assert shift.rules == ()
    assert shift.example.startswith("nothing listens on 2000/tcp")
    assert found.locked_out is True
    assert [(one.data["change"], one.data["port"]) for one in found.of("listeners")] == [("gone", 2000)]
    started = compare(stopped, running)
    assert of_sccp(started.gained)[Entrance(4, "eth0")].surely.size == 255
    assert started.regression is False


def test_service_that_starts_behind_open_rules_widens() -> None:
    found = compare(snapshot({**v4(STRANGERS), "ss.txt": SSH}), snapshot(v4(STRANGERS)))
    assert found.widened is True


def test_rules_for_what_nothing_offers_are_told_and_are_no_regression() -> None:
    stopped = {"ss.txt": SSH}
    found = compare(snapshot({**v4(PHONES), **stopped}), snapshot({**v4(PHONES, STRANGERS), **stopped}))
    assert not of_sccp(found.gained)[Entrance(4, "eth1")].offered
    assert found.regression is False


def test_way_to_the_phones_that_moves_to_another_interface_is_lost_where_that_one_is_closed() -> None:
    moved = LINKS.replace(b"eth0", b"eth9")
    routes = QUIET_HOST["ip-route.json"].replace(b"eth0", b"eth9")
    there = {"ip-addr.json": moved, "ip-route.json": routes}
    found = compare(snapshot(v4(PHONES)), snapshot({**v4(PHONES), **there}))
    assert of_sccp(found.lost)[Entrance(4, "eth0")].example == "the host has no interface eth0"
    assert found.locked_out is True
    anywhere = v4("-s 192.168.1.0/24 -j ACCEPT")
    found = compare(snapshot(anywhere), snapshot({**anywhere, **there}))
    assert set(of_sccp(found.gained)) == {Entrance(4, "eth9")}
    assert found.locked_out is False
    assert {"gone: interface eth0", "new: interface eth9"} <= set(said(found))


def test_new_interface_behind_open_rules_widens() -> None:
    more = LINKS.rstrip()[:-1] + b', {"ifname": "tun0", "addr_info": [{"local": "198.18.0.1", "prefixlen": 24}]}]\n'
    rules = v4(PHONES, "-i tun+ -j ACCEPT")
    found = compare(snapshot(rules), snapshot({**rules, "ip-addr.json": more}))
    assert set(of_sccp(found.gained)) == {Entrance(4, "tun0")}
    assert found.widened is True


def test_route_that_leads_strangers_to_a_trusted_side_widens_what_it_always_let_in() -> None:
    rules = v4("-i eth0 -j ACCEPT")
    routes = QUIET_HOST["ip-route.json"].rstrip()[:-1] + b', {"dst": "198.51.100.0/24", "dev": "eth0"}]\n'
    found = compare(snapshot(rules), snapshot({**rules, "ip-route.json": routes}))
    assert not found.gained
    assert found.widened is True
    assert "new: route 198.51.100.0/24 by eth0" in said(found)


def test_address_of_another_number_is_no_new_stranger() -> None:
    open_to_all = v4("-j ACCEPT")
    renumbered = LINKS.replace(b"203.0.113.10", b"203.0.113.20")
    found = compare(snapshot(open_to_all), snapshot({**open_to_all, "ip-addr.json": renumbered}))
    assert networks(of_sccp(found.gained)[Entrance(4, "eth1")]) == ["203.0.113.10/32"]
    assert found.regression is False


def test_socket_bound_to_a_device_loses_the_others() -> None:
    bound = SOCKET.replace(b"*:2000", b"*%eth1:2000")
    found = compare(snapshot(v4(PHONES)), snapshot({**v4(PHONES), "ss.txt": bound}))
    assert of_sccp(found.lost)[Entrance(4, "eth0")].example == "the socket is bound to eth1"
    assert found.locked_out is True


def test_reverse_path_filter_that_is_switched_off_lets_in_whom_it_kept_out() -> None:
    rules = v4("-s 198.51.100.0/24 -j ACCEPT", PHONES)

    def sysctls(value: str) -> dict[str, bytes | None]:
        keys = "".join(f"net.ipv4.conf.{name}.rp_filter = {value}\n" for name in ("all", "eth0", "eth1"))
        return {"sysctl.txt": QUIET_HOST["sysctl.txt"] + keys.encode()}

    found = compare(snapshot({**rules, **sysctls("1")}), snapshot({**rules, **sysctls("0")}))
    assert set(of_sccp(found.gained)) == {Entrance(4, "eth0")}
    assert "net.ipv4.conf.eth1.rp_filter = 0, was 1" in said(found)


def test_new_doubt_is_not_determined_and_one_that_stays_is_no_change() -> None:
    doubtful = snapshot(v4(PHONES, f"-m string --string x --algo bm {STRANGERS}"))
    found = compare(snapshot(v4(PHONES)), doubtful)
    shift = of_sccp(found.gained)[Entrance(4, "eth1")]
    assert not shift.surely
    assert shift.perhaps.size == 255
    assert (found.widened, found.regression) == (None, None)
    again = compare(doubtful, snapshot(v4(PHONES, f"-m string --string x --algo bm {STRANGERS}")))
    assert again.nothing
    assert {one.entrance for one in again.doubtful} == {Entrance(4, "eth0"), Entrance(4, "eth1")}


def test_doubt_about_what_was_sure_is_a_doubtful_loss() -> None:
    found = compare(snapshot(v4(PHONES)), snapshot(v4("-m string --string x --algo bm -j DROP", PHONES)))
    assert of_sccp(found.lost)[Entrance(4, "eth0")].perhaps
    assert found.locked_out is None
    back = compare(snapshot(v4("-m string --string x --algo bm -j DROP", PHONES)), snapshot(v4(PHONES)))
    assert of_sccp(back.gained)[Entrance(4, "eth0")].perhaps
    assert back.regression is False


@pytest.mark.parametrize("side", ["before", "after"])
def test_damaged_dump_is_not_determined_and_the_rest_is_compared(side: str) -> None:
    damaged = snapshot({RULES: b"*filter\n:INPUT DROP [0:0]\n", "ss.txt": SSH})
    sound = snapshot(v4(PHONES))
    found = compare(damaged, sound) if side == "before" else compare(sound, damaged)
    assert found.undetermined[0].startswith(f"{side}: {RULES}")
    assert (found.widened, found.locked_out, found.regression, found.nothing) == (None, None, None, False)
    assert found.of("listeners")


def test_missing_sockets_leave_what_is_led_elsewhere() -> None:
    dnat = (
        b"*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 2000 -j DNAT --to-destination 10.8.0.2\nCOMMIT\n"
    )
    forwards = {"sysctl.txt": b"net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 0\n"}
    lacking = {"ss.txt": None, "proc-net-tcp.txt": None, **forwards}
    found = compare(snapshot({**v4(PHONES), **lacking}), snapshot({RULES: filtered(PHONES) + dnat, **lacking}))
    assert found.undetermined == ("before: ss.txt: is not in the manifest",)
    assert "which becomes 10.8.0.2:2000" in of_sccp(found.gained)[Entrance(4, "eth1")].example
    assert found.regression is True


def test_virtual_services_are_not_weighed_unless_nothing_changed() -> None:
    listed = QUIET_HOST["proc-net-ip_vs.txt"] + (
        b"Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
        b"TCP  C0A8010A:07D0 rr\n  -> 0A080002:07D0      Masq    1      %s          0\n"
    )
    before = snapshot({**v4(PHONES), "proc-net-ip_vs.txt": listed % b"0"})
    busy = snapshot({**v4(PHONES), "proc-net-ip_vs.txt": listed % b"7"})
    assert compare(before, busy).nothing
    changed = compare(before, snapshot({**v4(PHONES, STRANGERS), "proc-net-ip_vs.txt": listed % b"0"}))
    assert any("IPVS" in one for one in changed.undetermined)
    gone = compare(before, snapshot(v4(PHONES)))
    assert "gone: virtual service TCP C0A8010A:07D0 rr" in said(gone)
    assert gone.regression is None


def test_process_ids_and_ports_of_the_kernels_choice_are_no_change() -> None:
    then = SOCKET + b'udp UNCONN 0 0 0.0.0.0:40123 0.0.0.0:* users:(("named",pid=5,fd=3))\n'
    now = SOCKET.replace(b"pid=1", b"pid=9") + b'udp UNCONN 0 0 0.0.0.0:51777 0.0.0.0:* users:(("named",pid=6,fd=3))\n'
    assert compare(snapshot({"ss.txt": then}), snapshot({"ss.txt": now})).nothing
    other = compare(snapshot({"ss.txt": then}), snapshot({"ss.txt": now.replace(b"named", b"backdoor")}))
    assert len(other.of("listeners")) == 2
    two = now + b'udp UNCONN 0 0 0.0.0.0:51778 0.0.0.0:* users:(("named",pid=6,fd=4))\n'
    assert [one.data["change"] for one in compare(snapshot({"ss.txt": then}), snapshot({"ss.txt": two})).others] == [
        "new"
    ]


def test_another_process_on_the_same_port_is_told_and_an_unknown_one_is_not() -> None:
    before = snapshot()
    found = compare(before, snapshot({"ss.txt": SOCKET.replace(b"pbx", b"nc")}))
    assert said(found) == ["2000/tcp is held by nc, was by pbx"]
    assert compare(before, snapshot({"ss.txt": SOCKET.partition(b"users")[0] + b"\n"})).nothing


def test_callers_of_other_listeners_are_compared_too() -> None:
    ports = SOCKET + SSH
    ssh = "-s 198.51.100.0/24 -p tcp --dport 22 -j ACCEPT"
    found = compare(snapshot({**v4(PHONES), "ss.txt": ports}), snapshot({**v4(PHONES, ssh), "ss.txt": ports}))
    assert said(found) == ["22/tcp gained: 198.51.100.0/24 on eth0, eth1 (IPv4)"]
    assert found.regression is False
    assert not found.nothing


def test_translation_is_told_wherever_it_stands_and_counters_do_not_count() -> None:
    nat = b"*nat\n:PREROUTING ACCEPT [%d:0]\n%sCOMMIT\n"
    redirect = b"-A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80\n"
    idle = b"-A PREROUTING -p tcp -m tcp --dport 81 -j ACCEPT\n"

    def host(rules: bytes, count: int) -> object:
        return snapshot({RULES: filtered(PHONES) + nat % (count, rules)})

    one, other = host(redirect, 0), host(idle + redirect, 99)
    assert compare(one, other).nothing  # type: ignore[arg-type]
    found = compare(host(b"", 0), one)  # type: ignore[arg-type]
    assert [change.data["rule"] for change in found.of("translations")] == [redirect.decode().strip()]


def test_rulesets_alone_are_judged_on_one_host() -> None:
    before = dumps_alone({RULES: filtered("-s 192.168.1.0/24 -p tcp --dport 2000 -j ACCEPT")})
    after = dumps_alone({RULES: filtered("-i eth7 -j DROP", "-s 192.168.1.0/24 -p tcp --dport 2000 -j ACCEPT")})
    found = compare(before, after)
    assert {one.entrance.interface for one in found.lost} == {"eth7"}
    assert not found.gained
    assert found.regression is False  # some other interface still serves them
    wide = dumps_alone({RULES: filtered("-p tcp --dport 2000 -j ACCEPT")})
    assert compare(before, wide).widened is True
    assert compare(wide, before).regression is False
    assert compare(wide, dumps_alone({RULES: filtered("-s 10.0.0.0/8 -j ACCEPT")})).locked_out is True


def test_rulesets_alone_of_other_families_leave_one_undetermined() -> None:
    six = filtered("-p tcp --dport 2000 -j ACCEPT").replace(b"iptables-save", b"ip6tables-save")
    found = compare(dumps_alone({RULES: filtered()}), dumps_alone({RULES: filtered(), "ip6tables-save.txt": six}))
    assert not found.gained
    assert found.undetermined == ("before holds no dump of IPv6: what changed there is not known",)
    assert found.regression is None


def test_ruleset_alone_and_a_host_are_not_compared() -> None:
    found = compare(dumps_alone({RULES: filtered()}), snapshot())
    assert not found.gained
    assert found.regression is None


def test_tighter_ruleset_without_a_site_file_leaves_open_whether_it_was_phones_who_lost() -> None:
    plan = plan_of(default=True)
    wide = dumps_alone({RULES: filtered("-p tcp --dport 2000 -j ACCEPT")}, plan)
    tight = dumps_alone({RULES: filtered("-s 192.168.1.0/24 -p tcp --dport 2000 -j ACCEPT")}, plan)
    found = compare(wide, tight)
    assert (found.widened, found.locked_out) == (False, None)
    assert "no site file" in found.reasons[-1]
    assert compare(wide, dumps_alone({RULES: filtered()}, plan)).locked_out is True


def test_networks_behind_are_the_same_for_both_when_a_call_manager_stops() -> None:
    forwarding = {"sysctl.txt": b"net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 0\n"}
    running, stopped = snapshot({**v4(PHONES), **forwarding}), snapshot({**v4(PHONES), **forwarding, "ss.txt": SSH})
    found = compare(running, stopped)
    assert not of_sccp(found.gained)
    assert found.widened is False


def test_bundle_without_an_nft_dump_proves_no_more_than_a_change() -> None:
    from callgate.change.snapshot import target_of
    from callgate.evidence.bundle import Bundle

    files = {name: SERVING_HOST[name] for name in ("ss.txt", "ip-addr.json", "ip-route.json", RULES)}
    found = compare(*(target_of(Bundle(side, files), plan_of()) for side in ("before", "after")))
    assert not [*found.gained, *found.lost, *found.others]
    assert found.regression is None
