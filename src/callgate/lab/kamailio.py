"""Kamailio, a real SIP server, on a lab host: a registrar that answers OPTIONS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from callgate.errors import LabError
from callgate.lab.certificate import Certificate
from callgate.lab.host import Call, LabHost
from callgate.lab.service import Service

SIP: Final = 5060
SIP_TLS: Final = 5061
READY_WITHIN: Final = 10.0
"""Seconds until an OPTIONS must be answered (usually 0.3)."""

REALM: Final = "pbx.lab"
_WORD: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

# No database and no DNS: accounts live in a hash table, locations in memory. Calls are out of scope, so that nothing
# here can place one: what is neither OPTIONS nor REGISTER gets 405.
_ROUTES: Final = """
modparam("usrloc", "db_mode", 0)
modparam("htable", "htable", "users=>size=8;")

event_route[htable:mod-init] {
  $sht(users=>-) = "";
%(users)s
}

request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (!sanity_check()) { exit; }
  if (is_method("ACK")) { exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (!is_method("REGISTER")) { sl_send_reply("405", "Method Not Allowed"); exit; }
  if ($au == $null || $sht(users=>$au) == $null
      || !pv_auth_check("%(realm)s", "$sht(users=>$au)", "0", "1")) {
    auth_challenge("%(realm)s", "0");
    exit;
  }
  save("location");
}
"""
_MODULES: Final = ("kex", "corex", "tm", "sl", "pv", "maxfwd", "usrloc", "registrar", "siputils", "sanity")
_MORE_MODULES: Final = ("htable", "auth", "textops")


def start_kamailio(
    host: LabHost,
    *,
    addresses: Sequence[str] | None = None,
    transports: Sequence[Literal["udp", "tcp"]] = ("udp", "tcp"),
    port: int = SIP,
    users: Mapping[str, str] | None = None,
    certificate: Certificate | None = None,
) -> Service:
    """Start Kamailio and wait until it answers OPTIONS with 200 on its first address over each transport.

    It listens on `addresses` (by default all of the host's, and both loopbacks), with `certificate` also on 5061 over
    TLS (Debian package kamailio-tls-modules). REGISTER needs one of `users` (name to password); without any it is
    always challenged. Raises LabError when Kamailio is missing, refuses its configuration or does not answer.
    """
    if not transports:
        raise ValueError("Kamailio needs a transport")
    if addresses is None:
        addresses = ("127.0.0.1", "::1", *(str(own.ip) for all_own in host.addresses.values() for own in all_own))
    directory = host.new_directory("kamailio")
    configuration = directory / "kamailio.cfg"
    configuration.write_text(_configuration(addresses, transports, port, users or {}, certificate), encoding="utf-8")
    run = directory / "run"
    run.mkdir()
    command = ["kamailio", "-f", str(configuration), "-P", str(directory / "pid"), "-w", str(run), "-Y", str(run)]
    service = host.spawn([*command, "-m", "32", "-M", "4", "-E", "-DD"], log=directory / "log", name="kamailio")
    calls: dict[str, Call] = {"udp": "options-udp", "tcp": "options-tcp"}
    waiting = [(calls[transport], port) for transport in transports]
    if certificate is not None:
        waiting.append(("options-tls", SIP_TLS))

    def answers() -> bool:
        while waiting:
            call, at = waiting[0]
            if not host.dial(call, addresses[0], at, timeout=0.3).answer.startswith(b"SIP/2.0 200 "):
                return False
            del waiting[0]
        return True

    service.wait_ready(answers, READY_WITHIN)
    return service


def _configuration(
    addresses: Sequence[str],
    transports: Sequence[str],
    port: int,
    users: Mapping[str, str],
    certificate: Certificate | None,
) -> str:
    bracketed = [f"[{address}]" if ":" in address else address for address in addresses]
    lines = [
        "#!KAMAILIO",
        "debug=2",
        "log_stderror=yes",
        "children=1",
        "tcp_children=1",
        "auto_aliases=no",
        "dns=no",
        "rev_dns=no",
        "use_dns_cache=off",
        f"disable_tcp={'no' if 'tcp' in transports or certificate else 'yes'}",
        *(f"listen={transport}:{address}:{port}" for address in bracketed for transport in transports),
    ]
    if certificate is not None:
        lines += ["enable_tls=yes", *(f"listen=tls:{address}:{SIP_TLS}" for address in bracketed)]
    lines += [f'loadmodule "{module}.so"' for module in (*_MODULES, *_MORE_MODULES)]
    if certificate is not None:
        lines += [
            'loadmodule "tls.so"',
            'modparam("tls", "tls_method", "TLSv1.2+")',
            f'modparam("tls", "certificate", "{certificate.certificate}")',
            f'modparam("tls", "private_key", "{certificate.key}")',
        ]
    for word in (*users.keys(), *users.values()):
        if not _WORD.fullmatch(word):
            raise LabError(f"{word!r} cannot be a lab account: letters, digits, dot, hyphen and underscore only")
    accounts = "\n".join(f'  $sht(users=>{user}) = "{password}";' for user, password in users.items())
    return "\n".join(lines) + _ROUTES % {"users": accounts, "realm": REALM}
