"""Kamailio, a real SIP server, on a lab host: a registrar that answers OPTIONS, and a proxy for calls if asked to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from callgate.lab.certificate import Certificate
from callgate.lab.host import Call, LabHost
from callgate.lab.kamailio_routes import REALM, Routing
from callgate.lab.service import Service

SIP: Final = 5060
SIP_TLS: Final = 5061
READY_WITHIN: Final = 10.0
"""Seconds until an OPTIONS must be answered (usually 0.3)."""

__all__ = ["REALM", "SIP", "SIP_TLS", "start_kamailio"]

_MODULES: Final = ("kex", "corex", "tm", "sl", "pv", "maxfwd", "usrloc", "registrar", "siputils", "sanity")


def start_kamailio(
    host: LabHost,
    *,
    addresses: Sequence[str] | None = None,
    transports: Sequence[Literal["udp", "tcp"]] = ("udp", "tcp"),
    port: int = SIP,
    users: Mapping[str, str] | None = None,
    certificate: Certificate | None = None,
    calls: bool = False,
    extensions: Mapping[str, str] | None = None,
    open_registrar: bool = False,
    reveal_users: bool = False,
    expires: tuple[int, int] | None = None,
    algorithm: Literal["MD5", "SHA-256"] = "MD5",
    qop: bool = False,
) -> Service:
    """Start Kamailio and wait until it answers OPTIONS with 200 on its first address over each transport.

    It listens on `addresses` (by default all of the host's, and both loopbacks), with `certificate` also on 5061 over
    TLS (Debian package kamailio-tls-modules). REGISTER needs one of `users` (name to password); without any it is
    always challenged. With `calls` it relays INVITE between registered users, which needs credentials too (407), and to
    `extensions`; otherwise what is neither OPTIONS nor REGISTER gets 405. `open_registrar` and `reveal_users` are flaws
    for controls to find. `callgate.lab.kamailio_routes.Routing` tells all of these. Raises LabError when Kamailio is
    missing, refuses its configuration or does not answer.
    """
    if not transports:
        raise ValueError("Kamailio needs a transport")
    if addresses is None:
        addresses = ("127.0.0.1", "::1", *(str(own.ip) for all_own in host.addresses.values() for own in all_own))
    directory = host.new_directory("kamailio")
    configuration = directory / "kamailio.cfg"
    routing = Routing(
        users=users or {},
        algorithm=algorithm,
        qop=qop,
        calls=calls,
        extensions=extensions or {},
        open_registrar=open_registrar,
        reveal_users=reveal_users,
        expires=expires,
    )
    configuration.write_text(_configuration(addresses, transports, port, certificate, routing), encoding="utf-8")
    run = directory / "run"
    run.mkdir()
    command = ["kamailio", "-f", str(configuration), "-P", str(directory / "pid"), "-w", str(run), "-Y", str(run)]
    service = host.spawn([*command, "-m", "32", "-M", "4", "-E", "-DD"], log=directory / "log", name="kamailio")
    dials: dict[str, Call] = {"udp": "options-udp", "tcp": "options-tcp"}
    waiting = [(dials[transport], port) for transport in transports]
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
    certificate: Certificate | None,
    routing: Routing,
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
    lines += [f'loadmodule "{module}.so"' for module in (*_MODULES, *routing.modules)]
    if certificate is not None:
        lines += [
            'loadmodule "tls.so"',
            'modparam("tls", "tls_method", "TLSv1.2+")',
            f'modparam("tls", "certificate", "{certificate.certificate}")',
            f'modparam("tls", "private_key", "{certificate.key}")',
        ]
    return "\n".join(lines) + routing.text()
