"""Answers the challenges of one request and its repetitions."""

from __future__ import annotations

from typing import Final

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.errors import ProtocolError
from callgate.sip.digest import Challenge, Credentials, read_challenges, strongest
from callgate.sip.message import Field, Response

_FIELDS: Final = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}
MAXIMUM_STALE: Final = 2
"""New nonces taken because the old one was stale."""


class Authorization:
    """The credentials of one request: none at first, then what each challenge asked for.

    The password goes into nothing but the digests that `fields` gives.
    """

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        self._challenges: dict[str, Challenge] = {}
        self._counts: dict[str, int] = {}
        self._stale = 0

    @property
    def given(self) -> bool:
        """Whether credentials were sent."""
        return bool(self._challenges)

    def fields(self, method: str, uri: str, body: bytes = b"") -> tuple[Field, ...]:
        """The header fields for the next sending of the request."""
        fields: list[Field] = []
        for name, challenge in self._challenges.items():
            assert self._credentials is not None
            self._counts[challenge.nonce] = self._counts.get(challenge.nonce, 0) + 1
            count = self._counts[challenge.nonce]
            fields.append((name, challenge.answer(self._credentials, method, uri, body=body, count=count)))
        return tuple(fields)

    def again(self, response: Response) -> bool:
        """Whether the request should be sent again, with credentials; False if the response stands as it is.

        Raises AttemptFailed: REJECTED upon a challenge that cannot be answered, GARBLED upon a malformed one.
        """
        if response.status not in _FIELDS:
            return False
        asked, answered = _FIELDS[response.status]
        try:
            challenges = read_challenges(response.values(asked))
        except ProtocolError as error:
            raise AttemptFailed(Ending.GARBLED, f"{response.shown}: {error}") from error
        challenge = strongest(challenges)
        if challenge is None:
            what = ", ".join(each.shown for each in challenges) or "no challenge at all"
            raise AttemptFailed(Ending.REJECTED, f"{response.shown}, with {what}: no answer to that here")
        if self._credentials is None:
            raise AttemptFailed(Ending.REJECTED, f"{response.shown}, and no password was given")
        if answered in self._challenges:
            if not challenge.stale or self._stale == MAXIMUM_STALE:
                return False
            self._stale += 1
        self._challenges[answered] = challenge
        return True


def rejected(method: str, response: Response, authorization: Authorization | None = None) -> AttemptFailed:
    """The refusal of a request, in words. A redirection (3xx) is described; it is not followed."""
    text = f"{method}: {response.shown}"
    if authorization is not None and authorization.given and response.status in (401, 403, 407):
        text += " upon our credentials"
    if response.status // 100 == 3:
        try:
            places = ", ".join(contact.uri for contact in response.contacts)
        except ProtocolError:
            places = "a place that cannot be read"
        text += f", redirected to {places or 'nowhere'}; not followed"
    return AttemptFailed(Ending.REJECTED, text)
