"""Protocols, ports and ICMP types by name, as rules write them.

Protocol names are those of Debian's /etc/protocols, port names a selection of /etc/services (the names IANA gives),
ICMP names those of iptables (libxt_icmp.h). Unknown names raise ValueError.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from callgate.firewall.intervals import Intervals
from callgate.firewall.iptables.words import looks_like_number, number, shown

TCP: Final = 6
UDP: Final = 17
ICMP: Final = {4: 1, 6: 58}
PORTED: Final = frozenset((6, 17, 33, 132, 136))
"""The transports that have ports: TCP, UDP, DCCP, SCTP, UDP-Lite."""
WITH_PORTS: Final = Intervals.of((protocol, protocol) for protocol in PORTED)
PORT: Final = 0xFFFF

_PROTOCOLS: Final = {
    "all": 0, "ip": 0, "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "st": 5, "tcp": 6, "egp": 8, "igp": 9,
    "pup": 12, "udp": 17, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29, "dccp": 33, "xtp": 36, "ddp": 37,
    "idpr-cmtp": 38, "ipv6": 41, "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50,
    "ipv6-crypt": 50, "ah": 51, "ipv6-auth": 51, "skip": 57, "ipv6-icmp": 58, "icmpv6": 58, "icmp6": 58,
    "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81, "eigrp": 88, "ospf": 89, "ospfigp": 89, "ax.25": 93,
    "ipip": 94, "etherip": 97, "encap": 98, "pim": 103, "ipcomp": 108, "vrrp": 112, "l2tp": 115, "isis": 124,
    "sctp": 132, "fc": 133, "mobility-header": 135, "ipv6-mh": 135, "mh": 135, "udplite": 136, "mpls-in-ip": 137,
    "manet": 138, "hip": 139, "shim6": 140, "wesp": 141, "rohc": 142, "ethernet": 143,
}  # fmt: skip

_PORTS: Final = {
    "sip": 5060, "sips": 5061, "sip-tls": 5061, "cisco-sccp": 2000, "h323hostcall": 1720, "iax": 4569, "stun": 3478,
    "turn": 3478, "stuns": 5349, "turns": 5349, "mgcp-gateway": 2427, "mgcp-callagent": 2727, "megaco-h248": 2944,
    "h323gatestat": 1719, "h323gatedisc": 1718, "rtsp": 554, "tcpmux": 1, "echo": 7, "discard": 9, "systat": 11,
    "daytime": 13, "netstat": 15, "qotd": 17, "chargen": 19, "ftp-data": 20, "ftp": 21, "fsp": 21, "ssh": 22,
    "telnet": 23, "smtp": 25, "mail": 25, "time": 37, "whois": 43, "nicname": 43, "tacacs": 49, "domain": 53,
    "bootps": 67, "bootpc": 68, "tftp": 69, "gopher": 70, "finger": 79, "http": 80, "www": 80, "kerberos": 88,
    "pop2": 109, "pop3": 110, "pop-3": 110, "sunrpc": 111, "portmapper": 111, "auth": 113, "ident": 113, "nntp": 119,
    "ntp": 123, "epmap": 135, "loc-srv": 135, "netbios-ns": 137, "netbios-dgm": 138, "netbios-ssn": 139, "imap": 143,
    "imap2": 143, "snmp": 161, "snmp-trap": 162, "snmptrap": 162, "xdmcp": 177, "bgp": 179, "irc": 194, "ldap": 389,
    "https": 443, "microsoft-ds": 445, "kpasswd": 464, "submissions": 465, "smtps": 465, "ssmtp": 465, "urd": 465,
    "isakmp": 500, "exec": 512, "biff": 512, "login": 513, "who": 513, "shell": 514, "syslog": 514, "printer": 515,
    "talk": 517, "ntalk": 518, "route": 520, "router": 520, "dhcpv6-client": 546, "dhcpv6-server": 547, "nntps": 563,
    "submission": 587, "ipp": 631, "ldaps": 636, "rsync": 873, "domain-s": 853, "ftps-data": 989, "ftps": 990,
    "telnets": 992, "imaps": 993, "ircs": 994, "pop3s": 995, "socks": 1080, "openvpn": 1194, "ms-sql-s": 1433,
    "ms-sql-m": 1434, "l2f": 1701, "l2tp": 1701, "pptp": 1723, "radius": 1812, "radius-acct": 1813, "ssdp": 1900,
    "nfs": 2049, "cvspserver": 2401, "squid": 3128, "ms-wbt-server": 3389, "icpv2": 3130, "mysql": 3306, "svn": 3690,
    "ipsec-nat-t": 4500, "xmpp-client": 5222, "xmpp-server": 5269, "mdns": 5353, "postgresql": 5432, "amqps": 5671,
    "amqp": 5672, "x11": 6000, "ircd": 6667, "http-alt": 8080, "webcache": 8080, "tproxy": 8081, "git": 9418,
    "webmin": 10000, "bacula-fd": 9102, "zabbix-agent": 10050, "zabbix-trapper": 10051, "syslog-tls": 6514,
}  # fmt: skip

_ICMP4: Final = {
    "any": (255, None), "echo-reply": (0, None), "pong": (0, None), "destination-unreachable": (3, None),
    "network-unreachable": (3, 0), "host-unreachable": (3, 1), "protocol-unreachable": (3, 2),
    "port-unreachable": (3, 3), "fragmentation-needed": (3, 4), "source-route-failed": (3, 5),
    "network-unknown": (3, 6), "host-unknown": (3, 7), "network-prohibited": (3, 9), "host-prohibited": (3, 10),
    "TOS-network-unreachable": (3, 11), "TOS-host-unreachable": (3, 12), "communication-prohibited": (3, 13),
    "host-precedence-violation": (3, 14), "precedence-cutoff": (3, 15), "source-quench": (4, None),
    "redirect": (5, None), "network-redirect": (5, 0), "host-redirect": (5, 1), "TOS-network-redirect": (5, 2),
    "TOS-host-redirect": (5, 3), "echo-request": (8, None), "ping": (8, None), "router-advertisement": (9, None),
    "router-solicitation": (10, None), "time-exceeded": (11, None), "ttl-exceeded": (11, None),
    "ttl-zero-during-transit": (11, 0), "ttl-zero-during-reassembly": (11, 1), "parameter-problem": (12, None),
    "ip-header-bad": (12, 0), "required-option-missing": (12, 1), "timestamp-request": (13, None),
    "timestamp-reply": (14, None), "address-mask-request": (17, None), "address-mask-reply": (18, None),
}  # fmt: skip

_ICMP6: Final = {
    "destination-unreachable": (1, None), "no-route": (1, 0), "communication-prohibited": (1, 1),
    "beyond-scope": (1, 2), "address-unreachable": (1, 3), "port-unreachable": (1, 4), "failed-policy": (1, 5),
    "reject-route": (1, 6), "packet-too-big": (2, None), "time-exceeded": (3, None), "ttl-exceeded": (3, None),
    "ttl-zero-during-transit": (3, 0), "ttl-zero-during-reassembly": (3, 1), "parameter-problem": (4, None),
    "bad-header": (4, 0), "unknown-header-type": (4, 1), "unknown-option": (4, 2), "echo-request": (128, None),
    "ping": (128, None), "echo-reply": (129, None), "pong": (129, None), "mld-listener-query": (130, None),
    "mld-listener-report": (131, None), "mld-listener-done": (132, None), "mld-listener-reduction": (132, None),
    "router-solicitation": (133, None), "router-advertisement": (134, None), "neighbour-solicitation": (135, None),
    "neighbor-solicitation": (135, None), "neighbour-advertisement": (136, None),
    "neighbor-advertisement": (136, None), "redirect": (137, None),
}  # fmt: skip


@lru_cache(maxsize=4096)
def protocol_number(text: str) -> int:
    """The number of a protocol given by name or number; 0 means every protocol."""
    known = _PROTOCOLS.get(text.lower())
    if known is not None:
        return known
    if looks_like_number(text):
        return number(text, 255, "protocol number")
    raise ValueError(f"protocol {shown(text)} is not known")


@lru_cache(maxsize=8192)
def port_number(text: str) -> int:
    """A port given by number or by service name."""
    if looks_like_number(text):
        return number(text, PORT, "port")
    known = _PORTS.get(text.lower())
    if known is None:
        raise ValueError(f"port {shown(text)} is neither a number nor a service name known here")
    return known


def port_range(text: str, mark: str = ":") -> tuple[int, int]:
    """`a`, `a:b`, `:b` or `a:`. May run backwards: old iptables let that into the kernel, where it never matches."""
    first_text, colon, last_text = text.partition(mark)
    if not colon:
        port = port_number(first_text)
        return port, port
    return port_number(first_text) if first_text else 0, port_number(last_text) if last_text else PORT


def icmp_type(text: str, family: int) -> tuple[int, int | None]:
    """The type and code of `type`, `type/code` or a name (or the beginning of just one); code None means any."""
    if looks_like_number(text):
        kind, slash, code = text.partition("/")
        return number(kind, 255, "ICMP type"), number(code, 255, "ICMP code") if slash else None
    table = _ICMP4 if family == 4 else _ICMP6
    if text in table:
        return table[text]
    wanted = text.lower()
    found = {meaning for name, meaning in table.items() if name.lower().startswith(wanted)}
    if not wanted or len(found) != 1:
        raise ValueError(f"ICMP type {shown(text)} is not known")
    return found.pop()
