"""A ruleset as the tools take it, before any kernel has seen it."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Texts for each tool, loaded in this order; empty ones are not loaded."""

    ipset: str = ""
    """For `ipset restore`."""
    iptables: str = ""
    """For `iptables-nft-restore`, like the three below: the format of iptables-save."""
    ip6tables: str = ""
    iptables_legacy: str = ""
    ip6tables_legacy: str = ""
    nft: str = ""
    """For `nft -f`."""
    settings: tuple[tuple[str, str], ...] = ()
    """Parameters of the kernel that are not as usual, like `("net.ipv4.conf.all.rp_filter", "1")`."""

    @property
    def legacy(self) -> bool:
        """Whether legacy tables are used, of either family."""
        return bool(self.iptables_legacy or self.ip6tables_legacy)

    def __str__(self) -> str:
        parts = [(field.name, getattr(self, field.name)) for field in fields(self) if field.name != "settings"]
        parts += [("sysctl", "\n".join(f"{name} = {value}" for name, value in self.settings))]
        return "\n".join(f"--- {name}\n{text.rstrip()}" for name, text in parts if text) or "--- no rules"
