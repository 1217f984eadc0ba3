"""nftables.service's part of a boot, and what its file includes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from callgate.errors import NotDetermined
from callgate.lab.boot_steps import Plan, Step

FILES: Final = ("etc/nftables.conf", "etc/sysconfig/nftables.conf")
_LISTS: Final = ("/etc/protocols", "/etc/services", "/etc/ethertypes")
"""Where nft(8) finds names of ports and protocols: those of this machine."""
_TOKEN: Final = re.compile(r"\"[^\"]*\"|'[^'\n]*'|#[^\n]*|[\w./@$-]+|\S")


def plan_nftables(plan: Plan) -> None:
    """`nft -f /etc/nftables.conf`, as nftables.service does."""
    file = next((name for name in FILES if name in plan.files), None)
    if file is None:
        raise NotDetermined("nftables.service loads /etc/nftables.conf at boot, and the evidence does not have it")
    plan_nft_file(plan, file)


def plan_nft_file(plan: Plan, file: str) -> None:
    """`nft -f` of a file; raises NotDetermined when what it includes is not below /etc.

    The evidence ends there, and a pattern that finds nothing is no mistake for nft: it would say nothing.
    """
    for path, including in included(plan.files, file):
        outside = not path.startswith("/etc/") and "which is not below /etc"
        if wrong := outside or (any(PurePosixPath(own).match(path) for own in _LISTS) and "the system's own files"):
            raise NotDetermined(f"{including}: includes {path[:120]!r}, {wrong}: what loads is not known")
    plan.add(Step(file, (plan.program("nft", "nftables"), "-f", f"/{file}"), bare=True))


def included(files: Mapping[str, str], first: str) -> Iterator[tuple[str, str]]:
    """The paths and patterns that `first` and what it includes name, each with the file that does.

    Absolute and without `..`: nft(8) takes other names as below /etc, those that begin with a dot as below its own
    directory, which is / at boot.
    """
    waiting, seen = [first], {first}
    while waiting:
        including = waiting.pop()
        for name in _includes(files[including]):
            below = "/" if name.startswith(("./", "../")) else "/etc"
            path = posixpath.normpath(posixpath.join(below, name))
            yield path, including
            for other in files:
                if other not in seen and PurePosixPath(f"/{other}").match(path):
                    seen.add(other)
                    waiting.append(other)


def _includes(text: str) -> Iterator[str]:
    before = ""
    for token in _TOKEN.findall(text.replace("\\\n", " ")):
        if before == "include" and token[0] in "\"'":
            yield token[1:-1]
        before = token
