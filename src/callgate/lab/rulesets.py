"""Firewall rules for the lab's PBX: what is usually advised, and what holds."""

from __future__ import annotations

from typing import Final

USUAL_REMEDY: Final = (
    "iptables -A INPUT -s 192.168.1.0/24 -p udp --dport 5060 -j ACCEPT",
    "iptables -A INPUT -p udp --dport 5060 -j DROP",
)
"""The usual answer to "SCCP and SIP are exposed", as commands: SCCP, SIP over TCP and all of IPv6 stay open."""

RTP_PORTS: Final = "16384-32767"
"""Where the lab's call manager takes audio: Unified CM's range."""

RIGHT_REMEDY_NFT: Final = """\
#!/usr/sbin/nft -f
table inet lab
delete table inet lab

table inet lab {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    ct state invalid drop
    icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, echo-request, destination-unreachable } accept
    icmpv6 type { packet-too-big, time-exceeded, parameter-problem } accept
    iifname "eth0" ip saddr 192.168.1.0/24 jump trusted
    iifname "eth0" ip6 saddr fd00:1::/64 jump trusted
  }

  chain trusted {
    tcp dport { 22, 2000, 2443, 5060, 5061 } accept
    udp dport { 5060, 16384-32767 } accept
  }
}
"""
"""Everything closed but for the trusted networks, each bound to its interface; may be loaded again, and saved as
/etc/nftables.conf."""
