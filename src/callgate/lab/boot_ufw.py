"""ufw's part of a boot: ufw-init of this machine's package, with the host's rules as data."""

from __future__ import annotations

import os
import re
from typing import Final

from callgate.errors import NotDetermined
from callgate.lab.boot_steps import Plan, Step, plain_settings

SCRIPTS: Final = ("/lib/ufw/ufw-init", "/usr/lib/ufw/ufw-init", "/usr/libexec/ufw/ufw-init")
_RULES: Final = tuple(f"etc/ufw/{part}{six}.rules" for six in ("", "6") for part in ("before", "user", "after"))
_INIT: Final = ("etc/ufw/before.init", "etc/ufw/after.init")
_DEFAULTS: Final = ("etc/default/ufw", "etc/ufw/default-ufw")
_CONF: Final = "etc/ufw/ufw.conf"
_SETTINGS: Final[dict[str, str]] = {
    # what ufw-init reads, and what the package's own files say
    "ENABLED": "no",
    "IPV6": "yes",
    "DEFAULT_INPUT_POLICY": "DROP",
    "DEFAULT_OUTPUT_POLICY": "ACCEPT",
    "DEFAULT_FORWARD_POLICY": "DROP",
    "MANAGE_BUILTINS": "no",
}
_WORD: Final = re.compile(r"[A-Za-z]{0,16}")


def plan_ufw(plan: Plan) -> None:
    """`ufw-init start`. It reads its two settings files as shell code, so it gets others, made of their plain settings.

    Modules and sysctls that ufw would set are left out, and so are `before.init` and `after.init`: ufw runs these
    where they are executable, and what they do is not determined then. (Give them in the files only in that case.)
    """
    script = next((path for path in SCRIPTS if os.path.exists(path)), None)
    if script is None:
        raise NotDetermined("what ufw loads at boot is not determined here: ufw-init not found (Debian package ufw)")
    plan.program("iptables", "iptables")
    for file in _INIT:
        if file in plan.files:
            raise NotDetermined(f"{file}: is a program that ufw runs at boot: what it does is not determined")
    for file in (_CONF, *_RULES):
        # Each family has its three files, and ufw-init says itself which of them it lacks.
        if file == _CONF and file not in plan.files:
            raise NotDetermined(f"{file}: is not in the evidence: what ufw loads at boot is not determined")
        if file in _RULES and file in plan.files:
            plan.own[file] = plan.files[file]
    found: dict[str, str] = {}
    defaults = next((name for name in _DEFAULTS if name in plan.files), None)
    if defaults is None:
        raise NotDetermined(f"{_DEFAULTS[0]}: is not in the evidence: what ufw loads at boot is not determined")
    for file in (defaults, _CONF):
        found |= plain_settings(plan.files[file], file)
    lines = []
    for name, packaged in _SETTINGS.items():
        value = found.get(name, packaged if name != "ENABLED" else "")
        if not _WORD.fullmatch(value):
            raise NotDetermined(f"ufw's setting {name} is {value[:40]!r}: what that does at boot is not determined")
        lines.append(f"{name}='{value}'\n")
    plan.own["etc/default/ufw"] = "".join(lines) + "IPT_SYSCTL=''\nIPT_MODULES=''\n"
    plan.own[_CONF] = lines[0]
    plan.add(Step("ufw", (script, "start", "quiet"), seconds=20))
