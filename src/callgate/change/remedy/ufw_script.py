"""The script of a remedy for ufw: rules at the head of its own, and no others taken away."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from callgate.change.remedy.firewalld_script import ending_flows
from callgate.change.remedy.ufw_rules import COMMENT, UfwRule

_BODY: Final = r"""
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
umask 077
# What was not there before, a line each: rollback takes this away, and nothing else.
added=/etc/callgate/ufw.added

say() { printf 'callgate: %s\n' "$*"; }
complain() { printf 'callgate: %s\n' "$*" >&2; }
file_of() { if [ "$1" = 6 ]; then echo /etc/ufw/user6.rules; else echo /etc/ufw/user.rules; fi; }
# lines FAMILY: ufw's rules of a family, in their order.
lines() { sed -n 's/^### tuple ### //p' "$(file_of "$1")"; }
there() { lines "$1" | grep -Fxq -e "$2"; }
# run ROUTE WORD ...: ufw's answer is kept, as it ends with 0 where it does nothing too.
run() {
  if [ "$1" = route ]; then shift; set -- ufw route "$@"; else shift; set -- ufw "$@"; fi
  answer=$("$@" 2>&1 </dev/null)
}

# put FAMILY ROUTE RULE WORDS
put() {
  if there "$1" "$3"; then return 0; fi
  mkdir -p /etc/callgate && printf '%s\n' "$1 $2 $4" >>"$added" || return 1
  # What refuses goes behind the last of ours that let in: nobody who is to stay is shut out in between.
  behind=0
  case $4 in
    deny*) behind=$(lines "$1" | sed -n '/allow.* comment=@COMMENT@$/=' | sed -n '$p') ;;
  esac
  set -f
  if [ "${behind:-0}" -eq 0 ]; then run "$2" prepend $4 comment @WORD@
  else
    count=$(lines "$1" | grep -c .)
    at=$((behind + 1))
    # Rules of IPv6 are counted on from those of IPv4.
    others=0
    if [ "$1" = 6 ]; then others=$(lines 4 | grep -c .); fi
    if [ "$at" -gt "$count" ]; then run "$2" $4 comment @WORD@
    else run "$2" insert "$((others + at))" $4 comment @WORD@
    fi
  fi
  set +f
  there "$1" "$3" || { complain "ufw did not take: $4 (it says: $answer)"; return 1; }
  say "added: ufw $(if [ "$2" = route ]; then echo 'route '; fi)$4"
}

tell() {
  if there "$1" "$3"; then say "there: $4"
  else
    say "missing: $4"
    lacking=1
  fi
}

rollback() {
  if [ ! -f "$added" ]; then say "nothing of this remedy was added here"; return 0; fi
  while read -r family route words; do
    case $words in
      allow\ * | deny\ *) ;;
      *) continue ;;
    esac
    set -f
    run "$route" delete $words || { set +f; complain "ufw kept: $words (it says: $answer)"; return 1; }
    set +f
    say "taken away: $words"
  done <<LINES
$(sed '1!G;h;$!d' "$added")
LINES
  rm -f "$added" && rmdir /etc/callgate 2>/dev/null
  say "rolled back"
}

undo() {
  trap '' HUP INT TERM PIPE
  complain "undoing what was done"
  rollback
  exit 1
}

main() {
  [ "$(id -u)" = 0 ] || { complain "root is needed; nothing was changed"; exit 1; }
  for tool in ufw grep sed; do
    command -v "$tool" >/dev/null 2>&1 || { complain "$tool is not there; nothing was changed"; exit 1; }
  done
  case $(ufw status 2>&1 </dev/null) in
    "Status: active"*) ;;
    *) complain "ufw is not active; nothing was changed"; exit 1 ;;
  esac
  case $1 in
    apply)
      trap undo HUP INT TERM PIPE
      forward put || undo
      trap '' HUP INT TERM PIPE
      end_flows
      say "applied" ;;
    rollback)
      trap '' HUP INT TERM PIPE
      rollback || exit 1 ;;
    status)
      lacking=0
      forward tell
      exit "$lacking" ;;
    *)
      complain "usage: remedy.sh [apply|rollback|status]"
      exit 2 ;;
  esac
}
"""


def script(rules: Sequence[UfwRule], header: str, flows: Iterable[str], *, action: str = "apply") -> str:
    """The script; `rules` in the order in which they are added, `flows` as for firewalld's."""
    calls = [
        f'  "$1" {rule.family} {"route" if rule.forwarded else "host"} \\\n'
        f"    {shlex.quote(rule.tuple)} \\\n    {shlex.quote(rule.words)} || return 1"
        for rule in rules
    ]
    body = _BODY.replace("@COMMENT@", COMMENT.encode().hex()).replace("@WORD@", COMMENT)
    forward = "\n".join(["forward() {", *calls, "  return 0", "}"])
    return f'#!/bin/sh\n{header}\n{body}\n{forward}\n{ending_flows(flows)}\nmain "${{1:-{action}}}" </dev/null\n'
