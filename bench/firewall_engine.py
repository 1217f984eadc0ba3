"""The firewall engine beside its own parsing, the kernel's own loader and a BDD package.

Usage: python bench/firewall_engine.py [RULES...]     (default 1000 10000 50000 100000)

For each size and shape of ruleset: reading the dump (with the survey), one question (who reaches 2000/tcp), a second
question on the same policy, peak memory. Peers: `iptables-restore --test` on the same dump (needs iptables and root
or user namespaces) and, for up to 2,000 rules, oxidd building the accepted set of the same rules as a BDD (needs the
oxidd package); both must agree on the number of sources. Then single packets on a policy of 1,000 rules.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

from callgate.evidence.policy import policy_of
from callgate.firewall.question import Question
from callgate.firewall.reach import sources_reaching
from callgate.firewall.trace import Packet

ADDRESS = 192 << 24 | 168 << 16 | 1 << 8 | 10
LINKS = [
    {"ifname": "lo", "flags": ["LOOPBACK", "UP"], "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}]},
    {"ifname": "eth0", "flags": ["UP"], "addr_info": [{"local": "192.168.1.10", "prefixlen": 24}]},
]
SCCP = Question("tcp", (2000, 2000))
BDD_RULES = 2000


def flat(size: int, rng: random.Random) -> tuple[str, dict[str, str]]:
    """One chain, each rule about one source."""
    rules = [f"-A INPUT -s {_source(rng)} -p tcp -m tcp --dport 2000 -j {_verdict(rng)}" for _ in range(size)]
    return _save([], rules), {}


def chains(size: int, rng: random.Random) -> tuple[str, dict[str, str]]:
    """Chains of fifty rules, all of them jumped to."""
    names = [f"c{number}" for number in range(size // 50)]
    rules = [f"-A INPUT -j {name}" for name in names]
    for name in names:
        rules += [f"-A {name} -s {_source(rng)} -p tcp -m tcp --dport 2000 -j {_verdict(rng)}" for _ in range(50)]
    return _save(names, rules), {}


def ipset(size: int, rng: random.Random) -> tuple[str, dict[str, str]]:
    """Three rules and a set."""
    members = "".join(f"add s {_source(rng)}\n" for _ in range(size))
    sets = f"create s hash:ip family inet hashsize 65536 maxelem 1000000\n{members}"
    rules = [
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 2000 -m set --match-set s src -j ACCEPT",
    ]
    return _save([], rules), {"ipset-save.txt": sets}


def _source(rng: random.Random) -> str:
    return ".".join(str(rng.randrange(1, 224)) for _ in range(4))


def _verdict(rng: random.Random) -> str:
    return rng.choice(["ACCEPT", "DROP"])


def _save(names: list[str], rules: list[str]) -> str:
    heads = [
        ":INPUT DROP [0:0]",
        ":FORWARD ACCEPT [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        *(f":{name} - [0:0]" for name in names),
    ]
    return "\n".join(["*filter", *heads, *rules, "COMMIT"]) + "\n"


def timed(call: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def loaded_by_kernel(text: str) -> str:
    """Seconds `iptables-restore --test` takes for the dump, in a namespace of its own."""
    if shutil.which("iptables-restore") is None:
        return "-"
    start = time.perf_counter()
    command = ["unshare", "--net", "iptables-restore", "--test"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    return f"{time.perf_counter() - start:.2f}" if done.returncode == 0 else "-"


def accepted_by_bdd(text: str) -> tuple[str, int | None]:
    """Seconds oxidd takes for the set of sources the flat rules accept, and how many they are."""
    try:
        from oxidd.bdd import BDDManager
    except ImportError:
        return "-", None
    rules = [line.split() for line in text.splitlines() if line.startswith("-A INPUT -s")]
    if len(rules) > BDD_RULES:
        return "-", None
    start = time.perf_counter()
    manager = BDDManager(4_000_000, 1_000_000, 1)
    manager.add_vars(32)
    accepted = manager.false()
    for words in reversed(rules):
        number = int.from_bytes(bytes(int(part) for part in words[3].split(".")), "big")
        source = manager.true()
        for bit in range(31, -1, -1):
            variable = manager.var(bit)
            source = source & (variable if number >> (31 - bit) & 1 else ~variable)
        accepted = accepted | source if words[-1] == "ACCEPT" else accepted & ~source
    count = accepted.sat_count(32)
    return f"{time.perf_counter() - start:.2f}", int(count)


def main(sizes: list[int]) -> None:
    links = json.dumps(LINKS) + "\n"
    print("ruleset    rules  read s  ask s  ask/read  again s  iptables-restore s  oxidd s  peak MB")
    for shape in (flat, chains, ipset):
        for size in sizes:
            text, more = shape(size, random.Random(size))
            files = {"iptables-save.txt": text, "ip-addr.json": links, **more}
            reading, policy = timed(lambda files=files: policy_of(files))
            asking, found = timed(lambda policy=policy: sources_reaching(policy, SCCP, (4,)))
            again, _ = timed(lambda policy=policy: sources_reaching(policy, Question("udp", (5060, 5060)), (4,)))
            peer, count = accepted_by_bdd(text) if shape is flat else ("-", None)
            members = sum(door.surely.size for _, door in found)
            if count is not None and count != members:
                raise SystemExit(f"oxidd counts {count} sources, the engine {members}")
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            kernel = loaded_by_kernel(text) if not more else "-"
            print(
                f"{shape.__name__:8} {size:7} {reading:7.2f} {asking:6.2f} {asking / reading:9.2f} {again:8.2f}"
                f" {kernel:>19} {peer:>8} {memory:8}"
            )
    packets_per_second(links)


def packets_per_second(links: str, count: int = 200_000) -> None:
    rng = random.Random(7)
    text, _ = flat(1000, rng)
    policy = policy_of({"iptables-save.txt": text, "ip-addr.json": links})
    ports = [2000, 2443, 5060, 5061, 22, 80, 443, 8443]
    packets = [
        Packet("eth0", 4, rng.randrange(1 << 24, 223 << 24), ADDRESS, 6, rng.randrange(1024, 65536), rng.choice(ports))
        for _ in range(count)
    ]
    seconds, _ = timed(lambda: [policy.trace(packet) for packet in packets])
    print(f"trace: {count} packets on 1000 rules: {count / seconds:,.0f} packets/s")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1000, 10_000, 50_000, 100_000])
