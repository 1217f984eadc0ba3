"""Dumps no kernel would print: one clear error with the line, and never a hang."""

from __future__ import annotations

import pytest

from callgate.errors import EvidenceError
from callgate.evidence.policy import policy_of

HEAD = "*filter\n:INPUT DROP [0:0]\n"


def deep(levels: int) -> str:
    chains = "".join(f":c{number} - [0:0]\n" for number in range(levels))
    jumps = "".join(f"-A c{number} -j c{number + 1}\n" for number in range(levels - 1))
    return f"{HEAD}{chains}-A INPUT -j c0\n{jumps}COMMIT\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}:a - [0:0]\n:b - [0:0]\n-A INPUT -j a\n-A a -j b\n-A b -j a\nCOMMIT\n",
         "iptables-save.txt:7: closes a circle of jumps: '-A b -j a'"),
        (f"{HEAD}:a - [0:0]\n-A a -j a\nCOMMIT\n", "iptables-save.txt:4: closes a circle of jumps: '-A a -j a'"),
        (deep(10_000), "deep: '-A c"),
        (f"{HEAD}-A INPUT -s 300.1.2.3 -j ACCEPT\nCOMMIT\n", "iptables-save.txt:3: "),
        (f"{HEAD}-A INPUT -s 1.2.3.4 -j ACC\n", "not closed by COMMIT"),
        (f"{HEAD}-A INPUT -s 1.2.3.4/33 -j ACCEPT\nCOMMIT\n", "iptables-save.txt:3: "),
        (f"{HEAD}-A INPUT -p tcp --dport 70000 -j ACCEPT\nCOMMIT\n", "iptables-save.txt:3: "),
    ],
)  # fmt: skip
def test_what_no_kernel_would_load_is_one_line(text: str, said: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        policy_of({"iptables-save.txt": text})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hundred_levels_are_followed() -> None:
    assert policy_of({"iptables-save.txt": deep(100)}).ruleset.base_chains
