"""What phones in trusted networks must be able to reach, and whether they did."""

from __future__ import annotations

from callgate.audit.answers import Answers, Measurement
from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.endpoint.answer import Answer
from callgate.evidence.listener import Family


def must_answer(target: Target, service: Service) -> frozenset[Family]:
    """The families in which the service owes trusted networks an answer; none when it is neither offered nor expected.

    Offered: a socket listens beyond loopback. Expected: the site file says so. A family without a trusted
    network has no phones.
    """
    trusted: frozenset[Family] = frozenset(4 if network.version == 4 else 6 for network in target.plan.site.trusted)
    expected = target.expected is not None and service.name in target.expected
    if target.from_outside:
        addresses: frozenset[Family] = frozenset(4 if one.version == 4 else 6 for one in target.probed_addresses())
        return trusted & addresses if expected else frozenset()
    own: frozenset[Family] = frozenset(4 if one.version == 4 else 6 for one in target.probed_addresses())
    offered: set[Family] = set()
    for listener in target.evidence.listeners:
        if service.claims(listener) and not listener.loopback:
            offered |= listener.families
    if expected and not offered:
        return trusted & own
    return trusted & own & offered


def not_answered(
    service: Service, answers: Answers, families: frozenset[Family]
) -> tuple[list[Measurement], list[str]]:
    """Who was locked out, and what stayed open: per family, one answered address is enough for a phone."""
    locked_out: list[Measurement] = []
    doubtful: list[str] = []
    for family in sorted(families):
        seen = [one for one in answers.of(service, "trusted") if one.address.version == family]
        for vantage in dict.fromkeys(one.vantage for one in seen):
            mine = [one for one in seen if one.vantage == vantage]
            nothing_learnt = (Answer.NO_ROUTE, Answer.INCONCLUSIVE)
            turned_away = [one for one in mine if one.finding.answer not in nothing_learnt]
            if any(one.finding.answer is Answer.ANSWERS for one in mine):
                continue
            if any(one.finding.answer is Answer.SILENT for one in mine):
                doubtful += [f"open, but no answer: {one}" for one in mine if one.finding.answer is Answer.SILENT]
            elif turned_away:
                locked_out.append(turned_away[0])
            else:
                doubtful.append(f"nothing is learnt over IPv{family}: {mine[0]}")
        if not seen and not answers.doubts("trusted"):
            doubtful.append(f"no trusted vantage probed it over IPv{family}")
    return locked_out, doubtful
