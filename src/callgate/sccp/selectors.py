"""What unions are selected by, when the selecting field is not in their own structure."""

from __future__ import annotations

from callgate.sccp.fields import Choice
from callgate.sccp.layout import Form, Node, layout
from callgate.sccp.message import Structure

Scope = dict[str, str]
"""Names that a union may select by, and the variables that hold them."""


def free_selectors(cls: type[Structure], form: Form) -> tuple[str, ...]:
    """The fields outside a structure that unions inside it are selected by."""
    return _free(layout(cls, form).nodes, form)


def _free(nodes: tuple[Node, ...], form: Form) -> tuple[str, ...]:
    inside: set[str] = set()
    wanted: set[str] = set()
    for node in nodes:
        inside.add(node.attribute)
        if node.children:
            wanted |= set(_free(node.children, form))
            inside |= {f"{node.attribute}.{child.attribute}" for child in node.children}
        if isinstance(node.kind, Choice):
            wanted.add(node.kind.selector)
            wanted |= set(case_selectors(node.kind, form))
    return tuple(sorted(wanted - inside))


def case_selectors(choice: Choice, form: Form) -> tuple[str, ...]:
    """The fields outside a union that unions inside its members are selected by."""
    wanted: set[str] = set()
    for case in choice.cases:
        if issubclass(case.kind, Structure):
            wanted |= set(free_selectors(case.kind, form))
    return tuple(sorted(wanted))


def as_tuple(scope: Scope, names: tuple[str, ...]) -> str:
    """The expression of the variables that hold some selectors."""
    return "(" + "".join(f"{scope[name]}, " for name in names) + ")"
