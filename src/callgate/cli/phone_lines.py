"""What `callgate phone` prints of an attempt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from callgate.endpoint.attempt import Attempt, CallRecord, Ending, RegistrationTerms

_HEARD: Final = {
    Ending.DONE: "audio both ways",
    Ending.ONE_WAY: "audio one way only",
    Ending.NO_AUDIO: "no audio at either end",
}


def as_text(attempt: Attempt, way: str, *, verbose: bool) -> str:
    """The ending and what happened; below it, where known: the way, the terms, the audio, and with `verbose` each
    message. `way` is the server and how it was spoken to.
    """
    return "\n".join(_lines(attempt, way, verbose=verbose))


def _lines(attempt: Attempt, way: str, *, verbose: bool) -> Iterator[str]:
    made, terms = attempt.call, attempt.registration
    if made is not None and attempt.ending in _HEARD:
        heard = _HEARD[attempt.ending]
        if attempt.ending is Ending.DONE and not made.audio.echoed:
            heard = "audio came, but none of ours back: whether it arrived is open"
        head = f"call with {made.number or 'an unnamed caller'}, {made.seconds:.1f} s, {heard}"
    elif attempt.ending is Ending.DONE:
        head = f"registered in {attempt.milliseconds} ms"
    else:
        head = attempt.text
    # What went wrong afterwards stands behind a semicolon.
    after = attempt.text.partition("; ")[2] if attempt.ending is Ending.DONE else ""
    yield f"{attempt.ending}: {head}" + (f"; {after}" if after else "")
    if attempt.source is not None:
        yield f"  from {attempt.source} to {way}"
    if terms is not None:
        yield f"  registration: {_terms(terms)}"
    if made is not None:
        yield f"  audio: {_audio(made)}"
    if verbose:
        yield from (f"    {line}" for line in attempt.transcript)


def _terms(terms: RegistrationTerms) -> str:
    """SCCP names a protocol version, SIP mostly its server."""
    if terms.protocol_version is not None:
        return f"protocol version {terms.protocol_version}, keepalive every {terms.interval_seconds} s"
    return f"for {terms.interval_seconds} s" + (f", with {terms.server}" if terms.server else "")


def _audio(made: CallRecord) -> str:
    audio = made.audio
    where = made.far_end or "nobody: the server named no address to send audio to"
    counts = f"{audio.sent} packets sent, {audio.received} received, {audio.echoed} of them our own"
    stray = f", {audio.stray} others" if audio.stray else ""
    return f"{made.codec or 'no codec'} with {where}; {counts}{stray}"


def as_object(attempt: Attempt) -> str:
    """One JSON object."""
    terms, made = attempt.registration, attempt.call
    value = {
        "ending": str(attempt.ending),
        "text": attempt.text,
        "source": str(attempt.source) if attempt.source else None,
        "milliseconds": attempt.milliseconds,
        "registration": None
        if terms is None
        else {
            "interval_seconds": terms.interval_seconds,
            "protocol_version": terms.protocol_version,
            "server": terms.server,
        },
        "call": None
        if made is None
        else {
            "number": made.number,
            "far_end": str(made.far_end) if made.far_end else None,
            "codec": made.codec,
            "seconds": made.seconds,
            "sent": made.audio.sent,
            "received": made.audio.received,
            "echoed": made.audio.echoed,
            "stray": made.audio.stray,
        },
        "transcript": list(attempt.transcript),
    }
    return json.dumps(value)
