"""What `callgate probe` prints of each port, and of those it does not show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from callgate.endpoint.answer import Answer, Application
from callgate.endpoint.probe.result import Result
from callgate.endpoint.probe.scanner import DEVICE, PLUGIN, PORT, Replay
from callgate.endpoint.probe.target import Target

_SCANNER = f'plugin {PLUGIN}, "Skinny Server Detection",'


def as_text(result: Result) -> str:
    """Lines for people: one of the port, and two or three of the scanner's exchange."""
    question = result.question
    name = f" ({question.target.where})" if isinstance(question.target.where, str) else ""
    port = f"{question.port}/{_transport(result)}"
    text = result.finding.text
    if result.fingerprint is not None:
        text += f"; {result.fingerprint}"
    elif result.finding.answer is Answer.SILENT and question.service.application == Application.SCCP:
        text += "; whether SCCP is there: inconclusive"
    where = f"{question.address}{name}"
    lines = [f"{where:<16} {port:<9} {question.service.name:<8}  {result.finding.answer:<9}  {text}\n"]
    if result.replay is not None:
        lines += [f"    {line}\n" for line in _replay_lines(result, result.replay)]
    return "".join(lines)


def as_object(result: Result) -> str:
    """One JSON object and a line end."""
    question, observation = result.question, result.observation
    value: dict[str, Any] = {
        "target": question.target.text,
        "address": str(question.address),
        "port": question.port,
        "transport": _transport(result),
        "service": question.service.name,
        "answer": str(result.finding.answer),
        "open": result.finding.answer.is_open,
        "detected": None if result.detected is None else str(result.detected),
        "text": result.finding.text,
        "milliseconds": observation.milliseconds,
        "source": None if observation.source is None else str(observation.source),
        "tls": None,
        "fingerprint": None,
        "scanner": None,
    }
    if observation.tls is not None:
        value["tls"] = {"version": observation.tls.version, "cipher": observation.tls.cipher}
    if (seen := result.fingerprint) is not None:
        value["fingerprint"] = {
            "family": seen.family,
            "basis": str(seen.basis),
            "version": seen.version,
            "product": seen.product,
            "status": seen.status,
            "reason": seen.reason,
            "evidence": list(seen.evidence),
            "headers": list(seen.headers),
        }
    if (replay := result.replay) is not None:
        value["scanner"] = {
            "plugin": PLUGIN,
            "reported": replay.prediction.reported,
            "text": replay.prediction.text,
            "registered": replay.registered,
            "left": replay.left,
            "milliseconds": replay.milliseconds,
        }
    return json.dumps(value) + "\n"


def unresolved_object(target: Target, reason: str) -> str:
    """The JSON object of a name without addresses, and a line end; its fields are those of `as_object`."""
    value: dict[str, Any] = {"target": target.text, "address": None, "port": target.port, "transport": None}
    value |= {"service": None, "answer": str(Answer.INCONCLUSIVE), "open": False, "detected": None, "text": reason}
    value |= {"milliseconds": 0, "source": None, "tls": None, "fingerprint": None, "scanner": None}
    return json.dumps(value) + "\n"


class Account:
    """What was learnt, all in all. Of a network only open ports are shown, unless `show_all`."""

    def __init__(self, *, show_all: bool) -> None:
        self._show_all = show_all
        self.answers: Counter[Answer] = Counter()
        self._hidden: dict[str, Counter[Answer]] = {}
        self._networks_learnt: dict[str, bool] = {}
        self._undetermined = False

    def take(self, result: Result) -> bool:
        """Count a result; whether it is to be shown."""
        answer = result.finding.answer
        self.answers[answer] += 1
        target = result.question.target
        if result.replay is not None and result.replay.prediction.reported is None:
            self._undetermined = True
        if not isinstance(target.where, IPv4Network | IPv6Network):
            self._undetermined |= result.undetermined
            return True
        # Most addresses of a network are nobody's: only if all of them are was nothing learnt.
        self._networks_learnt[target.text] = self._networks_learnt.get(target.text, False) or not result.undetermined
        self._undetermined |= result.undetermined and not result.nobody
        if self._show_all or answer.is_open:
            return True
        self._hidden.setdefault(target.text, Counter())[answer] += 1
        return False

    @property
    def found_open(self) -> bool:
        """Whether a port was open."""
        return any(answer.is_open for answer in self.answers)

    @property
    def undetermined(self) -> bool:
        """Whether nothing could be learnt of some target."""
        return self._undetermined or not all(self._networks_learnt.values())

    def lines(self, planned: int, seconds: float) -> Iterator[str]:
        """What was left out, and the sum."""
        for text, answers in self._hidden.items():
            yield f"not shown of {text}: {_counted(answers)}"
        done = sum(self.answers.values())
        part = "" if done == planned else f" of {planned:,}"
        yield f"{done:,}{part} asked in {seconds:.1f} s: {_counted(self.answers) or 'nothing learnt'}"


def _counted(answers: Counter[Answer]) -> str:
    return ", ".join(f"{answers[answer]:,} {answer}" for answer in Answer if answers[answer])


def _transport(result: Result) -> str:
    """As people write it of a port: TLS runs over TCP."""
    return "udp" if result.question.service.transport == "udp" else "tcp"


def _replay_lines(result: Result, replay: Replay) -> Iterator[str]:
    prediction = replay.prediction
    verdict = {True: "would report it", False: "would not report it", None: "cannot be predicted"}[prediction.reported]
    yield f"{_SCANNER} {verdict}: {prediction.text}"
    if prediction.reported is False:
        if result.detected is not None:
            yield '"not reported" is not "not there": SCCP is there, as the KeepAliveAck shows'
        else:
            yield '"not reported" is not "not there": whether SCCP is there is inconclusive'
    if replay.registered:
        yield f"auto-registration is on: {DEVICE.decode()} was registered; {replay.left}"
    if result.question.port != PORT:
        yield f"the scanner itself asks port {PORT} only"
