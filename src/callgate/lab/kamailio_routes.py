"""What lab Kamailio does with requests, in its own configuration language.

No database and no DNS: accounts live in a hash table, locations in memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal

from callgate.errors import LabError

REALM: Final = "pbx.lab"
_WORD: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

_ALWAYS: Final = """
modparam("usrloc", "db_mode", 0)
modparam("htable", "htable", "users=>size=8;")
%(settings)s

event_route[htable:mod-init] {
  $sht(users=>-) = "";
%(users)s
}

request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (!sanity_check()) { exit; }
%(within)s
  if (is_method("ACK")) { exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
%(calls)s
  if (!is_method("REGISTER")) { sl_send_reply("405", "Method Not Allowed"); exit; }
%(authenticate)s
  save("location");
}
"""

# Within a dialog the record route says where to; CANCEL and a repeated INVITE belong to a transaction that stands.
_WITHIN: Final = """
  if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (!is_method("ACK")) { sl_send_reply("481", "Call/Transaction Does Not Exist"); }
    exit;
  }
  t_check_trans();
"""
_CALLS: Final = """
  if (is_method("INVITE")) {
%(authenticate)s
    consume_credentials();
    record_route();
%(extensions)s
    if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
    t_relay();
    exit;
  }
"""
_AUTHENTICATE: Final = """
  if ($au == $null || $sht(users=>$au) == $null || !pv_auth_check("%(realm)s", "$sht(users=>$au)", "0", "1")) {
    auth_challenge("%(realm)s", "%(flags)s");
    exit;
  }
"""
_REVEAL: Final = """
  if ($sht(users=>$fU) == $null) { sl_send_reply("404", "Not Found"); exit; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What Kamailio answers. LabError if an account, an extension or a bound cannot be written down."""

    users: Mapping[str, str] = field(default_factory=dict)
    """Names and passwords."""
    algorithm: Literal["MD5", "SHA-256"] = "MD5"
    """Of the digest; Kamailio challenges with one."""
    qop: bool = False
    """Whether challenges ask for `qop=auth`."""
    calls: bool = False
    """INVITE is relayed to registered users and `extensions`, with 407 before; else it gets 405."""
    extensions: Mapping[str, str] = field(default_factory=dict)
    """Numbers served elsewhere, without registration: number to `ADDRESS:PORT` (`[ADDRESS]:PORT`), over UDP."""
    open_registrar: bool = False
    """A flaw: nobody is ever challenged."""
    reveal_users: bool = False
    """A flaw: REGISTER of an unknown user gets 404, of a known one 401."""
    expires: tuple[int, int] | None = None
    """Least and greatest seconds that a registration is granted; None: Kamailio's own, up to what is asked."""

    def __post_init__(self) -> None:
        for word in (*self.users.keys(), *self.users.values(), *self.extensions.keys()):
            if not _WORD.fullmatch(word):
                raise LabError(f"{word!r} cannot be a lab account: letters, digits, dot, hyphen and underscore only")
        for place in self.extensions.values():
            host, _, port = place.rpartition(":")
            try:
                ip_address(host.strip("[]"))
                fits = 0 < int(port) < 65536
            except ValueError:
                fits = False
            if not fits:
                raise LabError(f"{place!r} is not ADDRESS:PORT")
        if self.expires is not None and not 0 < self.expires[0] <= self.expires[1] < 1 << 31:
            raise LabError(f"no registration lasts from {self.expires[0]} to {self.expires[1]} seconds")

    @property
    def modules(self) -> tuple[str, ...]:
        """What to load beyond the modules that always are."""
        return ("htable", "auth", "textops", *(("rr",) if self.calls else ()))

    def text(self) -> str:
        """The module parameters and routes."""
        settings = []
        if self.algorithm != "MD5":
            settings.append(f'modparam("auth", "algorithm", "{self.algorithm}")')
        if self.expires is not None:
            least, most = self.expires
            settings += [f'modparam("registrar", "min_expires", {least})']
            settings += [f'modparam("registrar", "max_expires", {most})']
            settings += [f'modparam("registrar", "default_expires", {most})']
        challenge = _AUTHENTICATE % {"realm": REALM, "flags": "1" if self.qop else "0"}
        authenticate = "" if self.open_registrar else challenge
        routes = (
            f'    if ($rU == "{number}") {{ $du = "sip:{place}"; t_relay(); exit; }}'
            for number, place in self.extensions.items()
        )
        calls = _CALLS % {"authenticate": authenticate, "extensions": "\n".join(routes)} if self.calls else ""
        return _ALWAYS % {
            "settings": "\n".join(settings),
            "users": "\n".join(f'  $sht(users=>{user}) = "{password}";' for user, password in self.users.items()),
            "within": _WITHIN if self.calls else "",
            "calls": calls,
            "authenticate": (_REVEAL if self.reveal_users else "") + authenticate,
        }
