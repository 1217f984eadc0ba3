"""How a registrar refuses a phone: what an attacker who guesses names would see of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from callgate.endpoint.attempt import AttemptFailed, Ending, printable
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.sip_phone.account import Account, Patience, SipTransport
from callgate.endpoint.sip_phone.authorization import Authorization
from callgate.endpoint.sip_phone.registration import Registration
from callgate.endpoint.sip_phone.user_agent import UserAgent
from callgate.endpoint.sip_phone.wire import open_wire
from callgate.endpoint.tls import TlsOptions
from callgate.errors import ProtocolError
from callgate.sip.digest import Challenge, read_challenges
from callgate.sip.message import Response

EXPIRES: Final = 60
"""Seconds asked for: should a REGISTER be accepted and the way back be cut, the binding is gone soon."""


@dataclass(frozen=True, slots=True)
class ChallengeShape:
    """A challenge without what is new in each: nonce and opaque."""

    header: str
    scheme: str
    realm: str
    algorithm: str | None
    qop: tuple[str, ...]
    stale: bool
    has_opaque: bool
    domain: str | None

    @classmethod
    def of(cls, header: str, challenge: Challenge) -> ChallengeShape:
        """The shape of a challenge in that header."""
        return cls(
            header,
            printable(challenge.scheme, 60),
            printable(challenge.realm),
            None if challenge.algorithm is None else printable(challenge.algorithm, 60),
            tuple(printable(word, 60) for word in challenge.qop),
            challenge.stale,
            challenge.opaque is not None,
            None if challenge.domain is None else printable(challenge.domain),
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """One response, without what is new in each."""

    status: int
    reason: str
    headers: tuple[str, ...]
    """Names as written, in order."""
    challenges: tuple[ChallengeShape, ...] | None
    """None: they could not be read."""
    body_bytes: int

    @classmethod
    def of(cls, response: Response) -> Reply:
        """What of a response tells one account from another."""
        shapes: list[ChallengeShape] | None = []
        for header in ("WWW-Authenticate", "Proxy-Authenticate"):
            try:
                challenges = read_challenges(response.values(header))
            except ProtocolError:
                shapes = None
            if shapes is not None:
                shapes += [ChallengeShape.of(header, challenge) for challenge in challenges]
        names = tuple(name for name, _ in response.fields)
        shown = None if shapes is None else tuple(shapes)
        return cls(response.status, printable(response.reason), names, shown, len(response.body))

    def __str__(self) -> str:
        return f"{self.status} {self.reason}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What came back to REGISTER without, then with credentials. Equal: no attacker can tell the two accounts apart.

    (By the answers, that is: how long they took is not compared.)
    """

    replies: tuple[Reply, ...]
    """To REGISTER without credentials; and if that was challenged, to the one with them. Fewer if none came."""
    ending: Ending
    """REJECTED: refused. DONE: a 2xx came, the registrar let us in. Else how the attempt ended, without an answer."""
    text: str = field(compare=False)
    """What happened, in one line of printable ASCII."""
    source: TransportAddress | None = field(default=None, compare=False)

    @property
    def accepted(self) -> bool:
        """Whether a REGISTER was (wrongly) accepted."""
        return any(200 <= reply.status < 300 for reply in self.replies)

    def difference(self, other: Refusal) -> str | None:
        """What tells the two apart, in words; None if nothing does."""
        if self == other:
            return None
        for credentials, (own, theirs) in zip(
            ("without credentials", "with credentials"), zip(self.replies, other.replies, strict=False), strict=False
        ):
            if own != theirs:
                return f"REGISTER {credentials}: {_difference(own, theirs)}"
        if len(self.replies) != len(other.replies):
            return f"{len(self.replies)} answers, then {self.ending}; {len(other.replies)} answers, then {other.ending}"
        return f"{self.ending}, and {other.ending}"


def _difference(own: Reply, theirs: Reply) -> str:
    if (own.status, own.reason) != (theirs.status, theirs.reason):
        return f"{own}, and {theirs}"
    if own.headers != theirs.headers:
        only = [name for name in own.headers if name not in theirs.headers]
        more = [name for name in theirs.headers if name not in own.headers]
        if not only and not more:
            return "the header fields stand in another order, or another number of times"
        return printable(f"header fields only of one: {', '.join(only + more)}")
    if own.challenges != theirs.challenges:
        for ours, other in zip(own.challenges or (), theirs.challenges or (), strict=False):
            for name in ChallengeShape.__slots__:
                if getattr(ours, name) != getattr(other, name):
                    return printable(f"{name} of the challenge: {getattr(ours, name)!r}, and {getattr(other, name)!r}")
        return "another number of challenges"
    return f"a body of {own.body_bytes} bytes, and of {theirs.body_bytes}"


async def refusal(
    network: Network,
    server: TransportAddress,
    account: Account,
    *,
    transport: SipTransport = SipTransport.UDP,
    tls: TlsOptions | None = None,
    patience: Patience | None = None,
) -> Refusal:
    """Try to register `account` without credentials, then (if challenged) with its password, which should be wrong.

    What is accepted is taken back at once, for this phone's own contact only, and `text` says so. Never raises for
    what the peer does; UsageMistake for TLS files that cannot be used. To compare two accounts, give them names of
    equal length: a server may well repeat the name.
    """
    waits = patience or Patience()
    try:
        wire = await open_wire(network, server, transport, tls, waits)
    except AttemptFailed as failure:
        return Refusal(replies=(), ending=failure.ending, text=failure.text)
    agent = UserAgent(wire, transport)
    replies: list[Reply] = []
    try:
        agent.start()
        registration = Registration(agent, server, account)
        try:
            ending, text = await _try(registration, account, replies, waits)
        finally:
            left = await _take_back(registration, waits)
        return Refusal(replies=tuple(replies), ending=ending, text=printable(text + left), source=wire.local)
    finally:
        await agent.close()


async def _try(
    registration: Registration, account: Account, replies: list[Reply], patience: Patience
) -> tuple[Ending, str]:
    authorization = Authorization(account.credentials)
    try:
        while True:
            fields = authorization.fields("REGISTER", registration.uri)
            response = await registration.send(EXPIRES, fields, patience.answer)
            replies.append(Reply.of(response))
            if response.success:
                how = "with these credentials" if fields else "without credentials"
                return Ending.DONE, f"the registrar accepted REGISTER {how}: {response.shown}"
            # One try with credentials: a stale nonce would be a reason for more, but not for a stranger.
            if authorization.given or not authorization.again(response):
                return Ending.REJECTED, f"refused: {', then '.join(map(str, replies))}"
    except AttemptFailed as failure:
        if failure.ending is Ending.REJECTED:  # a challenge that cannot be answered is a refusal as good as any
            return Ending.REJECTED, f"refused: {failure.text}"
        return failure.ending, failure.text


async def _take_back(registration: Registration, patience: Patience) -> str:
    if not registration.bound:
        return ""
    try:
        await registration.unregister(patience.leave)
    except AttemptFailed as failure:
        return f"; it could not be taken back ({failure.text}) and expires within {EXPIRES} s"
    return "; it was taken back at once"
