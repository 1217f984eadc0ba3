"""The binding of one phone at its registrar (RFC 3261, section 10)."""

from __future__ import annotations

import secrets

from callgate.endpoint.attempt import AttemptFailed, Ending, RegistrationTerms
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone.account import Account
from callgate.endpoint.sip_phone.authorization import Authorization, rejected
from callgate.endpoint.sip_phone.user_agent import PRODUCT, UserAgent
from callgate.errors import ProtocolError
from callgate.sip.fields import NameAddress, read_uri
from callgate.sip.message import Field, Request, Response

LONGEST_SECONDS = 86400
"""Of a registration that a registrar may make us ask for with 423."""
_NOT_ARRIVED = frozenset({Ending.REFUSED, Ending.UNREACHABLE, Ending.NO_ROUTE})


class Registration:
    """All REGISTER requests of one phone: one Call-ID, rising CSeq, always this phone's own contact and no other."""

    def __init__(self, agent: UserAgent, server: TransportAddress, account: Account) -> None:
        self._agent, self._account = agent, account
        self._uri = f"sip:{account.domain_at(server)}"
        self._record = account.uri_at(server)
        self._contact = agent.contact(self._record.removeprefix("sip:").rpartition("@")[0])
        self._call_id = f"{secrets.token_hex(12)}@{agent.host.rpartition(':')[0].strip('[]')}"
        self._tag = secrets.token_hex(6)
        self._sequence = 0
        self.bound = False
        """Whether the registrar has our contact, or may have it: a REGISTER went out and was not refused."""

    async def register(self, expires: int, within: float) -> RegistrationTerms:
        """Bind this phone's contact for `expires` seconds; raises AttemptFailed."""
        response, authorization = await self._ask(expires, within)
        if response.status == 423:
            least = response.number("Min-Expires") or 0
            if not expires < least <= LONGEST_SECONDS:
                raise AttemptFailed(Ending.REJECTED, f"REGISTER: {response.shown}, with Min-Expires {least}")
            response, authorization = await self._ask(least, within)
            expires = least
        if not response.success:
            raise rejected("REGISTER", response, authorization)
        granted = self._granted(response, expires)
        if granted == 0:
            self.bound = False
            raise AttemptFailed(Ending.REJECTED, f"REGISTER: {response.shown}, but the registration expires at once")
        return RegistrationTerms(interval_seconds=granted, server=response.product)

    async def unregister(self, within: float) -> None:
        """Take this phone's contact back (section 10.2.2); raises AttemptFailed."""
        response, authorization = await self._ask(0, within)
        if not response.success:
            raise rejected("REGISTER", response, authorization)
        self.bound = False

    async def send(self, expires: int, more: tuple[Field, ...], within: float) -> Response:
        """Send one REGISTER and wait for its final response; AttemptFailed if there is none."""
        binds = expires > 0
        bound_before = self.bound
        self.bound |= binds
        try:
            response = await self._agent.transact(self._request(expires, more), within)
        except AttemptFailed as failure:
            if failure.ending in _NOT_ARRIVED:
                self.bound = bound_before
            raise
        if binds and not response.success:
            self.bound = bound_before
        return response

    @property
    def uri(self) -> str:
        """The Request-URI, which credentials are computed over."""
        return self._uri

    async def _ask(self, expires: int, within: float) -> tuple[Response, Authorization]:
        authorization = Authorization(self._account.credentials)
        while True:
            response = await self.send(expires, authorization.fields("REGISTER", self._uri), within)
            if not authorization.again(response):
                return response, authorization

    def _request(self, expires: int, more: tuple[Field, ...]) -> Request:
        self._sequence += 1
        fields: list[Field] = [
            ("Via", self._agent.via()),
            ("Max-Forwards", "70"),
            ("From", f"<{self._record}>;tag={self._tag}"),
            ("To", f"<{self._record}>"),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._sequence} REGISTER"),
            ("Contact", f"<{self._contact}>;expires={expires}"),
            ("Expires", str(expires)),
            *more,
            ("User-Agent", PRODUCT),
            ("Content-Length", "0"),
        ]
        return Request(method="REGISTER", uri=self._uri, fields=tuple(fields))

    def _granted(self, response: Response, asked: int) -> int:
        """Seconds the registrar grants: of our contact, else of the header (section 10.2.4), else what we asked.

        AttemptFailed(GARBLED) if it names neither: nothing shows then that it has bound anything.
        """
        try:
            header = response.number("Expires")
            ours = [contact for contact in response.contacts if self._is_ours(contact)]
        except ProtocolError as error:
            raise AttemptFailed(Ending.GARBLED, f"REGISTER: {response.shown}, but {error}") from error
        for contact in ours:
            if (text := contact.parameters.get("expires")) is not None:
                return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else asked
        if header is None and not ours:
            text = f"REGISTER: {response.shown}, which names neither our contact nor when it expires"
            raise AttemptFailed(Ending.GARBLED, text)
        return asked if header is None else header

    def _is_ours(self, contact: NameAddress) -> bool:
        try:
            theirs, ours = read_uri(contact.uri, "Contact"), read_uri(self._contact, "Contact")
        except ProtocolError:
            return False
        return (theirs.user, theirs.host.lower(), theirs.port) == (ours.user, ours.host.lower(), ours.port)
