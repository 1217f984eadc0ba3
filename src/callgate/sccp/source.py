"""Source of one function: its lines, and the objects they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callgate.sccp import ending, values
from callgate.sccp.message import AsSent


class Source:
    """Lines of a function, and the objects they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {
            name: getattr(values, name)
            for name in dir(values)
            if name.startswith(("read_", "write_", "refill_", "ipv"))
        }
        self.names |= {name: getattr(ending, name) for name in dir(ending) if name.startswith(("read_", "write_"))}
        self.names |= {"Z": values.Z, "AsSent": AsSent, "FieldError": values.FieldError}

    def bind(self, thing: Any) -> str:
        """A name for an object."""
        name = f"bound{len(self.names)}"
        self.names[name] = thing
        return name

    def compiled(self, name: str, signature: str) -> Callable[..., Any]:
        """The function."""
        text = f"def {name}({signature}):\n" + "\n".join(f"    {line}" for line in self.lines)
        exec(compile(text, f"<callgate.sccp {name}>", "exec"), self.names)  # noqa: S102 - our own declarations
        function: Callable[..., Any] = self.names[name]
        return function
