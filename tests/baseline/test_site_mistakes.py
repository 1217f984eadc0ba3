from __future__ import annotations

from collections.abc import Callable

import pytest

SiteMistakes = Callable[[str], list[str]]

TRUSTED = "trusted: [192.168.1.0/24]\n"
KNOWN_SERVICES = (
    "capf, cti, h323, mgcp-tcp, mgcp-udp, phone-configuration, rtp, "
    "sccp, sccp-tls, sip-tcp, sip-tls, sip-udp, tftp, tvs"
)
EXPIRY = "a day like 2026-12-31 or a UTC time like 2026-12-31T18:00:00Z is expected"
WAIVER = "control: EXP-01, host: x, reason: r, owner: o, ticket: t, expires: 2026-12-31"
SWITCHED = "true, false, or keys and values like {port: 5080} are expected"
ON_OFF = "text is expected; yes, no, on and off are true and false unless they stand in quotes"

# What stands in line 2 of a file that is else right, and what is told of it.
MISTAKES = [
    ("phones:", "phones: nothing stands here: a list is expected"),
    ("phones: SEP1", "phones: 'SEP1': a list is expected"),
    ("phones: {name: SEP1}", "phones: a list is expected"),
    ("phones: [SEP1]", "phones.0: 'SEP1': keys and values are expected"),
    ("phones: [[SEP1]]", "phones.0: keys and values are expected"),
    ("phones: [{name: [a]}]", "phones.0.name: text is expected"),
    ("phones: [{name: }]", "phones.0.name: nothing stands here: text is expected"),
    ("phones: [{name: on}]", f"phones.0.name: true: {ON_OFF}"),
    ("phones: [{name: ' '}]", "phones.0.name: ' ': is empty; one line of text is expected"),
    ('phones: [{name: "a\\nb"}]', "phones.0.name: 'a\\nb': one line of text is expected"),
    ("phones: [{name: a, application: h323}]", "phones.0.application: 'h323': 'sccp' or 'sip' is expected"),
    (
        "phones: [{name: a, address: pbx1}]",
        "phones.0.address: 'pbx1': an address like 192.168.1.10 or fd00:1::10 is expected",
    ),
    (
        "phones: [{name: a, address: 8.8.8.8}]",
        "phones.0.address: a stands in no trusted network (8.8.8.8): it would be locked out",
    ),
    (
        "phones: [{name: a, address: 'fd00::1'}]",
        "phones.0.address: a stands in no trusted network (fd00::1): it would be locked out",
    ),
    ("tls_only: sccp", "tls_only: 'sccp': true, false, or a list of sccp and sip is expected"),
    ("tls_only: {sccp: true}", "tls_only: true, false, or a list of sccp and sip is expected"),
    ("tls_only: [sccp, mgcp]", "tls_only.1: 'mgcp': 'sccp' or 'sip' is expected"),
    ("expected: sccp", "expected: 'sccp': a list is expected"),
    ("expected: [SCCP]", "expected.0: 'SCCP': a service name like sip-udp is expected"),
    ("expected: [asterisk]", f"expected.0: no service is called 'asterisk'; known: {KNOWN_SERVICES}"),
    ("expected: [sccp-tsl]", "expected.0: no service is called 'sccp-tsl'; did you mean sccp-tls?"),
    ("hosts: {x: {expected: [sccpp]}}", "hosts.x.expected.0: no service is called 'sccpp'; did you mean sccp?"),
    ("services: [sccp]", "services: keys and values are expected"),
    ("services: {sccp: }", f"services.sccp: nothing stands here: {SWITCHED}"),
    ("services: {sccp: maybe}", f"services.sccp: 'maybe': {SWITCHED}"),
    ("services: {sccp: 2001}", f"services.sccp: 2001: {SWITCHED}"),
    ("services: {sccp: [2001]}", f"services.sccp: {SWITCHED}"),
    ("services: {SCCP: true}", "services.SCCP: 'SCCP': a service name like sip-udp is expected"),
    ("services: {spic-udp: true}", "services.spic-udp: no service is called 'spic-udp'; did you mean sip-udp?"),
    (
        "services: {sip: {judged: true}}",
        "services.sip: no service is called 'sip'; did you mean sip-tcp, sip-tls or sip-udp?",
    ),
    (
        "services: {sip-updd: {port: 5080}}",
        "services.sip-updd: a service of the site's own needs application, transport; or did you mean sip-udp?",
    ),
    (
        "services: {webphone: {application: sip, port: 1}}",
        "services.webphone: a service of the site's own needs transport",
    ),
    (
        "services: {sccp: {port: 0}}",
        "services.sccp.port: 0: a port lies between 1 and 65535, and a range ascends",
    ),
    ("services: {sccp: {port: yes}}", "services.sccp.port: true: a port or a range like 6970-6972 is expected"),
    ("services: {sccp: {transport: sctp}}", "services.sccp.transport: 'sctp': 'tcp' or 'udp' is expected"),
    ("services: {sccp: {tls: maybe}}", "services.sccp.tls: 'maybe': true or false is expected"),
    ("services: {sccp: {judged: 3}}", "services.sccp.judged: 3: true or false is expected"),
    ("services: {sccp: {tls: 'yes'}}", "services.sccp.tls: 'yes': true or false is expected, without quotes"),
    ("services: {sccp: {tls: 1}}", "services.sccp.tls: 1: true or false is expected"),
    ("services: {sccp: {title: []}}", "services.sccp.title: text is expected"),
    ("listeners: [{process: sshd}]", "listeners.0.port: is missing"),
    ("listeners: [{port: 22}]", "listeners.0.port: 22: a port with its transport, like 22/tcp, is expected"),
    (
        "listeners: [{port: 22/sctp}]",
        "listeners.0.port: '22/sctp': a port with its transport, like 22/tcp, is expected",
    ),
    ("listeners: [{port: 0/tcp}]", "listeners.0.port: '0': a port lies between 1 and 65535, and a range ascends"),
    ("listeners: [{port: ssh/tcp}]", "listeners.0.port: 'ssh': a port or a range like 6970-6972 is expected"),
    ("voice_interfaces: [no]", f"voice_interfaces.0: false: {ON_OFF}"),
    ("auditor: no", "auditor: false: 'trusted', 'stranger' or 'none' is expected"),
    ("auditor: outside", "auditor: 'outside': 'trusted', 'stranger' or 'none' is expected"),
    ("vantages: [{name: a, side: trusted}]", "vantages.0.host: is missing"),
    ("vantages: [{name: a, host: b, side: left}]", "vantages.0.side: 'left': 'trusted' or 'stranger' is expected"),
    (
        "vantages: [{name: a, host: b, side: trusted}, {name: a, host: c, side: stranger}]",
        "vantages.1.name: 'a' names two vantages",
    ),
    ("hosts: [pbx1]", "hosts: keys and values are expected"),
    ("hosts: {pbx1: }", "hosts.pbx1: nothing stands here: keys and values are expected"),
    ("hosts: {' ': {}}", "hosts. : ' ': is empty; one line of text is expected"),
    (
        "hosts: {x: {addresses: [192.168.1.0/24]}}",
        "hosts.x.addresses.0: '192.168.1.0/24': an address like 192.168.1.10 or fd00:1::10 is expected",
    ),
    (f"waivers: [{{{WAIVER}, service: sccpp}}]", "waivers.0.service: no service is called 'sccpp'; did you mean sccp?"),
    # A slip of the pen in a key, on every level.
    ("expcted: []", "expcted: unknown key; did you mean expected?"),
    ("services: {sip-udp: {prt: 1}}", "services.sip-udp.prt: unknown key; did you mean port?"),
    ("vantages: [{name: a, host: b, side: trusted, nme: c}]", "vantages.0.nme: unknown key; did you mean name?"),
    ("phones: [{name: a, adress: b}]", "phones.0.adress: unknown key; did you mean address?"),
    ("listeners: [{port: 1/tcp, proces: b}]", "listeners.0.proces: unknown key; did you mean process?"),
    ("hosts: {x: {adresses: []}}", "hosts.x.adresses: unknown key; did you mean addresses?"),
    (
        "hosts: {x: {listeners: [{port: 1/tcp, raeson: x}]}}",
        "hosts.x.listeners.0.raeson: unknown key; did you mean reason?",
    ),
    (f"waivers: [{{{WAIVER}, sevice: sccp}}]", "waivers.0.sevice: unknown key; did you mean service?"),
    ("vantages: [{name: a, host: b, side: trusted, zzz: 1}]", "vantages.0.zzz: unknown key; known: host, name, side"),
    (
        "services: {sccp: {zzz: 1}}",
        "services.sccp.zzz: unknown key; known: application, judged, port, title, tls, transport",
    ),
    ("hosts: {x: {zzz: 1}}", "hosts.x.zzz: unknown key; known: addresses, behind, expected, listeners, tls_name"),
]


@pytest.mark.parametrize(("line", "told"), MISTAKES)
def test_a_mistake_is_one_line_with_what_was_expected(site_mistakes: SiteMistakes, line: str, told: str) -> None:
    assert site_mistakes(f"{TRUSTED}{line}\n# the rest is right\n") == [f"2: {told}"]


def test_a_file_of_another_kind_says_what_it_holds(site_mistakes: SiteMistakes) -> None:
    assert site_mistakes("") == ["1: the file is empty; keys and values are expected"]
    assert site_mistakes("# later\n") == ["1: the file is empty; keys and values are expected"]
    assert site_mistakes("\n- a\n") == ["2: a list stands here; keys and values are expected"]
    assert site_mistakes("hello\n") == ["1: 'hello' stands here; keys and values are expected"]
    assert site_mistakes("expected: []\n") == ["1: trusted: is missing"]


EVERYTHING_WRONG = """\
trusted: [192.168.1.0/24]
trusted: [10.0.0.0/8]
expected: [sccp, sip-upd]
services:
  sccp: false
  sip-udp: {prt: 5080}
phones:
  - name: SEP1
    address: 8.8.8.8
  - nam: SEP2
vantages:
  - {name: a, host: b, side: left}
  - {name: c, host: d, side: trusted}
  - {name: c, host: e, side: stranger}
waivers:
  - {control: lsn1, host: x, reason: r, owner: o, ticket: t, expires: 2026-13-01}
  - {control: EXP-01, host: x, reason: r, owner: o, ticket: t, expires: 2026-12-31, service: sccpp}
hosts:
  "pbx*":
    expected: [sccpp]
    adresses: []
"""


def test_every_mistake_is_told_at_once_in_the_order_of_lines(site_mistakes: SiteMistakes) -> None:
    assert site_mistakes(EVERYTHING_WRONG) == [
        "2: trusted: stands here a second time; first in line 1",
        "3: expected.0: 'sccp' cannot be expected where `services` drops it",
        "3: expected.1: no service is called 'sip-upd'; did you mean sip-udp?",
        "6: services.sip-udp.prt: unknown key; did you mean port?",
        "9: phones.0.address: SEP1 stands in no trusted network (8.8.8.8): it would be locked out",
        "10: phones.1.name: is missing",
        "10: phones.1.nam: unknown key; did you mean name?",
        "12: vantages.0.side: 'left': 'trusted' or 'stranger' is expected",
        "14: vantages.2.name: 'c' names two vantages",
        "16: waivers.0.control: 'lsn1': a control id like LSN-01 is expected",
        f"16: waivers.0.expires: '2026-13-01': {EXPIRY}",
        "17: waivers.1.service: no service is called 'sccpp'; did you mean sccp?",
        "20: hosts.pbx*.expected.0: no service is called 'sccpp'; did you mean sccp?",
        "21: hosts.pbx*.adresses: unknown key; did you mean addresses?",
    ]


def test_phones_are_not_called_locked_out_while_a_network_is_wrong(site_mistakes: SiteMistakes) -> None:
    told = site_mistakes("trusted: [10.0.0.0/8, 8.8.8.0]\nphones: [{name: a, address: 8.8.8.8}]\n")
    assert told == ["2: phones.0.address: a stands in no trusted network (8.8.8.8): it would be locked out"]
    told = site_mistakes("trusted: [10.0.0.0/8, 8.8.8.8/24]\nphones: [{name: a, address: 8.8.8.8}]\n")
    assert told == ["1: trusted.1: '8.8.8.8/24': the address has host bits set; write 8.8.8.0/24, or 8.8.8.8 alone"]


def test_what_a_file_hides_is_shown_as_escapes(site_mistakes: SiteMistakes) -> None:
    told = site_mistakes(TRUSTED + '"\\e[2J\\u202e": 1\nauditor: "\\u2066\\r\\nfile.yaml:1: all is well"\n')
    assert told[0].startswith("2: \\x1b[2J\\u202e: unknown key; ")
    assert told[1].startswith("3: auditor: '\\u2066\\r\\nfile.yaml:1: all is well': ")
    assert all(line.isprintable() for line in told)


def test_a_long_value_is_cut(site_mistakes: SiteMistakes) -> None:
    (told,) = site_mistakes(f"{TRUSTED}auditor: {'x' * 5000}\n")
    assert told == f"2: auditor: '{'x' * 80}'...: 'trusted', 'stranger' or 'none' is expected"


def test_thousands_of_mistakes_are_told_in_seconds(site_mistakes: SiteMistakes) -> None:
    services = "".join(f"  s{number}: {{prt: 1}}\n" for number in range(5000))
    assert len(site_mistakes(f"{TRUSTED}services:\n{services}")) == 5000
