"""Baselines that judge a host as it runs: most lab hosts hold rules that nothing saves."""

from __future__ import annotations

from pathlib import Path

from callgate.baseline.library import load_baseline


def as_it_runs(directory: Path, baseline: str = "voip-core") -> Path:
    """A baseline file below `directory`: the shipped one, without its controls of what a boot brings."""
    lines = [f"id: {baseline}-as-it-runs", "title: As it runs now", f"extends: [{baseline}]", "controls:"]
    at_boot = [control for control in load_baseline(baseline).controls if control.startswith("PER-")]
    assert at_boot
    lines += [f"  - {{id: {control}, enabled: false}}" for control in at_boot]
    path = directory / f"{baseline}-as-it-runs.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
