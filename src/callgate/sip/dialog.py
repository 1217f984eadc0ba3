"""Dialogs (RFC 3261, section 12): what two ends of a call know of each other, and the requests within."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from callgate.errors import ProtocolError
from callgate.sip.fields import NameAddress, read_uri
from callgate.sip.message import Field, Request, Response

MAXIMUM_ROUTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """One dialog, seen from our end."""

    call_id: str
    local: str
    """Our value of From (To if we were called), tag included."""
    local_tag: str
    remote: str
    """The peer's, tag included if it has one."""
    remote_tag: str | None
    target: str
    """The URI requests go to: the peer's Contact."""
    routes: tuple[str, ...]
    """Route values, the next one first."""
    sequence: int
    """CSeq of our last request."""
    remote_sequence: int | None = None

    @classmethod
    def of_caller(cls, invite: Request, response: Response) -> Dialog:
        """The dialog a 2xx (or a provisional) response to our INVITE makes (section 12.1.2).

        Without Contact, which it must have, the INVITE's own URI is the target. ProtocolError if fields are not valid.
        """
        contacts = response.contacts
        return cls(
            call_id=invite.call_id,
            local=invite.values("From")[0],
            local_tag=invite.sender.tag or "",
            remote=response.values("To")[0],
            remote_tag=response.recipient.tag,
            target=_target(contacts[0]) if contacts else invite.uri,
            routes=tuple(reversed(_routes(response))),
            sequence=invite.cseq.sequence,
        )

    @classmethod
    def of_called(cls, invite: Request, tag: str) -> Dialog:
        """The dialog of an INVITE we accept, `tag` being ours (section 12.1.1).

        ProtocolError if its Contact is missing or fields are not valid.
        """
        contacts = invite.contacts
        if not contacts:
            raise ProtocolError("an INVITE without Contact")
        return cls(
            call_id=invite.call_id,
            local=f"{invite.values('To')[0]};tag={tag}",
            local_tag=tag,
            remote=invite.values("From")[0],
            remote_tag=invite.sender.tag,
            target=_target(contacts[0]),
            routes=tuple(_routes(invite)),
            sequence=0,
            remote_sequence=invite.cseq.sequence,
        )

    def next(self) -> Dialog:
        """The dialog after one more request of ours."""
        return replace(self, sequence=self.sequence + 1)

    def holds(self, request: Request) -> bool:
        """Whether a request of the peer's is within this dialog (section 12.2.2)."""
        return (
            request.call_id == self.call_id
            and request.recipient.tag == self.local_tag
            and request.sender.tag == self.remote_tag
        )

    def request(self, method: str, via: str, *, more: tuple[Field, ...] = ()) -> Request:
        """A request of the dialog's present sequence number (section 12.2.1.1). `via` is the value of its Via."""
        uri, routes = self.target, self.routes
        if routes and "lr" not in _uri_parameters(routes[0]):  # a strict router, of RFC 2543
            uri, routes = NameAddress.read(routes[0], "Route").uri, (*routes[1:], f"<{self.target}>")
        fields: list[Field] = [("Via", via), *(("Route", route) for route in routes), ("Max-Forwards", "70")]
        fields += [("From", self.local), ("To", self.remote), ("Call-ID", self.call_id)]
        fields += [("CSeq", f"{self.sequence} {method}"), *more, ("Content-Length", "0")]
        return Request(method=method, uri=uri, fields=tuple(fields))


def _routes(message: Request | Response) -> list[str]:
    routes = message.elements("Record-Route")
    if len(routes) > MAXIMUM_ROUTES:
        raise ProtocolError(f"more than {MAXIMUM_ROUTES} elements in Record-Route")
    for route in routes:
        NameAddress.read(route, "Record-Route")
    return routes


def _target(contact: NameAddress) -> str:
    read_uri(contact.uri, "Contact")
    return contact.uri.partition("?")[0]


def _uri_parameters(route: str) -> list[str]:
    uri = NameAddress.read(route, "Route").uri
    return [parameter.partition("=")[0].lower() for parameter in uri.partition("?")[0].split(";")[1:]]
