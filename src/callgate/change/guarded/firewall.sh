# What a Linux firewall holds, saved into a folder and restored from there: tables of nft and of iptables (kept by
# nf_tables or the legacy way), ipsets, and the switches of the kernel that count. Functions for guard.sh, whose folder
# of scratch files is "$dir", and which logs.

# xt TOOL WAY VERB: the program that saves or restores the tables of iptables or ip6tables, kept by nft or legacy.
xt() {
  program=$1-$2-$3
  has "$program" && return
  program=$1-$3
  has "$program" || return 1
  case $($program -V 2>/dev/null) in *nf_tables*) [ "$2" = nft ] ;; *) [ "$2" = legacy ] ;; esac
}

tables_of() { sed -n "s/^\*//p" "$1"; }

# save FOLDER: what the firewall holds, to be restored and ("state") to be compared. Says in "why" what it cannot save,
# and in "mixed" what it saved as something else.
save() {
  rm -rf "$1"
  mkdir "$1" || return
  why=$1/why
  true >"$1/tables"
  true >"$1/owned"
  true >"$1/natives.nft"
  true >"$1/plain"
  true >"$1/mixed"
  true >"$1/compatible"
  true >"$1/state"
  if has nft; then nft list tables >"$1/tables" 2>"$why" || return; else echo yes >"$1/no-nft"; fi
  for tool in iptables ip6tables; do
    family=ip names=/proc/net/ip_tables_names
    if [ "$tool" = ip6tables ]; then family=ip6 names=/proc/net/ip6_tables_names; fi
    true >"$1/$tool-nft"
    true >"$1/$tool-nft.all"
    true >"$1/$tool-legacy"
    if xt "$tool" nft save && ! "$program" -c >"$1/$tool-nft.all" 2>"$why"; then
      if [ -e "$1/no-nft" ] || grep -q "^table $family " "$1/tables"; then return 1; fi
      true >"$1/$tool-nft.all"
    fi
    # The legacy tools may load modules: asked only where the kernel lists tables of theirs.
    if [ -n "$(cat "$names" 2>/dev/null)" ]; then
      if ! xt "$tool" legacy save; then echo "$tool: legacy tables, and no tool that saves them" >"$why"; return 1; fi
      "$program" -c >"$1/$tool-legacy" 2>"$why" || return
    fi
    [ ! -e "$1/no-nft" ] || cp "$1/$tool-nft.all" "$1/$tool-nft"
  done
  number=0
  while read -r word family name; do
    nft list table "$family" "$name" >"$1/table" 2>"$why" || return
    if ! nft -j list table "$family" "$name" >"$1/json" 2>/dev/null; then
      # Without JSON support: what nft makes of a match of iptables may look like a set of its own.
      sed -e "s/\"[^\"]*\"//g" -e "s/[{] *\$//" -e "s/[{]/\"set\":/" "$1/table" >"$1/json"
    fi
    if managed "$1" "$family" "$name"; then
      echo "table $family $name" >>"$1/compatible"
      if ! by_nft "$1"; then
        sed -n "/^\*$name\$/,/^COMMIT\$/p" "$1/$tool-nft.all" >>"$1/$tool-nft"
        continue
      fi
    fi
    if by_iptables "$1"; then
      # nft shows what iptables' own matches mean, at best: read back, they would be other rules.
      echo "table $family $name mixes rules of iptables with what is nft's own: nothing can save it whole" >>"$1/mixed"
      cat "$1/table" >>"$1/state"
      continue
    fi
    number=$((number + 1))
    nft -s list table "$family" "$name" >"$1/plain.$number" 2>"$why" || return
    printf "%s %s %s\n" "$family" "$name" "$number" >>"$1/plain"
    if grep -Eq "^[[:space:]]flags .*owner" "$1/table"; then
      printf "%s %s\n" "$family" "$name" >>"$1/owned"
    else
      printf "add table %s %s\ndelete table %s %s\n" "$family" "$name" "$family" "$name" >>"$1/natives.nft"
      cat "$1/table" >>"$1/natives.nft"
    fi
  done <"$1/tables"
  # A table that was made anew is listed last: that alone is no difference.
  sort "$1/plain" | while read -r family name number; do cat "$1/plain.$number"; done >>"$1/state"
  for tool in iptables ip6tables; do
    for way in nft legacy; do
      echo "$tool $way" >>"$1/state"
      # A table with no rules lets everything pass, and may be impossible to remove: it counts as none.
      sed -e "/^#/d" -e "s/^\[[0-9]*:[0-9]*\] //" -e "/^:/s/ \[[0-9]*:[0-9]*\]\$//" "$1/$tool-$way" |
        sed -En -e "/^\*/{h;d;}" -e "H" -e "/^COMMIT/{x;/\n-A|\n:[^ ]* [^A]/p;}" >>"$1/state"
    done
  done
  true >"$1/ipset"
  if [ -e /sys/module/ip_set ] && has ipset; then ipset save >"$1/ipset" 2>"$why" || return; fi
  plain_sets <"$1/ipset" | sort >>"$1/state"
  sysctls >"$1/sysctl"
  cat "$1/sysctl" >>"$1/state"
  rm -f "$why"
}

# managed FOLDER FAMILY NAME: whether iptables can save and restore the whole of a table of nf_tables; sets "tool".
managed() {
  case $2 in ip) tool=iptables ;; ip6) tool=ip6tables ;; *) return 1 ;; esac
  grep -qxF "*$3" "$1/$tool-nft.all" || return
  ! grep -q "^# Table .$3. .*incompatible" "$1/$tool-nft.all" &&
    ! grep -Eq "^[[:space:]](set|map|flowtable|counter|quota|limit|ct|secmark|synproxy|tunnel) .*[{]" "$1/table"
}

# by_nft FOLDER: whether a table that iptables says it can save holds what only nft makes. iptables-save leaves out what
# it does not understand: of "ip saddr { 192.0.2.1 } accept" it makes "-j ACCEPT". The rules of iptables all count.
by_nft() {
  sed "s/\\\\.//g" "$1/json" | grep -Eq "\"(set|map|vmap|concat)\":|\"mangle\": [{]\"key\": [{]\"payload\"|\
addr\"[}][}], \"right\": [{]\"range\"" || sed "s/\"[^\"]*\"//g" "$1/table" |
    grep "^		[^	]" | grep -Evq "^		(type|policy|comment|flags) ?|(^|[[:space:]])counter packets "
}

# by_iptables FOLDER: whether a table holds matches or targets of iptables' own.
by_iptables() {
  grep -q "managed by iptables-nft" "$1/why" || sed "s/\\\\.//g" "$1/json" | grep -q "\"xt\":" ||
    sed "s/\"[^\"]*\"//g" "$1/table" | grep -Eq "(^|[[:space:]])xt (match|target) |managed by iptables-nft|# xt_"
}

# The seed and the size of a set's hash, and what time and traffic change, are not what it means.
plain_sets() {
  sed -e "/^create /s/ initval [^ ]*//" -e "/^create /s/ hashsize [0-9]*//" \
    -e "/^add /s/ timeout [0-9]*//" -e "/^add /s/ packets [0-9]* bytes [0-9]*//"
}

sysctls() {
  (
    cd /proc/sys || exit
    for key in net/ipv4/ip_forward net/ipv6/bindv6only net/netfilter/nf_conntrack_tcp_loose net/ipv4/conf/*/rp_filter \
      net/ipv4/conf/*/route_localnet net/ipv4/conf/*/accept_local net/ipv4/conf/*/forwarding net/ipv6/conf/*/forwarding; do
      if value=$(cat "$key" 2>/dev/null); then printf "%s %s\n" "$key" "$value"; fi
    done
  )
}

# check FOLDER: whether what was saved would load; says in "why" what would not.
check() {
  if [ -s "$1/natives.nft" ]; then nft -c -f "$1/natives.nft" >"$1/why" 2>&1 || return; fi
  for tool in iptables ip6tables; do
    for way in nft legacy; do
      [ -s "$1/$tool-$way" ] || continue
      if ! xt "$tool" "$way" restore; then echo "$tool: no tool that restores its $way tables" >"$1/why"; return 1; fi
      "$program" --test <"$1/$tool-$way" >"$1/why" 2>&1 || return
    done
  done
}

# step WORDS COMMAND ...: one step of restoring, and what it said in the log.
step() {
  words=$1
  shift
  if complaint=$("$@" 2>&1); then log "$words: done"; return 0; fi
  log "$words: failed: $(printf "%s" "$complaint" | head -c 500 | tr "\n\t" "  ")"
  return 1
}

# restore SAVED NOW: brings back what was saved. First what was there, then away with what was not: the rules of both
# stand together for a moment, and never none.
restore() {
  if [ -s "$1/natives.nft" ] && ! step "restoring the tables of nft" nft -f "$1/natives.nft"; then
    # One that cannot be (its interface is gone) must not keep the others from it.
    while read -r word what family name rest; do
      [ "$word $what" = "add table" ] && [ -z "$rest" ] || continue
      sed -n "/^add table $family $name\$/,/^}\$/p" "$1/natives.nft" >"$dir/table.nft"
      step "restoring table $family $name" nft -f "$dir/table.nft"
    done <"$1/natives.nft"
  fi
  if [ -e /sys/module/ip_set ] && has ipset; then restore_sets "$1" "$2"; fi
  for tool in iptables ip6tables; do
    family=ip
    [ "$tool" = iptables ] || family=ip6
    for name in $(tables_of "$1/$tool-nft"); do
      # With something of nft's own in it, iptables would refuse the table.
      if grep -qxF "table $family $name" "$2/tables" && ! grep -qxF "table $family $name" "$2/compatible"; then
        step "removing table $family $name" nft delete table "$family" "$name"
      fi
    done
    for way in nft legacy; do
      {
        cat "$1/$tool-$way"
        # A table that was not there is emptied here: it cannot be removed, or is below, if nft is at hand.
        for name in $(tables_of "$2/$tool-$way"); do
          tables_of "$1/$tool-$way" | grep -qxF "$name" && continue
          [ "$way" = legacy ] || [ -e "$2/no-nft" ] || continue
          sed -n -e "/^\*$name\$/,/^COMMIT\$/{" -e "/^\*/p" -e "s/^\(:[^ ]*\) [A-Z][A-Z]* .*/\1 ACCEPT [0:0]/p" -e "/^COMMIT/p" -e "}" "$2/$tool-$way"
        done
      } >"$dir/$tool-$way.restore"
      [ -s "$dir/$tool-$way.restore" ] || continue
      if xt "$tool" "$way" restore; then step "restoring the $way tables of $tool" load "$program" "$dir/$tool-$way.restore"
      else log "restoring the $way tables of $tool: failed: no tool that restores them"
      fi
    done
  done
  if [ ! -e "$1/no-nft" ] && has nft; then
    nft list tables 2>/dev/null >"$dir/tables.now"
    while read -r word family name; do
      grep -qxF "table $family $name" "$1/tables" || printf "delete table %s %s\n" "$family" "$name"
    done <"$dir/tables.now" >"$dir/surplus.nft"
    if [ -s "$dir/surplus.nft" ] && ! step "removing the tables that were not there" nft -f "$dir/surplus.nft"; then
      while read -r line; do step "$line" nft "$line"; done <"$dir/surplus.nft"
    fi
  fi
  if [ -e /sys/module/ip_set ] && has ipset; then
    # Twice: a set of sets holds on to its members.
    for round in 1 2; do
      for name in $(ipset list -n 2>/dev/null); do
        sets_of "$1/ipset" | grep -qxF -e "$name" || step "removing set $name" ipset destroy "$name"
      done
    done
  fi
  # Twice: a switch for all interfaces changes those of each.
  for round in 1 2; do
    while read -r key value; do
      [ ! -e "/proc/sys/$key" ] || [ "$(cat "/proc/sys/$key")" = "$value" ] || step "$key = $value" write "$value" "/proc/sys/$key"
    done <"$1/sysctl"
  done
}

load() { "$1" -w 10 -c <"$2" || "$1" -c <"$2"; }
write() { echo "$1" >"$2"; }
sets_of() { sed -n "s/^create \([^ ]*\) .*/\1/p" "$1"; }
set_lines() { grep -F -e "create $1 " -e "add $1 " "$2" | plain_sets | sort; }

# A set that rules use can be neither removed nor made anew: another is filled, and changes places with it.
restore_sets() {
  for name in $(sets_of "$1/ipset"); do
    [ "$(set_lines "$name" "$1/ipset")" != "$(set_lines "$name" "$2/ipset")" ] || continue
    into=$name
    if sets_of "$2/ipset" | grep -qxF -e "$name"; then into=callgate-$$; fi
    # Most characters may stand in a name.
    grep "^[a-z]* $(printf "%s" "$name" | sed "s/[^A-Za-z0-9_^]/[&]/g; s/\^/\\\\^/g") " "$1/ipset" >"$dir/set"
    if [ "$into" != "$name" ]; then
      sed "s/^\([a-z]*\) [^ ]* /\1 $into /" "$dir/set" >"$dir/filled"
      printf "swap %s %s\ndestroy %s\n" "$into" "$name" "$into" | cat "$dir/filled" - >"$dir/set"
    fi
    step "restoring set $name" ipset restore -file "$dir/set" || ipset destroy "$into" 2>/dev/null
  done
}
