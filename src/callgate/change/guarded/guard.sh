# Callgate's guard of a change. It runs on the host, outlives the login that brought it, and rolls back what nobody
# confirms in time. Called as: guard VERB ID [ARGUMENT ...]; each line it says begins with "@guard".
# What it needs to save and restore the firewall stands in firewall.sh, which is put before this.
# One rename decides: "armed" becomes "confirmed", or it becomes "firing"; whoever comes later finds nothing to rename.
# The change's folder, /run/callgate-change-ID, also holds the commands, what they said, a log, and in "saved" what the
# firewall held when the guard was armed. The link /run/callgate-change names the change under way: one at a time.
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
mask=$(umask)
umask 077
verb=$1 id=$2
shift 2
case $id in "" | *[!0-9a-f]*) exit 2 ;; esac
# A profile may have printed something, and not ended its line.
case $verb in watch | run | roll) ;; *) echo ;; esac

say() { printf "@guard %s\n" "$*"; }
log() { printf "%s %s\n" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>"$dir/log"; }
has() { command -v "$1" >/dev/null 2>&1; }
nap() { sleep 0.2 2>/dev/null || sleep 1; }
# The host's clock may be set meanwhile; the seconds since it started go on alike.
now() { { read -r up rest </proc/uptime; } 2>/dev/null && up=${up%%.*}; }
put() { printf "%s\n" "$2" >"$dir/$1.$$" && mv -f "$dir/$1.$$" "$dir/$1"; }
# An empty file finds room where nothing else does.
end() { put ended "$1" || true >"$dir/ended"; }
get() { cat "$dir/$1" 2>/dev/null; }
netns() { readlink /proc/self/ns/net; }
tell() {
  [ -f "$2" ] || return
  tail -c 16384 "$2" | tr -d "\000\r" | sed "s/^/@guard $1 /"
  echo
}

# alive FILE: whether the process that the file names is still one of this change's.
alive() {
  pid=$(get "$1")
  [ -n "$pid" ] && { tr "\000" " " <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q "callgate-change-$id"
}

locate() {
  for base in /run /var/run /tmp; do
    dir=$base/callgate-change-$id
    lock=$base/callgate-change
    if [ -d "$dir" ] && [ ! -L "$dir" ] && [ -O "$dir" ]; then return; fi
  done
  say "state gone"
  boot
  say end
  exit
}

boot() {
  say "boot $(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
  say "machine $(head -c 64 /etc/machine-id 2>/dev/null | tr -dc "0-9a-f")"
}

state() {
  if [ -s "$dir/ended" ]; then get ended
  elif [ -e "$dir/ended" ]; then echo failed
  elif [ -e "$dir/confirmed" ]; then echo confirmed
  elif [ -e "$dir/firing" ]; then echo rolling-back
  elif [ -e "$dir/armed" ]; then echo armed
  elif [ -e "$dir/refused" ]; then echo refused
  else echo arming
  fi
}

report() {
  say "state $(state)"
  say "folder $dir"
  boot
  if alive watchdog; then say "watchdog alive"; else say "watchdog dead"; fi
  now
  deadline=$(get deadline)
  [ -z "$deadline" ] || say "remaining $((deadline - up))"
  for file in reason refused apply.code rollback.code; do
    [ ! -e "$dir/$file" ] || say "$file $(get "$file")"
  done
  [ ! -e "$dir/begun" ] || say "begun yes"
  tell note "$dir/notes"
  tell log "$dir/log"
  tell apply.out "$dir/apply.out"
  tell rollback.out "$dir/rollback.out"
  say end
}

# until_is SECONDS FILE ...: waits until one of the files is there.
until_is() {
  now
  last=$((up + $1))
  shift
  while now && [ "$up" -le "$last" ]; do
    for file; do [ ! -e "$dir/$file" ] || return 0; done
    nap
  done
  return 1
}

# detach WAY VERB: runs a verb of this guard apart from the login. Where systemd keeps the processes of logins, it may
# end them all with the login (KillUserProcesses in logind.conf(5)), so a unit of its own is asked for.
detach() {
  if [ "$1" = systemd ]; then
    systemd-run --quiet --unit="callgate-change-$id-$2" -p KillMode=process --setenv=PATH="$PATH" \
      --setenv=HOME="${HOME:-/}" sh "$dir/guard" "$2" "$id" </dev/null >/dev/null 2>>"$dir/log"
  else
    setsid sh "$dir/guard" "$2" "$id" </dev/null >/dev/null 2>>"$dir/log" 3>&- &
  fi
}

# end_session SID: ends every process of a session, also those that left its process group.
end_session() {
  sid=$1
  for signal in TERM KILL KILL KILL; do
    found=
    for stat in /proc/[0-9]*/stat; do
      { read -r line <"$stat"; } 2>/dev/null || continue
      set -- ${line##*) }
      if [ "${4:-}" = "$sid" ] && [ "$1" != Z ]; then
        process=${stat%/stat}
        kill -s "$signal" "${process#/proc/}" 2>/dev/null && found=yes
      fi
    done
    [ -n "$found" ] || return 0
    nap
  done
  log "processes of session $sid could not be ended"
}

# limited SECONDS NAME: runs the command in a session of its own; its exit code, or 124 when it was ended.
limited() {
  # What runs on may keep its output: it is read to its end, and the beginning kept.
  mkfifo "$dir/$2.pipe" || return
  { head -c 65536; cat >/dev/null; } <"$dir/$2.pipe" >"$dir/$2.out" 2>/dev/null &
  (
    cd "$(get cwd)" 2>/dev/null || cd /
    # The check comes after the number is written: who rolls back renames first, and reads the number then.
    umask "$(get umask)"
    setsid sh -c "printf \"%s\n\" \$\$ >\"\$1.pid\"; [ -e \"\$2\" ] || exit 125; exec sh \"\$1\"" sh "$dir/$2" "$dir/$3" \
      </dev/null >"$dir/$2.pipe" 2>&1 9<&-
    code=$?
    umask 077
    put "$2.rc" "$code"
  ) &
  until_is "$1" "$2.rc"
  code=$(get "$2.rc")
  if [ -z "$code" ]; then
    log "the $2 command did not end within $1 s and is ended"
    end_session "$(get "$2.pid")"
    code=124
  fi
  log "the $2 command ended with $code"
  put "$2.code" "$code"
  return "$code"
}

claim() { mv "$dir/armed" "$dir/firing" 2>/dev/null && rm -f "$dir/reserve" && put reason "$1" && log "rolling back: $1"; }

# reserve BYTES: keeps room for the way back, should the change fill the file system.
reserve() { head -c "$1" /dev/zero >"$dir/reserve" 2>/dev/null && [ "$(wc -c <"$dir/reserve")" -ge "$1" ]; }

# keep: what the way back needs, in one file that stays open when the folder is removed. Each line begins with its file.
keep() {
  for file in $KEPT; do
    [ ! -f "$dir/$file" ] || sed "s|^|$file:|" "$dir/$file" || return
  done >"$dir/kept"
  exec 9<"$dir/kept" && rm -f "$dir/kept"
}
KEPT="guard limit rollback cwd umask netns way notes saved/state saved/tables saved/no-nft saved/owned saved/natives.nft
  saved/iptables-nft saved/ip6tables-nft saved/iptables-legacy saved/ip6tables-legacy saved/ipset
  saved/sysctl"

# recover: makes the folder anew that somebody removed, with the change to be rolled back.
recover() {
  mkdir -m 0700 "$dir" 2>/dev/null || { [ -d "$dir" ] && [ ! -L "$dir" ] && [ -O "$dir" ]; } || dir=$(mktemp -d) || return
  mkdir -p "$dir/saved" "$dir/begun"
  for file in $KEPT; do
    [ -e "$dir/$file" ] || sed -n "s|^$file:||p" "/proc/$$/fd/9" >"$dir/$file"
  done
  [ -s "$dir/saved/no-nft" ] || rm -f "$dir/saved/no-nft"
  put watchdog "$$"
  ln -sn "$dir" "$lock" 2>/dev/null
  put reason "what the guard keeps on the host was removed"
  log "the guard's folder was removed; it is made anew, to roll back"
  for cmdline in /proc/[0-9]*/cmdline; do
    case $({ tr "\000" " " <"$cmdline"; } 2>/dev/null) in
      "sh $dir/apply "* | "sh $dir/guard run "*)
        process=${cmdline%/cmdline}
        end_session "${process#/proc/}"
        ;;
    esac
  done
  true >"$dir/firing"
}

# roll_back: done by one process at a time; by another when that one was killed.
roll_back() {
  turn=1
  while ! mkdir "$dir/roller$turn" 2>/dev/null; do
    [ -e "$dir/roller$turn/pid" ] || sleep 1
    if alive "roller$turn/pid"; then return; fi
    turn=$((turn + 1))
    if [ "$turn" -gt 5 ]; then end failed; return; fi
  done
  put "roller$turn/pid" "$$"
  if [ ! -e "$dir/begun" ]; then
    log "the change was never applied"
    end not-applied
    return
  fi
  runner=$(get begun/pid)
  if [ -n "$runner" ] && [ "$runner" != "$$" ] && alive begun/pid; then end_session "$runner"; fi
  if [ -e "$dir/apply.pid" ]; then end_session "$(get apply.pid)"; fi
  rm -f "$dir/rollback.pipe" "$dir/rollback.rc" "$dir/rollback.pid"
  log "the rollback command begins"
  limited "$limit" rollback firing
  if ! save "$dir/now"; then log "what the firewall holds cannot be read: $(head -c 500 "$dir/now/why" | tr "\n\t" "  ")"
  elif cmp -s "$dir/saved/state" "$dir/now/state"; then
    log "the firewall holds what it held"
    end rolled-back
    return
  else log "the firewall does not hold what it held: restoring what was saved"
  fi
  restore "$dir/saved" "$dir/now"
  if save "$dir/now" && cmp -s "$dir/saved/state" "$dir/now/state"; then
    log "the firewall holds what it held"
    end restored
  else
    log "the firewall holds something else than it held"
    end differs
  fi
}

refuse() {
  rm -f "$dir/reserve"
  printf "%s\n" "$1" | tr "\n\r\t" "   " >"$dir/refused.$$"
  mv -f "$dir/refused.$$" "$dir/refused"
  [ "$(readlink "$lock")" != "$dir" ] || rm -f "$lock"
  exit
}

arm() { # CONFIRM-WITHIN LIMIT APPLY ROLLBACK BYTES-OF-APPLY BYTES-OF-ROLLBACK
  # A login shell that takes "\\" for "\" would have changed them on their way.
  if [ "$(printf "%s" "$3" | wc -c)" -ne "$5" ] || [ "$(printf "%s" "$4" | wc -c)" -ne "$6" ]; then
    say "state refused"; say "refused the login shell changes the commands on their way"; say end; exit
  fi
  for tool in setsid mkfifo readlink cmp head tail tr sed grep sort date wc; do
    has "$tool" || { say "state refused"; say "refused the host has no $tool"; say end; exit; }
  done
  if ! now; then say "state refused"; say "refused the host has no /proc/uptime"; say end; exit; fi
  for base in /run /var/run /tmp; do
    dir=$base/callgate-change-$id
    lock=$base/callgate-change
    [ -w "$base" ] && mkdir -m 0700 "$dir" 2>/dev/null && break
    dir=
  done
  if [ -z "$dir" ]; then say "state refused"; say "refused no folder can be made in /run or /tmp"; say end; exit; fi
  if ! {
    reserve 262144 && printf "%s\n" "$guard" >"$dir/guard" && printf "%s\n" "$1" >"$dir/confirm-within" &&
      printf "%s\n" "$2" >"$dir/limit" && printf "%s\n" "$3" >"$dir/apply" && printf "%s\n" "$4" >"$dir/rollback" &&
      printf "%s\n" "$mask" >"$dir/umask" && pwd >"$dir/cwd" && netns >"$dir/netns" && true >"$dir/arming"
  } 2>/dev/null; then
    rm -rf "$dir"
    say "state refused"; say "refused there is no room in $base"; say end; exit
  fi
  way=session
  if [ -d /run/systemd/system ] && has systemd-run && [ "$(id -u)" = 0 ] && detach systemd watch && until_is 3 watched; then
    way=systemd
  fi
  put way "$way"
  [ "$way" = systemd ] || detach session watch
  # Past that time nobody would know that it is armed.
  until_is 40 armed refused || mv "$dir/arming" "$dir/abandoned" 2>/dev/null
  [ -e "$dir/armed" ] || [ -e "$dir/refused" ] || put refused "the timer did not start: $(tail -n 1 "$dir/log" 2>/dev/null)"
  report
  [ -e "$dir/armed" ] || rm -rf "$dir"
}

watch() {
  # Another network namespace is another firewall.
  [ "$(netns)" = "$(get netns)" ] || exit
  mkdir "$dir/watched" 2>/dev/null || exit
  put watchdog "$$"
  if ! ln -sn "$dir" "$lock" 2>/dev/null; then
    refuse "another guarded change is under way on this host: $(readlink "$lock" || echo "$lock is there")"
  fi
  save "$dir/saved" || refuse "what the firewall holds cannot be saved: $(head -c 500 "$dir/saved/why" 2>/dev/null | tr "\n\t" "  ")"
  check "$dir/saved" || refuse "what the firewall holds would not load again: $(head -c 500 "$dir/saved/why" | tr "\n\t" "  ")"
  [ ! -s "$dir/saved/mixed" ] || refuse "what the firewall holds cannot be saved: $(head -c 500 "$dir/saved/mixed")"
  while read -r family name; do
    echo "table $family $name belongs to a running program: it alone can change it, and only the rollback command can restore it"
  done <"$dir/saved/owned" >"$dir/notes"
  size=$(cat "$dir"/saved/* | wc -c)
  { keep && reserve "$((262144 + 3 * size))"; } || refuse "there is no room in ${dir%/*} for what the firewall holds"
  now
  put deadline "$((up + $(get confirm-within)))"
  log "armed: process $$ rolls back unless it is confirmed within $(get confirm-within) s"
  if mv "$dir/arming" "$dir/armed"; then
    while [ ! -e "$dir/ended" ]; do
      # Whoever decides renames "armed": where it is gone and no other name is there, the folder is.
      if [ -e "$dir/armed" ]; then
        now
        read -r deadline <"$dir/deadline" || deadline=0
        [ "$up" -lt "$deadline" ] || claim "nobody confirmed the change in time"
      elif [ -e "$dir/confirmed" ]; then
        end confirmed
        break
      elif [ -e "$dir/firing" ]; then roll_back
      else recover || break
      fi
      [ -e "$dir/ended" ] || sleep 0.5 2>/dev/null || sleep 1
    done
    log "the timer ends: $(get ended)"
  fi
  [ "$(readlink "$lock")" != "$dir" ] || rm -f "$lock"
}

run() {
  mkdir "$dir/begun" 2>/dev/null || exit
  put begun/pid "$$"
  [ -e "$dir/armed" ] || exit
  now
  put deadline "$((up + limit + $(get confirm-within) + 5))"
  log "the apply command begins"
  if limited "$limit" apply armed; then
    now
    put deadline "$((up + $(get confirm-within)))"
  elif [ "$code" = 124 ]; then claim "the apply command did not end within $limit s"
  else claim "the apply command ended with $code"
  fi
  [ ! -e "$dir/firing" ] || alive watchdog || roll_back
}

if [ "$verb" = arm ]; then
  arm "$@"
  exit
fi
locate
limit=$(get limit)
case $verb in
  watch) watch ;;
  run) run ;;
  roll) roll_back ;;
  apply)
    if [ -e "$dir/armed" ] && [ ! -e "$dir/begun" ]; then
      detach "$(get way)" run
      until_is "$((limit + 5))" apply.code ended
    fi
    report ;;
  confirm)
    # Only what was applied whole is confirmed.
    if [ "$(get apply.code)" = 0 ] && mv "$dir/armed" "$dir/confirmed" 2>/dev/null; then
      log "confirmed"
      if alive watchdog; then until_is 5 ended
      else
        end confirmed
        [ "$(readlink "$lock")" != "$dir" ] || rm -f "$lock"
      fi
    fi
    report ;;
  fire)
    claim "asked to"
    # The timer does it, or, when it was killed, a process like it.
    if [ -e "$dir/firing" ] && ! alive watchdog; then detach "$(get way)" roll; fi
    until_is "${1:-1}" ended
    report ;;
  wait)
    until_is "${1:-1}" ended
    report ;;
  clear)
    # What never was armed and has no timer any more can go too.
    if [ -e "$dir/ended" ] || { [ "$(state)" = arming ] && ! alive watchdog; }; then
      now
      last=$((up + 5))
      while alive watchdog && now && [ "$up" -lt "$last" ]; do nap; done
      # It would take the folder's end for somebody's misdeed.
      if alive watchdog; then report; exit; fi
      [ "$(readlink "$lock")" != "$dir" ] || rm -f "$lock"
      rm -rf "$dir"
      say "state cleared"
      say end
    else report
    fi ;;
esac
