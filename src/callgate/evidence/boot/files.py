"""The boot files of a bundle: what is there, what is surely not, and what could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from callgate.errors import EvidenceError
from callgate.evidence.bundle import Bundle

FOLDERS_LIST: Final = "boot-folders.txt"
_TOLD_BY: Final = re.compile(
    r"boot-(units|links|folders)\.txt"
    r"|etc/(iptables|nftables|nftables\.d|ufw|firewalld|csf|callgate)/.*|etc/nftables\.conf|etc/default/ufw"
    r"|etc/sysconfig/(ip6?tables|ipset|nftables\.conf)"
)
_FOUND_BY_HAND: Final = "etc/ufw/default-ufw"
"""/etc/default/ufw in bundles of older hand."""


class BootFiles:
    """Texts of files below /etc, by path like `etc/iptables/rules.v4`.

    With a manifest, a file that is neither there nor known to be absent raises EvidenceError when it is asked for.
    A bundle made by hand has what it has.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def told(self) -> bool:
        """Whether the bundle says anything about booting; one with a manifest has to."""
        return not self.bundle.by_hand or any(_TOLD_BY.fullmatch(name) for name in self.bundle.names())

    def text(self, path: str) -> str | None:
        """The text of a file; None where the host has none. Bytes that are not UTF-8 are shown as `\\xNN`."""
        bundle = self.bundle
        if bundle.absent(path):
            return None
        if bundle.by_hand and path not in bundle:
            if path == "etc/default/ufw" and _FOUND_BY_HAND in bundle:
                return self._decoded(_FOUND_BY_HAND)
            return None
        return self._decoded(path)

    def texts(self, paths: Iterable[str]) -> dict[str, str]:
        """Those of the files that are there."""
        return {path: text for path in paths if (text := self.text(path)) is not None}

    def below(self, folder: str) -> dict[str, str]:
        """Every file below a folder like `etc/nftables`, as far as the collector looks."""
        if self.bundle.by_hand and FOLDERS_LIST not in self.bundle:
            return self.texts(name for name in self.bundle.names() if name.startswith(f"{folder}/"))
        return self.texts(path.lstrip("/") for path in self._listed(f"/{folder}"))

    def _listed(self, folder: str) -> list[str]:
        found: list[str] = []
        state = ""
        for number, line in enumerate(self.bundle.text(FOLDERS_LIST).splitlines(), 1):
            kind, _, path = line.partition(" ")
            if kind not in ("folder", "file", "absent", "refused", "more") or not path.startswith("/etc/"):
                raise EvidenceError(FOLDERS_LIST, f"is not understood: {line[:80]!r}", number)
            if kind == "file" and path.startswith(f"{folder}/"):
                found.append(path)
            elif path == folder:
                state = kind if state != "more" else state
        match state:
            case "folder" | "absent":
                return found
            case "refused":
                raise EvidenceError(folder.lstrip("/"), "was not to be read: collect as root")
            case "more":
                raise EvidenceError(folder.lstrip("/"), "holds more files than are collected")
            case _:
                raise EvidenceError(FOLDERS_LIST, f"does not tell of {folder}")

    def _decoded(self, path: str) -> str:
        # Files of people need not end with a newline, as the output of tools does: the manifest's sum tells.
        data = self.bundle.read(path)
        if b"\0" in data:
            raise EvidenceError(path, "holds NUL bytes: not a text")
        return data.decode("utf-8", "backslashreplace")
