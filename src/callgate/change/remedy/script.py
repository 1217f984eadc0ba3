"""The script of the formats `nft` and `iptables`: what is common to both, around what each does to the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Template
from typing import Final

from callgate.audit.target import Target
from callgate.change.remedy.need import Need
from callgate.change.remedy.recipe import Format, Refused
from callgate.report.visible import one_line

UNIT: Final = "callgate-gate.service"
GATE: Final = "etc/callgate"
_UNIT_FILE: Final = f"etc/systemd/system/{UNIT}"
_WANTED_BY: Final = "multi-user.target"
LINK: Final = f"etc/systemd/system/{_WANTED_BY}.wants/{UNIT}"
_MANAGERS: Final = (
    "netfilter-persistent.service", "nftables.service", "iptables.service", "ip6tables.service", "ufw.service",
    "firewalld.service",
)  # fmt: skip
"""What loads rules at boot, and flushes some when it is restarted or reloaded."""
WRITTEN: Final = "# Written by a Callgate remedy; `rollback` of the same script removes it.\n"
_END: Final = "CALLGATE_END"
_FOUND_SHOWN: Final = 40
_WIDTH: Final = 400

_UNIT_TEXT: Final = Template("""\
# Written by a Callgate remedy; `rollback` of the same script removes it.
[Unit]
Description=Callgate: VoIP services are closed to strangers
Documentation=man:nft(8) man:iptables-restore(8)
DefaultDependencies=no
Requires=local-fs.target
After=local-fs.target systemd-modules-load.service systemd-sysctl.service $managers
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
PartOf=$managers
ReloadPropagatedFrom=$managers

[Service]
Type=oneshot
RemainAfterExit=yes
$commands

[Install]
WantedBy=$wanted
""")

_SCRIPT: Final = Template("""\
#!/bin/sh
$header
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 022
gate=/$gate
stage=/$gate/.new
unit=/$unit_file
link=/$link

say() { printf 'callgate: %s\\n' "$$*"; }
fail() { printf 'callgate: %s\\n' "$$*" >&2; exit 1; }

$functions
write_unit() {
cat <<'$end'
$unit_text$end
}

ready() {
    [ "$$(id -u)" = 0 ] || fail 'this must be run by root; nothing was changed'
    for tool in $tools; do
        command -v "$$tool" >/dev/null 2>&1 || fail "$$tool is not installed; nothing was changed"
    done
}

reload_units() {
    [ -d /run/systemd/system ] || return 0
    systemctl daemon-reload || return 1
}

# Two runs at once would undo each other: the second waits. The lock goes with the process, and leaves nothing.
alone() {
    command -v flock >/dev/null 2>&1 || return 0
    exec 9</etc
    flock -w 60 9 || fail 'another run has not ended; nothing was changed'
}

# What was there before comes back: the gate of an earlier run, or none.
undo() {
    trap '' HUP INT TERM PIPE
    printf 'callgate: undoing what was begun\\n' >&2
    if [ -n "$$earlier" ]; then load "$$gate" >/dev/null; else unload >/dev/null; fi
    rm -rf "$$stage"
    if [ -z "$$earlier" ]; then remove_files; fi
}

broken() { undo; fail "$$1; what was done is undone"; }

remove_files() {
    rm -f "$$link" "$$unit" "$$gate/gate.nft" "$$gate/gate.v4" "$$gate/gate.v6"
    # As `systemctl disable` does it.
    rmdir "$${link%/*}" 2>/dev/null
    rm -rf "$$stage"
    if [ -d "$$gate" ]; then rmdir "$$gate" 2>/dev/null || say "$$gate holds other files, and stays"; fi
    reload_units
}

apply() {
    ready
    alone
    earlier=
    if [ -f "$$unit" ]; then earlier=yes; fi
    for file in $files; do if [ ! -f "$$file" ]; then earlier=; fi; done
    # PIPE is how a lost connection shows where there is no terminal.
    trap 'undo; exit 1' HUP INT TERM PIPE
    rm -rf "$$stage"
    mkdir -p "$$gate" && mkdir "$$stage" && write_gate "$$stage" && write_unit >"$$stage/unit" ||
        broken "$$gate cannot be written"
    say "checking the rules"
    check "$$stage" || broken 'the rules are refused'
    say "$loading"
    load "$$stage" || broken 'the rules do not load'
    if [ -d /etc/systemd/system ] || command -v systemctl >/dev/null 2>&1; then
        say "having them loaded at boot ($$unit)"
        mkdir -p "$${link%/*}" && place_files && mv -f "$$stage/unit" "$$unit" && ln -sfn "$$unit" "$$link" &&
            reload_units || broken 'they cannot be loaded at boot'
        if [ -d /run/systemd/system ]; then
            systemctl start $unit_name || broken 'the unit does not start'
        fi
    else
        place_files || broken "$$gate cannot be written"
        printf 'callgate: there is no systemd here: have %s loaded at boot by other means\\n' "$$gate" >&2
    fi
    rm -rf "$$stage"
    trap '' HUP INT TERM PIPE
    say 'applied'
}

place_files() {
    for file in gate.nft gate.v4 gate.v6; do
        if [ -f "$$stage/$$file" ]; then mv -f "$$stage/$$file" "$$gate/$$file"; else rm -f "$$gate/$$file"; fi ||
            return 1
    done
}

rollback() {
    ready
    alone
    # Half of it would be the gate back after a boot: once begun it goes to its end, whoever listens.
    trap '' HUP INT TERM PIPE
    say "$unloading"
    unload || fail 'the rules cannot be taken out'
    say "removing $$gate and $$unit"
    if [ -d /run/systemd/system ] && [ -f "$$unit" ]; then systemctl stop $unit_name; fi
    remove_files || fail 'some files are still there'
    say 'rolled back'
}

status() {
    ready
    found=0
    if loaded; then say 'the rules are loaded'; else say 'the rules are not loaded'; found=1; fi
    if [ -f "$$unit" ] && [ -L "$$link" ]; then say "$$unit loads them at boot"; else
        say 'nothing loads them at boot'
        found=1
    fi
    return "$$found"
}

main() {
    case "$$1" in
        apply | rollback | status) "$$1" ;;
        *) fail 'usage: sh remedy.sh [apply|rollback|status]' ;;
    esac
}

# Read to the last line before anything is done: a script cut short on its way does nothing.
main "$${1:-apply}" </dev/null
""")


def unit_text(commands: Sequence[str]) -> str:
    """The unit that loads the gate at boot, behind all that loads other rules and before the network is up.

    The managers that flush rules when they are restarted or reloaded take it with them.
    """
    return _UNIT_TEXT.substitute(commands="\n".join(commands), managers=" ".join(_MANAGERS), wanted=_WANTED_BY)


@dataclass(frozen=True, slots=True)
class Work:
    """What one format does, for the script around it."""

    tools: tuple[str, ...]
    files: tuple[str, ...]
    """The files below /etc/callgate, in the order they are loaded in."""
    commands: tuple[str, ...]
    """The unit's lines that load them."""
    functions: str
    """Shell functions: write_gate DIR, check DIR, load DIR, unload, and loaded (a test)."""
    does: tuple[str, ...]
    """In words, for the header."""


def by_shell(command: str) -> str:
    """A command as a unit's line has it (systemd.service(5)), found on the path also by systemd before 239."""
    quoted = command.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    return f'/bin/sh -c "{quoted}"'


def gate_script(target: Target, form: Format, needs: Sequence[Need], work: Work) -> str:
    """The whole script. What comes from evidence stands in comments only, escaped and each on a line of its own."""
    return _SCRIPT.substitute(
        header=header(target, form, needs, work.does),
        gate=GATE,
        unit_file=_UNIT_FILE,
        unit_name=UNIT,
        link=LINK,
        functions=work.functions,
        unit_text=unit_text(work.commands),
        end=_END,
        tools=" ".join(work.tools),
        files=" ".join(f'"$gate/{name}"' for name in work.files),
        loading=f"loading {' and '.join(work.files)} into the kernel",
        unloading="taking the rules out of the kernel",
    )


def files_left(gate: dict[str, str], commands: Sequence[str]) -> dict[str, str]:
    """What stays below /etc, by the bundle's names."""
    return {**{f"{GATE}/{name}": text for name, text in gate.items()}, _UNIT_FILE: unit_text(commands)}


def header(target: Target, form: Format, needs: Iterable[Need], does: Iterable[str]) -> str:
    """Comment lines: the host, what was found, what the script does, and how it is run."""
    found = list(dict.fromkeys(line for need in needs for line in need.found.splitlines() if not _advice(line)))
    more = [f"and {len(found) - _FOUND_SHOWN} more"] if len(found) > _FOUND_SHOWN else []
    lines = [
        f"Callgate remedy for {target.name}, format {form}.",
        "",
        "Found:",
        *(f"  {line}" for line in (*found[:_FOUND_SHOWN], *more)),
        "",
        "Does:",
        *(f"  {line}" for line in does),
        "",
        "Run by root: `sh remedy.sh`, `sh remedy.sh rollback` or `sh remedy.sh status`.",
    ]
    return "\n".join(comment(line) for line in lines)


def _advice(line: str) -> bool:
    return line.startswith("to do: ")


def comment(text: str) -> str:
    """One line of comment, whatever the text holds."""
    indent = " " * (len(text) - len(text.lstrip(" ")))
    return f"# {indent}{one_line(text, _WIDTH)}".rstrip()


def here(name: str, text: str) -> str:
    """A shell function that prints the text as it is. The text's own lines never end it: they are generated."""
    if _END in text.split("\n"):
        raise Refused(f"a line of {name} would be {_END}")
    return f"{name}() {{\ncat <<'{_END}'\n{text}{_END}\n}}\n"
