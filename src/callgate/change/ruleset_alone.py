"""Two rulesets without their host, judged on one and the same: every interface and address either of them names."""

from __future__ import annotations

from functools import cached_property

from callgate.audit.target import Target
from callgate.change.snapshot import target_of
from callgate.evidence.bundle import Bundle
from callgate.evidence.evidence import Evidence
from callgate.firewall.assumed import assumed_host
from callgate.firewall.policy import Policy
from callgate.firewall.rule import Ruleset


class _Ruled(Evidence):
    """A ruleset alone, on a host that was made for two."""

    def __init__(self, bundle: Bundle, policy: Policy) -> None:
        super().__init__(bundle)
        self._ruled = policy

    @cached_property
    def policy(self) -> Policy:
        """The rules, on the host made for both."""
        return self._ruled


def on_one_host(before: Target, after: Target) -> tuple[Target, Target]:
    """Both rulesets on a host that has what either names: an interface that one alone names is there for both.

    Raises EvidenceError for a dump that is damaged.
    """
    rulesets = [target.evidence.policy.ruleset for target in (before, after)]
    # The keys only hold the chains apart: the rules tell what is named.
    chains = {
        name._replace(table=f"{at} {name.table}"): chain
        for at, ruleset in enumerate(rulesets)
        for name, chain in ruleset.chains.items()
    }
    host = assumed_host(Ruleset(chains=chains))
    one, other = (
        target_of(target.evidence.bundle, target.plan, _Ruled(target.evidence.bundle, Policy(ruleset, host)))
        for target, ruleset in zip((before, after), rulesets, strict=True)
    )
    return one, other
