"""What an audit is to do: its baseline, its site and its waivers, loaded and checked together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from callgate.baseline.library import DEFAULT_BASELINE, Baseline, load_baseline
from callgate.baseline.service import JUDGED_BY_DEFAULT, Service
from callgate.baseline.site import DEFAULT_SITE, DEFAULT_SITE_ASSUMPTION, Site, load_site, load_waivers
from callgate.baseline.waiver import Waiver
from callgate.errors import FileMistakes, Mistake


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """A baseline, a site and waivers that fit together."""

    baseline: Baseline
    site: Site
    site_path: Path | None
    waivers: tuple[Waiver, ...]

    @property
    def services(self) -> tuple[Service, ...]:
        """The services to judge, as the baseline names and the site changes them."""
        return self.site.judged(self.baseline.services or JUDGED_BY_DEFAULT)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What holds for every host because no file says otherwise."""
        return () if self.site_path else (DEFAULT_SITE_ASSUMPTION,)


def make_plan(baseline: str | None = None, site: Path | None = None, waiver_files: Sequence[Path] = ()) -> AuditPlan:
    """Load what the options name.

    Raises UsageMistake for a baseline that is not found, FileMistakes with the mistakes of all files together.
    """
    mistakes: list[Mistake] = []
    loaded_baseline: Baseline | None = None
    loaded_site = DEFAULT_SITE
    waivers: list[Waiver] = []
    try:
        loaded_baseline = load_baseline(baseline or DEFAULT_BASELINE)
    except FileMistakes as error:
        mistakes.extend(error.mistakes)
    try:
        loaded_site = load_site(site) if site else DEFAULT_SITE
    except FileMistakes as error:
        mistakes.extend(error.mistakes)
    for path in waiver_files:
        try:
            waivers.extend(load_waivers(path))
        except FileMistakes as error:
            mistakes.extend(error.mistakes)
    if mistakes or loaded_baseline is None:
        raise FileMistakes(mistakes)
    return AuditPlan(loaded_baseline, loaded_site, site, (*loaded_site.waivers, *waivers))
