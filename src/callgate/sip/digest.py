"""Digest authentication (RFC 2617, 7616 and 8760): challenges read, the strongest known one answered.

Algorithms: SHA-512-256 where this Python has it, SHA-256, MD5, each also as `-sess`. Quality of protection: auth,
auth-int, and none at all (RFC 2069, as RFC 2617 keeps it). No user name is ever hashed (`userhash`), and no scheme
but Digest is answered: Basic would give the password away.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from callgate.errors import ProtocolError
from callgate.sip.fields import MAXIMUM_PARAMETERS, MAXIMUM_VALUE, shown

_HASHES: Final = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_STRENGTH: Final = {"MD5": 1, "MD5-SESS": 2, "SHA-256": 3, "SHA-256-SESS": 4, "SHA-512-256": 5, "SHA-512-256-SESS": 6}
MAXIMUM_CHALLENGES: Final = 8

_TOKEN: Final = r"[A-Za-z0-9\-.!%*_+`'~]+"  # noqa: S105 - a grammar's token
_SCHEME: Final = re.compile(rf"[ \t,]*({_TOKEN})(?:[ \t]+|$)(?![ \t]*=)")
_PARAMETER: Final = re.compile(rf'[ \t,]*({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))[ \t]*(?=,|$)')


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password, which no text of this object shows. ValueError if one has control characters."""

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if any(ord(char) < 32 or ord(char) == 127 for char in self.user + self.password):
            raise ValueError("a user name or password cannot have control characters")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of WWW-Authenticate or Proxy-Authenticate. Values are as between their quotes, escapes kept."""

    scheme: str
    """In lower case: `digest`, `basic` ..."""
    realm: str = ""
    nonce: str = ""
    algorithm: str | None = None
    """As given; None, which means MD5, if it is not."""
    qop: tuple[str, ...] = ()
    """In lower case; empty if it is not given."""
    opaque: str | None = None
    stale: bool = False
    domain: str | None = None

    @property
    def answerable(self) -> bool:
        """Whether `answer` can answer it."""
        return (
            self.scheme == "digest"
            and bool(self.nonce)
            and self._name in _STRENGTH
            and _HASHES[self._name.removesuffix("-SESS")] in hashlib.algorithms_available
            and (not self.qop or "auth" in self.qop or "auth-int" in self.qop)
        )

    @property
    def strength(self) -> int:
        """Greater is stronger; 0 if it cannot be answered."""
        return _STRENGTH[self._name] if self.answerable else 0

    @property
    def _name(self) -> str:
        return (self.algorithm or "MD5").upper()

    def answer(
        self,
        credentials: Credentials,
        method: str,
        uri: str,
        *,
        body: bytes = b"",
        cnonce: str | None = None,
        count: int = 1,
    ) -> str:
        """The value of Authorization or Proxy-Authorization for a request.

        `uri` is the Request-URI as sent. `count` is how often the nonce was used, this time included. `cnonce` is
        drawn anew by default. ProtocolError if the challenge cannot be answered.
        """
        if not self.answerable:
            raise ProtocolError(f"a challenge this phone cannot answer: {self.shown}")
        protection = "auth" if "auth" in self.qop else "auth-int" if self.qop else None
        session = self._name.endswith("-SESS")
        cnonce = secrets.token_hex(8) if cnonce is None else cnonce
        counted = f"{count:08x}"
        secret = self._hash(f"{credentials.user}:{self.realm}:{credentials.password}")
        if session:
            secret = self._hash(f"{secret}:{self.nonce}:{cnonce}")
        asked = f"{method}:{uri}" if protection != "auth-int" else f"{method}:{uri}:{self._hash(body)}"
        middle = "" if protection is None else f"{counted}:{cnonce}:{protection}:"
        response = self._hash(f"{secret}:{self.nonce}:{middle}{self._hash(asked)}")
        user = credentials.user.replace("\\", "\\\\").replace('"', '\\"')
        parts = [f'username="{user}"', f'realm="{self.realm}"', f'nonce="{self.nonce}"', f'uri="{uri}"']
        parts.append(f'response="{response}"')
        if self.algorithm is not None:
            parts.append(f"algorithm={self.algorithm}")
        if protection is not None or session:
            parts.append(f'cnonce="{cnonce}"')
        if self.opaque is not None:
            parts.append(f'opaque="{self.opaque}"')
        if protection is not None:
            parts += [f"qop={protection}", f"nc={counted}"]
        return "Digest " + ", ".join(parts)

    @property
    def shown(self) -> str:
        """What kind of challenge it is, printable."""
        if self.scheme != "digest":
            return f"scheme {shown(self.scheme)}"
        if not self.nonce:
            return "Digest without nonce"
        quality = f", qop {shown(','.join(self.qop))}" if self.qop else ""
        return f"Digest {shown(self.algorithm or 'MD5')}{quality}"

    def _hash(self, data: str | bytes) -> str:
        octets = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        name = _HASHES[self._name.removesuffix("-SESS")]
        return hashlib.new(name, octets, usedforsecurity=False).hexdigest()


def read_challenges(values: Iterable[str]) -> list[Challenge]:
    """The challenges in the values of WWW-Authenticate or Proxy-Authenticate; ProtocolError if one is malformed.

    Several in one value (RFC 7235, section 4.1) are read too.
    """
    challenges: list[Challenge] = []
    for value in values:
        if len(value) > MAXIMUM_VALUE:
            raise ProtocolError(f"a challenge is longer than {MAXIMUM_VALUE} characters")
        at = 0
        while at < len(value.rstrip(" \t,")):
            scheme = _SCHEME.match(value, at)
            if scheme is None:
                raise ProtocolError(f"a challenge is not valid: {shown(value)}")
            parameters, at = _parameters(value, scheme.end())
            challenges.append(_challenge(scheme[1], parameters))
            if len(challenges) > MAXIMUM_CHALLENGES:
                raise ProtocolError(f"more than {MAXIMUM_CHALLENGES} challenges")
    return challenges


def strongest(challenges: Sequence[Challenge]) -> Challenge | None:
    """The challenge to answer: the strongest algorithm, of equals the first; None if none can be answered.

    RFC 8760 (section 2.4) lets the server order them; a peer in between could then choose the weakest.
    """
    return max((each for each in challenges if each.answerable), key=lambda each: each.strength, default=None)


def _parameters(value: str, at: int) -> tuple[dict[str, str], int]:
    parameters: dict[str, str] = {}
    for _ in range(MAXIMUM_PARAMETERS):
        match = _PARAMETER.match(value, at)
        if match is None:
            return parameters, at
        parameters.setdefault(match[1].lower(), match[3] if match[2] is None else match[2])
        at = match.end()
    raise ProtocolError(f"a challenge has more than {MAXIMUM_PARAMETERS} parameters")


def _challenge(scheme: str, parameters: dict[str, str]) -> Challenge:
    algorithm = parameters.get("algorithm")
    return Challenge(
        scheme.lower(),
        realm=parameters.get("realm", ""),
        nonce=parameters.get("nonce", ""),
        algorithm=algorithm,
        qop=tuple(word for word in re.split(r"[ \t,]+", parameters.get("qop", "").lower()) if word),
        opaque=parameters.get("opaque"),
        stale=parameters.get("stale", "").lower() == "true",
        domain=parameters.get("domain"),
    )
