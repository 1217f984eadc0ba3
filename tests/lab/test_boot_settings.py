"""Settings files that boot reads as shell code: what is taken from them is what a shell makes of them."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate.errors import NotDetermined
from callgate.lab.boot_nftables import included
from callgate.lab.boot_steps import plain_settings

FILE = "etc/default/ufw"
SHOW = '\nfor name in A B AB; do eval "printf \'%s=%s\\\\n\' $name \\"\\${$name}\\""; done\n'

lines = st.lists(
    st.one_of(
        st.text("AB=\"'$`;&| #()\\-/.*~1", max_size=14),
        st.builds(
            "{}={}".format, st.sampled_from(["A", "B", "AB", " export A"]), st.text("x\"'$`; #\\~*/.", max_size=8)
        ),
    ),
    max_size=4,
).map("\n".join)


@given(lines)
@settings(max_examples=300, deadline=None)
def test_a_shell_finds_the_same_settings(text: str) -> None:
    try:
        found = plain_settings(text, FILE)
    except NotDetermined:
        return
    # Only what is taken for plain settings is given to a shell, and it finds no program there.
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", text + SHOW],
        capture_output=True,
        encoding="utf-8",
        timeout=10,
        env={"PATH": "/nonexistent", "HOME": "~"},
        cwd="/proc",
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert shown == {name: found.get(name, "") for name in ("A", "B", "AB")}


@pytest.mark.parametrize(
    ("line", "settings_found"),
    [
        ('ENABLED="yes" # on', {"ENABLED": "yes"}),
        ("export IPV6=no", {"IPV6": "no"}),
        ("IPT_MODULES='a b'", {"IPT_MODULES": "a b"}),
        ("A=", {"A": ""}),
        ("  # A=1", {}),
    ],
)
def test_plain_settings_are_read(line: str, settings_found: dict[str, str]) -> None:
    assert plain_settings(line, FILE) == settings_found


@pytest.mark.parametrize(
    "line", ["A=$(id)", "A=`id`", "A=1;id", "A=1 id", "id", ". /etc/x", "A=\\", 'A="$B"', "if true"]
)
def test_shell_code_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(NotDetermined, match=rf"^{FILE}:2: is shell code, which is not run here"):
        plain_settings(f"\n{line}\n", FILE)


def test_what_nft_includes_is_followed() -> None:
    files = {
        "etc/nftables.conf": 'include "/etc/nftables.d/*.nft"; include \\\n "sub/x" # include "/no"\n',
        "etc/nftables.d/a.nft": "table ip a {\n\tinclude 'b/../c'\n}\n",
        "etc/nftables.d/deep/b.nft": 'include "/unseen"\n',
        "etc/sub/x": 'include "../../root/y"\n',
        "etc/c": 'include "/etc/nftables.conf"\nadd element ip a s { "# include" } ; include "./z"\n',
    }
    assert dict(included(files, "etc/nftables.conf")) == {
        "/etc/nftables.d/*.nft": "etc/nftables.conf",
        "/etc/sub/x": "etc/nftables.conf",
        "/root/y": "etc/sub/x",
        "/etc/c": "etc/nftables.d/a.nft",
        "/etc/nftables.conf": "etc/c",
        "/z": "etc/c",
    }
