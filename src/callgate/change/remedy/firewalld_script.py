"""The script of a remedy for firewalld: it adds rules to both configurations, and takes no others away."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from callgate.change.remedy.firewalld_rules import DirectChain, Placed, PlacedDirect

Change = Sequence[Placed | PlacedDirect]
"""What is added, in the order in which it is: chains before their rules, and what lets in before what refuses."""

_BODY: Final = r"""
set -u
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
umask 077
# What was not there before, a line each: rollback takes this away, and nothing else.
added=/etc/callgate/firewalld.added

say() { printf 'callgate: %s\n' "$*"; }
complain() { printf 'callgate: %s\n' "$*" >&2; }
# configured VIEW OPTION ...: ask or change one of firewalld's two configurations.
configured() {
  if [ "$1" = permanent ]; then shift; firewall-cmd --permanent "$@" </dev/null
  else shift; firewall-cmd "$@" </dev/null
  fi
}
# listed VIEW KIND ZONE: what there is, a line each.
listed() {
  case $2 in
    rich) configured "$1" --zone="$3" --list-rich-rules ;;
    chain) configured "$1" --direct --get-all-chains ;;
    rule) configured "$1" --direct --get-all-rules ;;
  esac
}
holds() { printf '%s\n' "$1" | grep -Fxq -e "$2"; }
noted() { [ -f "$added" ] && grep -Fxq -e "$1" "$added"; }
# change add|remove VIEW KIND ZONE RULE ...
change() {
  how=$1 view=$2 kind=$3 zone=$4
  shift 4
  if [ "$kind" = rich ]; then
    for rule; do shift; set -- "$@" "--$how-rich-rule=$rule"; done
    configured "$view" --zone="$zone" "$@" >/dev/null
    return
  fi
  set -f
  for rule; do
    # Words without quotes: split at their spaces.
    configured "$view" --direct "--$how-$kind" $rule >/dev/null || { set +f; return 1; }
  done
  set +f
}
place() { if [ "$2" = rich ]; then echo "zone $3 ($1)"; else echo "direct rules ($1)"; fi; }

# put VIEW KIND ZONE RULE ...: add those that are not there yet.
put() {
  view=$1 kind=$2 zone=$3
  shift 3
  have=$(listed "$view" "$kind" "$zone") || { complain "cannot list the $(place "$view" "$kind" "$zone")"; return 1; }
  given=$#
  for rule; do
    holds "$have" "$rule" && continue
    set -- "$@" "$rule"
    noted "$view $kind $zone $rule" && continue
    mkdir -p /etc/callgate && printf '%s\n' "$view $kind $zone $rule" >>"$added" || return 1
  done
  shift "$given"
  [ "$#" -gt 0 ] || return 0
  if [ "$view" = permanent ]; then
    # What is permanent alone comes to hold at the next reload or boot: rollback takes it from there as well.
    now=$(listed runtime "$kind" "$zone") || now=
    for rule; do
      holds "$now" "$rule" || noted "runtime $kind $zone $rule" ||
        printf '%s\n' "runtime $kind $zone $rule" >>"$added" || return 1
    done
  fi
  if change add "$view" "$kind" "$zone" "$@" && have=$(listed "$view" "$kind" "$zone"); then
    for rule; do
      holds "$have" "$rule" || { complain "firewalld did not take: $rule"; return 1; }
    done
    say "$(place "$view" "$kind" "$zone"): $# added"
  else
    complain "firewalld refused what was to be added to the $(place "$view" "$kind" "$zone")"
    return 1
  fi
}

# take VIEW KIND ZONE RULE ...: take away those that are there.
take() {
  view=$1 kind=$2 zone=$3
  shift 3
  have=$(listed "$view" "$kind" "$zone") || { complain "cannot list the $(place "$view" "$kind" "$zone")"; return 1; }
  given=$#
  for rule; do
    if holds "$have" "$rule"; then set -- "$@" "$rule"; fi
  done
  shift "$given"
  [ "$#" -gt 0 ] || return 0
  change remove "$view" "$kind" "$zone" "$@"
  have=$(listed "$view" "$kind" "$zone") || return 1
  for rule; do
    if holds "$have" "$rule"; then complain "firewalld kept: $rule"; return 1; fi
  done
  say "$(place "$view" "$kind" "$zone"): $# taken away"
}

# Take away what was added, the last of it first: rules of one place together.
backward() {
  here=
  set --
  while read -r place_of kind_of zone_of rule_of; do
    if [ "$place_of $kind_of $zone_of" != "$here" ]; then
      [ -z "$here" ] || take "$@" || return 1
      here="$place_of $kind_of $zone_of"
      set -- "$place_of" "$kind_of" "$zone_of"
    fi
    set -- "$@" "$rule_of"
  done <<LINES
$(sed '1!G;h;$!d' "$added")
LINES
  [ -z "$here" ] || take "$@"
}

# tell VIEW KIND ZONE RULE ...
tell() {
  view=$1 kind=$2 zone=$3
  shift 3
  have=$(listed "$view" "$kind" "$zone") || { complain "cannot list the $(place "$view" "$kind" "$zone")"; return 1; }
  for rule; do
    if holds "$have" "$rule"; then say "there, $(place "$view" "$kind" "$zone"): $rule"
    else
      say "missing, $(place "$view" "$kind" "$zone"): $rule"
      lacking=1
    fi
  done
}

rollback() {
  if [ ! -f "$added" ]; then say "nothing of this remedy was added here"; return 0; fi
  backward || return 1
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
  [ "$(id -u)" = 0 ] || { complain "root is needed"; exit 1; }
  for tool in firewall-cmd grep sed; do
    command -v "$tool" >/dev/null 2>&1 || { complain "$tool is not there"; exit 1; }
  done
  firewall-cmd --state >/dev/null 2>&1 </dev/null || { complain "firewalld does not run"; exit 1; }
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
      forward tell || exit 1
      exit "$lacking" ;;
    *)
      complain "usage: remedy.sh [apply|rollback|status]"
      exit 2 ;;
  esac
}
"""


def script(change: Change, header: str, flows: Iterable[str], *, action: str = "apply") -> str:
    """The script; `header` is a comment, and `flows` are the options of conntrack(8) that end one flow each."""
    return (
        f"#!/bin/sh\n{header}\n{_BODY}\n{_calls('forward', _groups(change))}\n{ending_flows(flows)}\n"
        # Read to the last line before anything is done: a script cut short on its way does nothing.
        f'main "${{1:-{action}}}" </dev/null\n'
    )


def ending_flows(flows: Iterable[str]) -> str:
    """A shell function that ends flows which began before the remedy and would go on."""
    ends = [f'  conntrack -D {flow} >/dev/null 2>&1 </dev/null && say "ended a flow of {flow}"' for flow in flows]
    if not ends:
        return "end_flows() { :; }"
    lacking = (
        '  command -v conntrack >/dev/null 2>&1 || { say "conntrack is not there: strangers\' flows go on"; return 0; }'
    )
    lines = ["end_flows() {", lacking]
    return "\n".join([*lines, *ends, "  return 0", "}"])


_Group = tuple[tuple[str, str, str], list[str]]


def _groups(change: Change) -> list[_Group]:
    return [(head, [str(one.rule) for one in members]) for head, members in groupby(change, _head)]


def _head(one: Placed | PlacedDirect) -> tuple[str, str, str]:
    if isinstance(one, Placed):
        return one.view, "rich", one.zone
    return one.view, "chain" if isinstance(one.rule, DirectChain) else "rule", "-"


def _calls(name: str, groups: Sequence[_Group]) -> str:
    calls = [
        f'  "$1" {shlex.join(head)} \\\n    ' + " \\\n    ".join(map(shlex.quote, rules)) + " || return 1"
        for head, rules in groups
    ]
    return "\n".join([f"{name}() {{", *calls, "  return 0", "}"])
