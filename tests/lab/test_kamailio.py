from __future__ import annotations

from typing import Literal

import pytest

from callgate.errors import LabError
from callgate.lab.certificate import self_signed
from callgate.lab.kamailio import REALM, start_kamailio
from callgate.lab.pytest_fixtures import require, require_tool
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

REGISTER = """
import hashlib, re, socket, sys
server, user, password = sys.argv[1:]
md5 = lambda *parts: hashlib.md5(":".join(parts).encode()).hexdigest()
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(3)
sock.connect((server, 5060))
own = "%s:%d" % sock.getsockname()
def request(method, number, *more):
    lines = [f"{method} sip:{server} SIP/2.0", f"Via: SIP/2.0/UDP {own};rport;branch=z9hG4bK{number}{user}",
             "Max-Forwards: 70", f"From: <sip:{user}@{server}>;tag=1", f"To: <sip:{user}@{server}>",
             f"Call-ID: 1@{own}", f"CSeq: {number} {method}", f"Contact: <sip:{user}@{own}>", "Expires: 60", *more]
    sock.send("\\r\\n".join([*lines, "Content-Length: 0", "", ""]).encode())
    answer = sock.recv(65536).decode()
    print(answer.split("\\r\\n")[0])
    return answer
challenge = request("REGISTER", 1)
realm, nonce = (re.search(f'{name}="([^"]+)"', challenge)[1] for name in ("realm", "nonce"))
response = md5(md5(user, realm, password), nonce, md5("REGISTER", f"sip:{server}"))
request("REGISTER", 2, f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", '
        f'uri="sip:{server}", response="{response}", algorithm=MD5')
request("INVITE", 3)
print(realm)
"""


def statuses(lab: Lab, user: str, password: str) -> list[str]:
    return lab.trusted.run(["python3", "-c", REGISTER, "192.168.1.10", user, password]).stdout.splitlines()


@pytest.mark.parametrize("address", ["192.168.1.10", "fd00:1::10", "203.0.113.10", "2001:db8:66::10"])
def test_options_are_answered_over_udp_and_tcp(pbx_lab: Lab, address: str) -> None:
    for call in ("options-udp", "options-tcp"):
        for client in (pbx_lab.trusted, pbx_lab.stranger):
            dialled = client.dial(call, address, 5060)
            assert dialled.result == "answered"
            assert dialled.answer.startswith(b"SIP/2.0 200 OK\r\n")
            assert b"kamailio" in dialled.answer


def test_a_known_account_registers_and_nobody_else_does(lab: Lab) -> None:
    require_tool("kamailio")
    start_kamailio(lab.pbx, users={"1001": "right-one"})
    refused, challenged = "SIP/2.0 405 Method Not Allowed", "SIP/2.0 401 Unauthorized"
    assert statuses(lab, "1001", "right-one") == [challenged, "SIP/2.0 200 OK", refused, REALM]
    assert statuses(lab, "1001", "wrong-one") == [challenged, challenged, refused, REALM]
    assert statuses(lab, "1002", "right-one") == [challenged, challenged, refused, REALM]


def test_without_accounts_every_register_is_challenged(pbx_lab: Lab) -> None:
    assert statuses(pbx_lab, "1001", "")[:2] == ["SIP/2.0 401 Unauthorized"] * 2


@pytest.mark.parametrize("only", ["udp", "tcp"])
def test_one_transport_on_one_address_and_port(lab: Lab, only: Literal["udp", "tcp"]) -> None:
    require_tool("kamailio")
    start_kamailio(lab.pbx, addresses=("192.168.1.10",), transports=(only,), port=5070)
    shown = [line.split() for line in lab.pbx.run(["ss", "-H", "-tuln"]).stdout.splitlines()]
    assert [(words[0], words[4]) for words in shown] == [(only, "192.168.1.10:5070")]
    assert lab.stranger.dial("options-udp", "192.168.1.10", 5070).result == ("answered" if only == "udp" else "refused")
    assert lab.stranger.dial("options-tcp", "192.168.1.10", 5070).result == ("answered" if only == "tcp" else "refused")


def test_a_stopped_server_can_be_started_again(lab: Lab) -> None:
    require_tool("kamailio")
    for _ in range(2):
        server = start_kamailio(lab.pbx)
        server.stop()
        assert "kamailio" not in lab.pbx.run(["ps", "-eo", "comm"]).stdout
        assert lab.trusted.dial("options-udp", "192.168.1.10", 5060).result == "refused"


def test_an_address_that_is_not_the_hosts_is_reported_with_the_log(lab: Lab) -> None:
    require_tool("kamailio")
    with pytest.raises(LabError, match=r"pbx: kamailio ended with \d+; its log ends: "):
        start_kamailio(lab.pbx, addresses=("198.51.100.1",))


@pytest.mark.parametrize("account", ['1001"', "", "a b", "x" * 65, "1001\n"])
def test_an_account_that_is_no_word_is_refused(lab: Lab, account: str) -> None:
    with pytest.raises(LabError, match="cannot be a lab account"):
        start_kamailio(lab.pbx, users={account: "x"})


def test_tls_is_served_where_the_module_is_installed(lab: Lab) -> None:
    require_tool("kamailio")
    require_tool("openssl")
    found = lab.pbx.run(
        ["sh", "-c", "ls /usr/lib/*/kamailio/modules/tls.so /usr/lib*/kamailio/modules/tls.so"], check=False
    )
    if not found.stdout:
        require("Kamailio's tls module not found (Debian package kamailio-tls-modules)")
    start_kamailio(lab.pbx, certificate=self_signed(lab.directory, "pbx"))
    for address in ("192.168.1.10", "fd00:1::10"):
        assert lab.trusted.dial("options-tls", address, 5061).answer.startswith(b"SIP/2.0 200 OK\r\n")
        assert lab.trusted.dial("options-tcp", address, 5061, timeout=0.3).answer == b""
