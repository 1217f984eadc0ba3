"""What a plain client sees at an address; a program, run on a lab host by `LabHost.dial`.

    dial.py connect|keepalive|keepalive-tls|options-udp|options-tcp|options-tls ADDRESS PORT SECONDS

Prints `{"result": ..., "answer": HEX}`. Standard library only, started with `-I -S`.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import sys
import time

KEEPALIVE = bytes.fromhex("04000000 00000000 00000000")
"""An SCCP KeepAlive: length 4, header version 0, message id 0."""
LIMIT = 1 << 16


def dial(call: str, address: str, port: int, seconds: float) -> tuple[str, bytes]:
    """Make one call; returns the result (see `callgate.lab.host.Dialled`) and the answer."""
    deadline = time.monotonic() + seconds
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    transport = socket.SOCK_DGRAM if call == "options-udp" else socket.SOCK_STREAM
    with socket.socket(family, transport) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect((address, port))
        except ConnectionRefusedError:
            return "refused", b""
        except TimeoutError:
            return "unanswered", b""
        except OSError:
            return "unreachable", b""
        if call == "connect":
            return "connected", b""
        try:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            with _unverified_tls(sock) if call.endswith("-tls") else sock as stream:
                stream.sendall(KEEPALIVE if call.startswith("keepalive") else options(stream, call[-3:]))
                return _answer(stream, call, deadline)
        except ConnectionRefusedError:  # UDP: the ICMP error comes with the first read
            return "refused", b""
        except TimeoutError:
            return "unanswered", b""
        except OSError:
            return "closed", b""


def options(sock: socket.socket, transport: str) -> bytes:
    """An OPTIONS request (RFC 3261, section 11) from a connected socket to its peer."""
    own, own_port = sock.getsockname()[:2]
    peer, peer_port = sock.getpeername()[:2]
    own, peer = (f"[{address}]" if ":" in address else address for address in (own, peer))
    lines = (
        f"OPTIONS sip:{peer}:{peer_port} SIP/2.0",
        f"Via: SIP/2.0/{transport.upper()} {own}:{own_port};rport;branch=z9hG4bK{secrets.token_hex(8)}",
        "Max-Forwards: 70",
        f"From: <sip:lab@{own}>;tag={secrets.token_hex(4)}",
        f"To: <sip:{peer}>",
        f"Call-ID: {secrets.token_hex(8)}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii")


def _unverified_tls(sock: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the question is who answers, not who it is
    return context.wrap_socket(sock)


def _answer(stream: socket.socket, call: str, deadline: float) -> tuple[str, bytes]:
    """Read the answer; after a KeepAlive go on for 0.1 s, so that a byte too many shows."""
    answer = b""
    while True:
        stream.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            more = stream.recv(LIMIT - len(answer))
        except TimeoutError:
            return ("answered" if answer else "unanswered"), answer
        answer += more
        if not more or len(answer) >= LIMIT:
            return ("answered" if answer else "closed"), answer
        if call.startswith("options") and b"\r\n\r\n" in answer:
            return "answered", answer
        if call.startswith("keepalive") and len(answer) >= len(KEEPALIVE):
            deadline = min(deadline, time.monotonic() + 0.1)


def main(call: str, address: str, port: str, seconds: str) -> None:
    """Dial, and print what came of it."""
    result, answer = dial(call, address, int(port), float(seconds))
    print(json.dumps({"result": result, "answer": answer.hex()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
