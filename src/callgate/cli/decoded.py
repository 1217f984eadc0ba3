"""What `callgate decode` prints of a message, and which it takes."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from datetime import UTC, datetime

from callgate.errors import UsageMistake
from callgate.records.account import Account, id_of, name_of
from callgate.records.direction import KEEP_ALIVES, RETRANSMISSIONS
from callgate.records.events import Endpoint
from callgate.records.fragments import REPEATED
from callgate.records.signalling import FROM_PHONE, SccpMessage, SessionEnd, Signalling, SipMessage
from callgate.records.tally import Tally
from callgate.sccp import CATALOGUE, described, fields_of, unexplained_tail

_encode = json.JSONEncoder(ensure_ascii=True, separators=(", ", ": ")).encode
_SECOND = 1_000_000_000
_HARMLESS = frozenset({RETRANSMISSIONS, KEEP_ALIVES, REPEATED})


class Selection:
    """Which messages are wanted: of these ids or names, of these devices; all, where none are given.

    UsageMistake for a name that no message has.
    """

    def __init__(self, ids: tuple[str, ...], devices: tuple[str, ...]) -> None:
        self._ids = frozenset(_id_of(text) for text in ids)
        self._devices = frozenset(name.casefold() for name in devices)

    def takes(self, found: Signalling) -> bool:
        """Whether a message is wanted. SIP has neither ids nor SCCP devices; the end of a session has no id."""
        if isinstance(found, SipMessage):
            return not self._ids and not self._devices
        if self._ids and (isinstance(found, SessionEnd) or id_of(found.message) not in self._ids):
            return False
        return not self._devices or bool(self._devices & _names(found))


def _names(found: SccpMessage | SessionEnd) -> set[str]:
    names = {str(found.flow.source.address).casefold(), str(found.flow.destination.address).casefold()}
    if isinstance(found, SccpMessage):
        names = {str(phone_of(found).address).casefold()}
    return names if found.device is None else {*names, found.device.casefold()}


def phone_of(found: SccpMessage) -> Endpoint:
    """The phone's end of the connection."""
    return found.flow.source if found.direction == FROM_PHONE else found.flow.destination


def _id_of(text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        pass
    else:
        if 0 <= number <= 0xFFFFFFFF:
            return number
        raise UsageMistake(f"--id {text}: a message id has 32 bits")
    names = {cls.name.casefold(): cls.id for cls in CATALOGUE.values()}
    wanted = text.casefold()
    for name in (wanted, f"{wanted}message"):
        if name in names:
            return names[name]
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    hint = f" (near: {CATALOGUE[names[near[0]]].name})" if near else ""
    raise UsageMistake(f"--id {text}: neither a number nor the name of a message{hint}")


def as_object(found: Signalling) -> str:
    """The message as one line of JSON; nothing for the end of a session."""
    if isinstance(found, SessionEnd):
        return ""
    plain: dict[str, object] = {
        "time": found.time / _SECOND,
        "source": str(found.flow.source),
        "destination": str(found.flow.destination),
    }
    if isinstance(found, SipMessage):
        plain |= {"direction": None, "header_version": None, "id": None, "name": "SIP"}
        plain["fields"] = {"startLine": found.start_line}
        return _encode(plain) + "\n"
    message = found.message
    plain |= {"direction": found.direction, "header_version": message.header_version}
    plain |= {"id": id_of(message), "name": name_of(message), "fields": fields_of(message)}
    tail = unexplained_tail(message)
    if tail:
        plain["unexplained_tail"] = tail.hex()
    if found.violations:
        plain["violations"] = [str(violation) for violation in found.violations]
    return _encode(plain) + "\n"


def as_text(found: Signalling, *, full: bool) -> str:
    """The message as one line for people, and one for each rule it breaks; strangers' text is escaped."""
    time = time_of(found.time)
    if isinstance(found, SipMessage):
        return f"{time} {found.flow.source} > {found.flow.destination} SIP {json.dumps(found.start_line)}\n"
    broken = "".join(f"  ! {violation}\n" for violation in found.violations)
    if isinstance(found, SessionEnd):
        who = str(found.flow) if found.device is None else printable(found.device)
        return f"{time} {who} the connection ended\n{broken}"
    message = found.message
    fields = "".join(f" {path}={text}" for path, text in described(message, entries=full))
    tail = unexplained_tail(message)
    extra = f" +{len(tail)} bytes unexplained" if tail else ""
    who = str(phone_of(found).address) if found.device is None else printable(found.device)
    return f"{time} {who} {found.direction} {id_of(message):04x} {name_of(message)}{fields}{extra}\n{broken}"


def printable(text: str) -> str:
    """A stranger's string, escaped where a terminal would act on it."""
    return text if text.isprintable() and text.isascii() else json.dumps(text)


def time_of(time: int) -> str:
    """Nanoseconds since 1970 as a date and time, UTC, to the microsecond."""
    try:
        moment = datetime.fromtimestamp(time // _SECOND, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time / _SECOND:.6f}"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{time % _SECOND // 1000:06d}"


def left_out(tally: Tally, account: Account) -> Iterator[str]:
    """What of a capture was not decoded, and what no source explains: one line each."""
    for reason, packets in sorted(tally.unread.items()):
        yield f"{packets} packets not read: {reason}"
    for what, count in sorted(account.undecoded.items()):
        yield f"{count} {what}"
    if account.violations:
        yield f"{account.violations} messages out of order, as the session model has it"
    for name, count in sorted(account.unexplained_tails.items()):
        yield f"{count} {name} with bytes behind the fields that no source explains"
    for number, count in sorted(account.unknown.items()):
        yield f"{count} messages of unknown id {number}"
    for what, count in sorted(tally.notes.items()):
        if what not in _HARMLESS:
            yield f"{count} {what}"
