"""`callgate probe` beside nmap: the same addresses and ports of loopback, one after the other.

Usage: python bench/probe_sweep.py [NETWORK]     (a part of 127.0.0.0/8, default 127.0.0.0/20; needs nmap)

In the network stand call managers of Callgate's own (five plain ones with TLS, one like chan_skinny, one like
chan-sccp), an ssh banner and a listener that says nothing, all on 2000/tcp. Printed for each run: wall and CPU seconds,
the open ports found, and what they are said to be. nmap finds with -sT and names with -sV, the latter asking only what
is open; it has no probe for SCCP. What the call managers log of it shows last. Every run ends within LONGEST seconds.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from xml.etree import ElementTree

LONGEST = 240
LOOPBACK = IPv4Network("127.0.0.0/8")
PORTS = "2000,2443"
Found = dict[tuple[str, int], str]
"""What an open port is said to be, by address and port."""


def main(network: IPv4Network) -> None:
    if not network.subnet_of(LOOPBACK) or not 20 <= network.prefixlen <= 28:
        raise SystemExit(f"{network}: a network of loopback is expected, /20 to /28")
    if shutil.which("nmap") is None:
        raise SystemExit("nmap is not installed")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        hosts = [str(network[number]) for number in (1, 2, 3, 4, 5, 6, 7, 8, 9)]
        logs = {
            "plain": stack.enter_context(call_managers(folder, "plain", hosts[:5], tls=True)),
            "chan-skinny": stack.enter_context(call_managers(folder, "chan-skinny", hosts[5:6])),
            "chan-sccp": stack.enter_context(call_managers(folder, "chan-sccp", hosts[6:7])),
        }
        stack.enter_context(listener(hosts[7], b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"))
        stack.enter_context(listener(hosts[8], b""))
        asked = 2 * (network.num_addresses - 2)
        print(f"{network}: {asked:,} ports asked; open are 7 of SCCP, 5 of SCCP over TLS, 1 of ssh, 1 silent\n")
        print("run                                        wall s   CPU s  open  said to be")
        sweep = ["probe", str(network), "--service", "sccp", "--service", "sccp-tls", "--json", "-q"]
        fastest = ["--rate", "10000", "--at-once", "4000"]
        shown("callgate probe --rate 10000", [sys.executable, "-m", "callgate", *sweep, *fastest], callgate_found)
        shown(
            "callgate probe --rate 1000", [sys.executable, "-m", "callgate", *sweep, "--rate", "1000"], callgate_found
        )
        connect = ["nmap", "-sT", "-n", "-Pn", "--open", "-p", PORTS, "-oX", "-"]
        found = shown("nmap -sT", [*connect, str(network)], nmap_found)
        told = {name: log.stat().st_size for name, log in logs.items()}
        for intensity in range(3):
            versions = ["-sV", "--version-intensity", str(intensity), "--host-timeout", "60s"]
            hosts_open = sorted({address for address, _ in found})
            shown(f"nmap -sV --version-intensity {intensity}, open", [*connect, *versions, *hosts_open], nmap_found)
        print("\nlogged by the call managers while nmap -sV asked:")
        for name, log in logs.items():
            lines = log.read_text()[told[name] :].splitlines()
            kinds = Counter(" ".join(line.split()[:1]) for line in lines)
            print(f"  {name:12} {', '.join(f'{count} {kind}' for kind, count in kinds.items()) or 'nothing'}")


def shown(name: str, command: list[str], read: Callable[[str], Found]) -> Found:
    """Run it, print its row, and return what it found."""
    begun, before = time.perf_counter(), os.times()
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        print(f"{name:42} not done within {LONGEST} s")
        return {}
    seconds, after = time.perf_counter() - begun, os.times()
    if done.returncode:
        raise SystemExit(f"{name}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    found = read(done.stdout)
    words = ", ".join(f"{count} {word}" for word, count in sorted(Counter(found.values()).items()))
    print(f"{name:42} {seconds:6.1f}  {cpu:6.1f}  {len(found):4}  {words}")
    return found


def callgate_found(text: str) -> Found:
    """Open ports as `callgate probe --json` prints them."""
    results = [json.loads(line) for line in text.splitlines()]
    return {(one["address"], one["port"]): one["detected"] or one["answer"] for one in results if one["open"]}


def nmap_found(text: str) -> Found:
    """Open ports of nmap's XML; a name that is only looked up by the port's number has a question mark."""
    found: Found = {}
    for host in ElementTree.fromstring(text).iter("host"):
        address = next(one.attrib["addr"] for one in host.iter("address"))
        for port in host.iter("port"):
            service = port.find("service")
            name = "unknown" if service is None else service.attrib["name"]
            if service is None or service.attrib["method"] != "probed":
                name += "?"
            found[address, int(port.attrib["portid"])] = name
    return found


@contextmanager
def call_managers(folder: Path, profile: str, hosts: list[str], *, tls: bool = False) -> Iterator[Path]:
    """One call manager at 2000/tcp of each address, with `tls` at 2443 too; yields its log."""
    command = [sys.executable, "-m", "callgate.endpoint.call_manager", "--profile", profile]
    command += [word for host in hosts for word in ("--listen", f"{host}:2000")]
    command += ["--device", "SEP001122334455=1001"]
    if tls:
        key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
        made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        made += ["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=bench"]
        subprocess.run(made, capture_output=True, timeout=20, check=True)
        command += ["--certificate", certificate, "--key", key]
        command += [word for host in hosts for word in ("--tls-listen", f"{host}:2443")]
    log = folder / f"{profile}.log"
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT) as process:
        try:
            end = time.monotonic() + 20
            while b"ready " not in log.read_bytes():
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"the call manager does not listen: {log.read_text()[-300:]}")
                time.sleep(0.05)
            yield log
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def listener(host: str, greeting: bytes) -> Iterator[None]:
    """Something else on 2000/tcp: it greets, hears nothing, and closes after a minute or when the peer does."""
    with socket.create_server((host, 2000), backlog=64) as server:
        ended = threading.Event()

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.sendall(greeting)
                connection.settimeout(60)
                while not ended.is_set() and connection.recv(4096):
                    pass

        def accept() -> None:
            while not ended.is_set():
                if select.select([server], [], [], 0.1)[0]:
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield
        finally:
            ended.set()
            acceptor.join(5)


if __name__ == "__main__":
    main(IPv4Network(ip_network(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.0/20")))
