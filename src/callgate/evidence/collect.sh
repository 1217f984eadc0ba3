# Callgate's evidence collector: prints the state of this host on standard output, and changes nothing.
# It writes no file, opens no connection and needs no root; what it may not read, it reports as refused.
# Frame: "@file", "@command", the encoded output, "@exit", "@stderr" with the encoded complaint; "@done" ends it.
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
seconds=${CALLGATE_SECONDS:-20}
bytes=${CALLGATE_BYTES:-33554432}
exec 3>&1

if command -v base64 >/dev/null 2>&1; then encode() { base64; }; coding=base64
elif command -v od >/dev/null 2>&1; then encode() { od -An -v -tx1; }; coding=hex
else echo "@callgate 1 none"; echo "@done"; exit 0
fi
echo "@callgate 1 $coding"

# "timeout -k" is not everywhere, and "timeout" itself is not either.
# limited SECONDS COMMAND [ARGUMENT ...]
if timeout -k 1 5 sh -c : >/dev/null 2>&1; then limited() { timeout -k 2 "$@"; }
elif timeout 5 sh -c : >/dev/null 2>&1; then limited() { timeout "$@"; }
else
  # A session of its own lets the command's children be ended with it.
  if setsid sh -c : >/dev/null 2>&1; then session=setsid group=-; else session='' group=''; fi
  limited() {
    span=$1
    shift
    {
      $session "$@" <&8 8<&- &
      child=$!
      watchdog=$(
        (
          waited=0
          while [ "$waited" -lt "$span" ]; do
            sleep 1
            waited=$((waited + 1))
          done
          trap "" TERM
          kill -s TERM -- "$group$child"
          sleep 1
          kill -s KILL -- "$group$child"
        ) >/dev/null 2>&1 3>&- 6>&- 7>&- 8<&- &
        echo "$!"
      )
      wait "$child"
      code=$?
      kill "$watchdog" 2>/dev/null
    } 8<&0
    return "$code"
  }
fi

# A child of the command may keep its output open when it has ended: reading has a time limit too.
# One byte more than the limit tells the reader that there was more.
patience=$((seconds + 3))
if [ "$(printf abc | limited 5 head -c 2 2>/dev/null)" = ab ]; then bound() { limited "$patience" head -c "$1"; }
else bound() { limited "$patience" cat; }
fi

# take FILE COMMAND [ARGUMENT ...]: the output goes straight to 3, the exit codes come back on 7, stderr on 6.
take() {
  echo "@file $1"
  shift
  echo "@command $*"
  if command -v "$1" >/dev/null 2>&1; then
    complaint=$(
      {
        codes=$(
          {
            { limited "$seconds" "$@" </dev/null 2>&6 3>&- 6>&- 7>&-; echo "$?" >&7; } |
              { bound "$((bytes + 1))" 3>&- 6>&- 7>&-; echo "bound=$?" >&7; } |
              { encode >&3 3>&- 6>&- 7>&-; echo "encode=$?" >&7; }
          } 7>&1
        )
        echo >&3
        echo "@exit" $codes >&3
      } 6>&1 | { bound 2000 && limited "$patience" cat >/dev/null; } 3>&- | tr -d "\000"
    )
    echo "@stderr"
    printf "%s" "$complaint" | encode
  else
    echo "@missing"
  fi
}

# keep FILE PATH: a file of the host as it is; one that does not exist is said to be absent.
keep() {
  if [ -e "$2" ] || [ -L "$2" ]; then take "$1" cat "$2"
  elif [ -x "${2%/*}" ]; then
    echo "@file $1"
    echo "@command cat $2"
    echo "@absent"
  else take "$1" cat "$2"
  fi
}

# save PATH: a file below /etc, kept under its own path; absent also where its folder is.
save() {
  above=${1%/*}
  while [ ! -e "$above" ] && [ "$above" != /etc ]; do above=${above%/*}; done
  if [ ! -e "$1" ] && [ ! -L "$1" ] && [ -x "$above" ]; then
    echo "@file ${1#/}"
    echo "@command cat $1"
    echo "@absent"
  else take "${1#/}" cat "$1"
  fi
}

take identity.txt sh -c "id -u; uname -srm; cat /etc/hostname 2>/dev/null || uname -n"
take ip-addr.json ip -j addr
take ip-route.json ip -j route show table all
take ip6-route.json ip -6 -j route show table all
take ip-rule.json ip -j rule
if command -v ss >/dev/null 2>&1; then take ss.txt ss -H -tulnp
elif command -v netstat >/dev/null 2>&1; then take netstat.txt netstat -tulnpW
fi
for family in tcp tcp6 udp udp6; do keep "proc-net-$family.txt" "/proc/net/$family"; done
take nft.json nft -j list ruleset
take nft.txt nft list ruleset
take iptables-save.txt iptables-save -c
take ip6tables-save.txt ip6tables-save -c
keep ip_tables_names.txt /proc/net/ip_tables_names
keep ip6_tables_names.txt /proc/net/ip6_tables_names
keep proc-net-ip_vs.txt /proc/net/ip_vs
# The legacy tools may load modules on a host without legacy tables: asked only where the kernel lists some.
if [ -s /proc/net/ip_tables_names ] || [ -n "$(cat /proc/net/ip_tables_names 2>/dev/null)" ]; then
  take iptables-legacy-save.txt iptables-legacy-save -c
fi
if [ -n "$(cat /proc/net/ip6_tables_names 2>/dev/null)" ]; then take ip6tables-legacy-save.txt ip6tables-legacy-save -c; fi
# "ipset" and "conntrack" load kernel modules: asked only where the kernel has them already.
if [ -e /sys/module/ip_set ]; then take ipset-save.txt ipset save
else echo "@file ipset-save.txt"; echo "@command ipset save"; echo "@absent"
fi
if [ -e /proc/sys/net/netfilter/nf_conntrack_max ]; then
  take conntrack.txt sh -c "if command -v conntrack >/dev/null 2>&1; then \
    flows=\$(for family in ipv4 ipv6; do \
      conntrack -L -f \$family -p tcp && conntrack -L -f \$family -p udp || exit; done) || exit; \
    else flows=\$(cat /proc/net/nf_conntrack) || exit; fi; echo \"\$flows\" | \
    grep -E \"[sd]port=(69|1720|2000|2427|2428|2443|2445|2748|3804|5060|5061|6970|6971|6972) \"; [ \$? -le 1 ]"
else echo "@file conntrack.txt"; echo "@command conntrack -L"; echo "@absent"
fi
# A dot in an interface's name is a slash in the key, as sysctl(8) prints it.
take sysctl.txt sh -c "cd /proc/sys || exit; for key in net/ipv4/ip_forward net/ipv6/bindv6only \
  net/netfilter/nf_conntrack_tcp_loose net/ipv4/conf/*/rp_filter net/ipv4/conf/*/route_localnet net/ipv4/conf/*/accept_local \
  net/ipv4/conf/*/forwarding net/ipv6/conf/*/forwarding; do \
  if value=\$(cat \"\$key\" 2>/dev/null); then echo \"\$(echo \"\$key\" | tr /. ./) = \$value\"; fi; done; true"
# "firewall-cmd" ends with 252 where firewalld does not run, with 36 where there is no system bus: it guards nothing then.
if command -v firewall-cmd >/dev/null 2>&1; then
  limited "$seconds" firewall-cmd --state >/dev/null 2>&1 </dev/null
  case $? in
    36 | 252)
      for view in runtime permanent; do
        echo "@file firewalld-$view.txt"; echo "@command firewall-cmd --state"; echo "@absent"
      done ;;
    *)
      take firewalld-runtime.txt firewall-cmd --list-all-zones
      take firewalld-permanent.txt firewall-cmd --permanent --list-all-zones ;;
  esac
fi
# What loads at boot: files, and below the units that load them. "ufw status" would open a lock file for writing.
for path in iptables/rules.v4 iptables/rules.v6 iptables/ipsets default/netfilter-persistent sysconfig/iptables \
  sysconfig/iptables.fallback sysconfig/ip6tables sysconfig/ip6tables.fallback sysconfig/ipset sysconfig/nftables.conf nftables.conf default/ufw ufw/ufw.conf \
  ufw/before.rules ufw/before6.rules ufw/user.rules ufw/user6.rules ufw/after.rules ufw/after6.rules ufw/sysctl.conf \
  firewalld/firewalld.conf firewalld/direct.xml callgate/gate.nft callgate/gate.v4 callgate/gate.v6 csf/csf.disable; do
  save "/etc/$path"
done
# The whole of csf.conf may hold keys.
if [ -e /etc/csf/csf.conf ]; then take etc/csf/csf.conf grep -E "^(TESTING|TESTING_INTERVAL|IPV6) *=" /etc/csf/csf.conf
else save /etc/csf/csf.conf
fi
# Folders of which every file counts: what they hold is told first, so that nothing of it can be missed.
folders="nftables nftables.d firewalld/zones firewalld/policies firewalld/services firewalld/ipsets firewalld/icmptypes \
  firewalld/helpers"
take boot-folders.txt sh -c "cd /etc || exit; for folder in $folders; do \
  if [ -d \"\$folder\" ]; then \
    if [ -r \"\$folder\" ] && [ -x \"\$folder\" ]; then \
      echo \"folder /etc/\$folder\"; count=0; for file in \"\$folder\"/* \"\$folder\"/*/*; do \
      if [ -f \"\$file\" ] || [ -L \"\$file\" ]; then count=\$((count + 1)); \
        if [ \$count -gt 300 ]; then echo \"more /etc/\$folder\"; break; fi; echo \"file /etc/\$file\"; fi; done; \
    else echo \"refused /etc/\$folder\"; fi; \
  elif [ -e \"\${folder%/*}\" ] && [ ! -x \"\${folder%/*}\" ]; then echo \"refused /etc/\$folder\"; \
  else echo \"absent /etc/\$folder\"; fi; done"
for folder in $folders; do
  count=0
  for path in "/etc/$folder"/* "/etc/$folder"/*/*; do
    if [ -f "$path" ] && [ "$count" -lt 300 ]; then
      count=$((count + 1))
      take "${path#/}" cat "$path"
    fi
  done
done
take boot-units.txt systemctl list-unit-files --no-pager --no-legend --type=service
if [ -d /run/systemd/system ]; then
  take boot-active.txt systemctl show -p Id,LoadState,ActiveState,SubState nftables.service netfilter-persistent.service \
    iptables.service ip6tables.service ipset.service firewalld.service ufw.service csf.service lfd.service \
    callgate-gate.service
else echo "@file boot-active.txt"; echo "@command systemctl show"; echo "@absent"
fi
take boot-links.txt sh -c "for link in /etc/rc[2-5S].d/S*; do if [ -e \"\$link\" ]; then echo \"\$link\"; fi; done; \
  if command -v rc-update >/dev/null 2>&1; then rc-update show; fi"
# The programs that managers' units start, where an administrator changed them.
take boot-commands.txt sh -c "for unit in nftables netfilter-persistent iptables ip6tables ipset firewalld ufw csf \
  callgate-gate; do for root in /etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system \
  /lib/systemd/system; do for file in \"\$root/\$unit.service\" \"\$root/\$unit.service.d\"/*.conf; do \
  if [ -f \"\$file\" ]; then echo \"# \$file\"; grep -E '^[[:space:]]*(Exec|EnvironmentFile|Condition|Conflicts|Assert)[A-Za-z]*[[:space:]]*=' \"\$file\"; \
  fi; done; done; done; true"
# What else may load rules: lines that name the tools, in places that run at boot or when an interface comes up, and in
# scripts that these places name.
others='
tools="(^|[^a-z0-9_-])(iptables|ip6tables|nft|ipset|ebtables|firewall-cmd|ufw)(-restore|-apply|-legacy|-nft|-legacy-restore|-nft-restore)?([^a-z0-9_.-]|\$)"
# named FILE LINES: the lines that name a tool.
named() {
  if [ -r "$1" ]; then grep -nE "$2[^#]*$tools|$2$tools" /dev/null "$1" | cut -c 1-300 | head -n 20
  else echo "$1:0:is not to be read"
  fi
}
# followed FILE LINES: those, and the scripts named there that name a tool.
followed() {
  named "$1" "$2"
  for path in $(grep -E "$2[^#]*/" "$1" 2>/dev/null | grep -oE "/[A-Za-z0-9_./@+-]+" | head -n 200); do
    if [ "$path" = "$1" ] || [ ! -f "$path" ] || [ ! -r "$path" ]; then continue; fi
    case ${path##*/} in firewalld | ufw | ufw-init | netfilter-persistent | fail2ban-* | csf | lfd) continue ;; esac
    if [ "$(head -c 2 "$path" | tr -d "\000")" = "#!" ]; then
      found=$(head -c 262144 "$path" | grep -aE "^[^#]*$tools" | head -n 1 | cut -c 1-200)
      if [ -n "$found" ]; then echo "$1:$(grep -nF "$path" "$1" | head -n 1 | cut -d : -f 1):$path: $found"; fi
    fi
  done
}
for script in /etc/ufw/before.init /etc/ufw/after.init /etc/csf/csfpre.sh /etc/csf/csfpost.sh \
  /usr/local/csf/bin/csfpre.sh /usr/local/csf/bin/csfpost.sh; do
  if [ -x "$script" ]; then echo "$script:1:is run"; fi
done
for file in /etc/rc.local /etc/rc.d/rc.local /etc/network/interfaces /etc/network/interfaces.d/* /etc/network/if-*.d/* \
  /etc/NetworkManager/dispatcher.d/* /etc/NetworkManager/dispatcher.d/*.d/* /etc/networkd-dispatcher/*/* \
  /etc/ppp/ip-up.d/* /etc/ppp/ip-up.local /etc/dhcp/dhclient-*-hooks.d/* /etc/cloud/cloud.cfg.d/* \
  /etc/local.d/*.start /etc/wireguard/*.conf /etc/systemd/system/*.service /etc/systemd/system/*.service.d/*.conf \
  /usr/local/lib/systemd/system/*.service /etc/rc[2-5S].d/S* \
  /etc/crontab /etc/cron.d/* /etc/cron.hourly/* /etc/cron.daily/* /var/spool/cron/crontabs/root /var/spool/cron/root; do
  if [ ! -f "$file" ]; then continue; fi
  case $file in
    */callgate-gate.service) ;;
    */rc[2-5S].d/* | */cron.hourly/* | */cron.daily/*) named "$file" "^" ;;
    */systemd/*) followed "$file" "^[[:space:]]*Exec" ;;
    */wireguard/*) named "$file" "^[[:space:]]*(Pre|Post)Up" ;;
    *) followed "$file" "^" ;;
  esac
done
grep -nE "^[[:space:]]*ExecStart[^#]*$tools" /dev/null /usr/lib/systemd/system/*.service 2>/dev/null | cut -c 1-300 |
  grep -vE "^[^:]*/(nftables|netfilter-persistent|ip6?tables|ipset|firewalld|ufw|csf|lfd)\.service:" | head -n 100
true'
export others
take boot-others.txt sh -c 'eval "$others"'
# Which plugins netfilter-persistent has: each loads a file of its own.
if [ -d /usr/share/netfilter-persistent/plugins.d ]; then
  take boot-plugins.txt ls /usr/share/netfilter-persistent/plugins.d
else echo "@file boot-plugins.txt"; echo "@command ls /usr/share/netfilter-persistent/plugins.d"; echo "@absent"
fi
# Whether forwarding is on after a boot: what systemd-sysctl(8) and ufw read.
take boot-sysctl.txt sh -c "for file in /usr/lib/sysctl.d/*.conf /lib/sysctl.d/*.conf /usr/local/lib/sysctl.d/*.conf \
  /etc/sysctl.d/*.conf /etc/sysctl.conf /etc/ufw/sysctl.conf; do if [ -e \"\$file\" ]; then echo \"# \$file\"; \
  grep -E '^[[:space:]]*-?[[:space:]]*net[./]ipv[46][^#;]*forward' \"\$file\"; fi; done; true"
echo "@done"
