"""From a layout to the functions that read and write it: Python source, made once per layout and compiled.

The source is made of declarations alone, never of input. A function reads the first `count` fields of a body: bodies
may stop at any field, and each stop has its own compiled struct.
"""

from __future__ import annotations

from functools import cache
from struct import Struct

import msgspec

from callgate.sccp import values
from callgate.sccp.fields import (
    V4,
    V6,
    Array,
    Blob,
    Choice,
    CountedOctets,
    CString,
    FamilyAddress,
    Integer,
    LastText,
    LeadingCString,
    Octets,
    Text,
)
from callgate.sccp.layout import Form, Node, known, layout
from callgate.sccp.message import Structure
from callgate.sccp.selectors import Scope, as_tuple, case_selectors, free_selectors
from callgate.sccp.source import Source

_INTEGERS = {(1, False): "B", (2, False): "H", (4, False): "I", (4, True): "i"}


class Reader:
    """Writes the source that reads fields in order."""

    def __init__(self, form: Form, path: str, count: int) -> None:
        self.source = Source()
        self.form = form
        self.formats: list[str] = []
        self.unpacked: list[str] = []
        self.has_room = False
        self.size = 0
        """Bytes of the fields so far, without one that takes what is left."""
        self.strings: list[Node] = []
        self.is_open = False
        """Whether the last field takes what is left of the body."""
        self._path = path
        self._left = count

    def arguments(
        self, cls: type[msgspec.Struct], nodes: tuple[Node, ...], path: tuple[str, ...], scope: Scope
    ) -> list[str]:
        """The arguments that build a structure or message of the fields there are."""
        arguments: list[str] = []
        order = iter(cls.__struct_fields__)
        positional = True
        for node in nodes:
            if not self._left:
                break
            if node.children and node.structure:
                inner: Scope = dict(scope)
                built = ", ".join(self.arguments(node.structure, node.children, (*path, node.name), inner))
                value = f"{self.source.bind(node.structure)}({built})"
                scope |= {f"{node.attribute}.{name}": inner[name] for name in inner if inner[name] != scope.get(name)}
            else:
                self._left -= 1
                value = self._field(node, (*path, node.name), scope)
            positional = positional and next(order) == node.attribute
            arguments.append(value if positional else f"{node.attribute}={value}")
        return arguments

    def path(self, names: tuple[str, ...]) -> str:
        """The expression of a field's path."""
        text = ".".join(names)
        return repr(text) if not self._path else f'{self._path} + ".{text}"'

    def _raw(self, code: str) -> str:
        self.formats.append(code)
        name = f"v{len(self.unpacked)}"
        self.unpacked.append(name)
        return name

    def _field(self, node: Node, names: tuple[str, ...], scope: Scope) -> str:
        path = self.path(names)
        source = self.source
        if node.is_last:
            return self._last(node, path, scope)
        self.size += node.size
        match node.kind:
            case Integer(size=size, signed=signed):
                raw = self._raw(_INTEGERS[size, signed])
                scope[node.attribute] = raw
                if node.enum is None:
                    return raw
                return f"{source.bind(node.enum._value2member_map_.get)}({raw}, {raw})"
            case Text(size=size):
                self.has_room = True
                raw = self._raw(f"{node.size}s")
                text = f"t{raw[1:]}"
                longer = f" or len({text}) > {size}" if node.size > size else ""
                source.lines += [
                    f"{text} = {raw}.rstrip(Z)",
                    f"if Z in {text}{longer}: {text} = read_text(junk, {path}, {raw}, {size})",
                ]
                return text
            case Octets(size=size, room=room):
                raw = self._raw(f"{node.size}s")
                if not room:
                    return raw
                return self._kept(f"read_octets(junk, {path}, {raw}, {size})")
            case CountedOctets(size=size, count=count):
                return self._kept(f"read_octets(junk, {path}, {self._raw(f'{size}s')}, min({scope[count]}, {size}))")
            case LeadingCString():
                return "lead"
            case V4():
                return f"ipv4({self._raw('4s')})"
            case V6():
                return f"ipv6({self._raw('16s')})"
            case FamilyAddress():
                return self._kept(f"read_family(junk, {path}, {self._raw('I')}, {self._raw('16s')})")
            case Array():
                return self._array(node, node.kind, path, scope)
            case Choice():
                union = source.bind(union_of(node.kind, self.form))
                free = as_tuple(scope, case_selectors(node.kind, self.form))
                read = f"{union}.read(junk, {path}, {self._raw(f'{node.size}s')}, {scope[node.kind.selector]}, {free})"
                return self._kept(read)
        raise TypeError(f"{node.attribute} has no kind that can be read in its place")

    def _kept(self, read: str) -> str:
        """A call that may add to the junk comes before the lines that ask whether there is any."""
        self.has_room = True
        name = f"k{len(self.source.lines)}"
        self.source.lines.append(f"{name} = {read}")
        return name

    def _numbers(self, node: Node, kind: Array, code: str) -> str:
        """Numbers that are all valid need no chunk of their own."""
        self.formats.append(f"{kind.size}{code}")
        names = [f"v{len(self.unpacked) + n}" for n in range(kind.size)]
        self.unpacked += names
        numbers = f"({', '.join(names)},)"
        if node.enum is None:
            return numbers
        named = self.source.bind(node.enum._value2member_map_.get)
        self.source.lines.append(f"n{names[0]} = {numbers}")
        return f"tuple(map({named}, n{names[0]}, n{names[0]}))"

    def _last(self, node: Node, path: str, scope: Scope) -> str:
        """A field that ends the body. Its lines set `used`, `room` and `open_end`."""
        source = self.source
        lines = source.lines
        self.is_open = True
        if isinstance(node.kind, CString):
            self.strings.append(node)
            return f"s{len(self.strings) - 1}"
        match node.kind:
            case LastText(size=usual, most=most, whole=True):
                call = f"read_last_text(junk, {path}, rest, {usual}, {max(usual, most)})"
            case LastText(size=most):
                call = f"read_free_text(junk, {path}, rest, {most}, {self.size})"
            case Blob(count=count, size=most):
                call = f"read_data(junk, {path}, rest, {scope[count]}, {most}, {self.size})"
            case Array(count=count, size=usual):
                entries = source.bind(entries_of(node, self.form))
                counted = scope[count] if count else str(usual)
                call = f"read_entries(junk, {path}, rest, {entries}, {counted}, {usual})"
            case _:
                raise TypeError(f"{node.attribute} does not end a body")
        lines += [f"last, used, room = {call}", "open_end = False"]
        return "last"

    def read_strings(self) -> None:
        """The line that reads the strings of a dynamic message."""
        old = sum(not node.since for node in self.strings)
        most = len(self.strings)
        since = max(node.since for node in self.strings)
        usual = f"{old} if version < {since} else {most}" if since else str(most)
        names = ", ".join(f"s{n}" for n in range(most))
        self.source.lines += [f"({names},), used, open_end = read_strings(rest, {usual}, {most})", "room = None"]

    def _array(self, node: Node, kind: Array, path: str, scope: Scope) -> str:
        entries = entries_of(node, self.form)
        if isinstance(entries, values.Numbers) and kind.count is None:
            return self._numbers(node, kind, entries.one.format[1:])
        count = f"min({scope[kind.count]}, {kind.size})" if kind.count else str(kind.size)
        read = f"{self.source.bind(entries)}.read"
        return self._kept(f"{read}(junk, {path}, {self._raw(f'{node.size}s')}, {count})")


@cache
def entries_of(node: Node, form: Form) -> values.Entries | values.Numbers:
    """How the entries of an array are read and written."""
    kind = node.kind
    if not isinstance(kind, Array):
        raise TypeError(f"{node.attribute} is no array")
    if kind.of is not None:
        return values.Numbers(_INTEGERS[kind.of.size, kind.of.signed], node.enum)
    structure = known(node.structure)
    if free_selectors(structure, form):
        raise TypeError(f"{node.attribute}: what selects a union of an entry stands in the entry")
    return structure_code(structure, form)


@cache
def union_of(choice: Choice, form: Form) -> values.Union:
    """How a union is read and written. Of the selectors from outside, each member gets its own."""
    outer = case_selectors(choice, form)
    cases = []
    for case in choice.cases:
        code = None
        own: tuple[int, ...] = ()
        if issubclass(case.kind, Structure):
            code = structure_code(case.kind, form)
            own = tuple(outer.index(name) for name in free_selectors(case.kind, form))
        cases.append(values.UnionCase(case.name, case.when, case.kind, code, own))
    return values.Union(choice.room, cases)


@cache
def structure_code(cls: type[Structure], form: Form) -> values.Entries:
    """How one structure is read and written where it is not part of the message's own struct."""
    whole = layout(cls, form)
    free = free_selectors(cls, form)
    reader = Reader(form, "path", len(whole.leaves))
    scope: Scope = {name: f"free[{n}]" for n, name in enumerate(free)}
    arguments = ", ".join(reader.arguments(cls, whole.nodes, (), dict(scope)))
    reader.source.lines.append(f"return {reader.source.bind(cls)}({arguments})")
    read = reader.source.compiled("read", ", ".join(["junk", "path", "free", *reader.unpacked]))
    writer = Writer(form, "path", len(whole.leaves))
    writer.fields("o", whole.nodes, (), dict(scope))
    writer.source.lines.append(f"return ({''.join(f'{value}, ' for value in writer.packed)})")
    write = writer.source.compiled("write", "path, left, free, o")
    return values.Entries(Struct("<" + "".join(reader.formats)), read, write)


class Writer:
    """Writes the source that turns fields into what `struct` packs."""

    def __init__(self, form: Form, path: str, count: int) -> None:
        self.source = Source()
        self.form = form
        self.formats: list[str] = []
        self.packed: list[str] = []
        self.lead = ""
        """The expression of the string that begins the body."""
        self.ending = ""
        """The expression of the field that ends the body."""
        self.strings: list[tuple[str, str]] = []
        """Paths and places of the strings that end the body."""
        self._path = path
        self._left = count
        self._names = 0

    def fields(self, owner: str, nodes: tuple[Node, ...], path: tuple[str, ...], scope: Scope) -> None:
        """The fields of a structure or message, as far as they are there."""
        for node in nodes:
            if not self._left:
                break
            place = f"{owner}.{node.attribute}"
            if node.children:
                inner = self._name()
                self.source.lines.append(f"{inner} = {place}")
                below = dict(scope)
                self.fields(inner, node.children, (*path, node.name), below)
                scope |= {f"{node.attribute}.{name}": below[name] for name in below if below[name] != scope.get(name)}
                continue
            self._left -= 1
            self._field(node, place, (*path, node.name), scope)

    def path(self, names: tuple[str, ...]) -> str:
        """The expression of a field's path."""
        text = ".".join(names)
        return repr(text) if not self._path else f'{self._path} + ".{text}"'

    def _name(self) -> str:
        self._names += 1
        return f"n{self._names}"

    def _pack(self, code: str, *packed: str) -> None:
        self.formats.append(code)
        self.packed += packed

    def _field(self, node: Node, place: str, names: tuple[str, ...], scope: Scope) -> None:
        path = self.path(names)
        lines = self.source.lines
        if node.is_last:
            self._last(node, place, path, scope)
            return
        match node.kind:
            case Integer(size=size, signed=signed):
                scope[node.attribute] = place
                self._pack(_INTEGERS[size, signed], place)
            case Text(size=size):
                text = self._name()
                lines += [
                    f"{text} = {place}",
                    f"if left or len({text}) > {size} or Z in {text}: "
                    f"{text} = refill_text({path}, {text}, {size}, left)",
                ]
                self._pack(f"{node.size}s", text)
            case Octets(size=size):
                self._pack(f"{node.size}s", f"write_exactly({path}, {place}, {size}) + left.get({path}, b'')")
            case CountedOctets(size=size, count=count):
                octets = f"write_counted({path}, {place}, {scope[count]}, {size})"
                self._pack(f"{size}s", f"{octets} + left.get({path}, b'')")
            case LeadingCString():
                self.lead = f"write_strings(({path},), ({place},), False)"
            case V4():
                self._pack("4s", f"write_v4({path}, {place})")
            case V6():
                self._pack("16s", f"write_v6({path}, {place})")
            case FamilyAddress():
                family, octets = self._name(), self._name()
                lines.append(f"{family}, {octets} = write_family({path}, {place}, left)")
                self._pack("I16s", family, octets)
            case Array(count=count, size=size):
                coded = entries_of(node, self.form)
                if isinstance(coded, values.Numbers) and count is None:
                    self._pack(f"{size}{coded.one.format[1:]}", f"*{place}")
                    return
                entries = self.source.bind(coded)
                valid = f"min({scope[count]}, {size})" if count else str(size)
                self._pack(f"{node.size}s", f"{entries}.write({path}, left, {place}, {valid})")
            case Choice(selector=selector):
                union = self.source.bind(union_of(node.kind, self.form))
                free = as_tuple(scope, case_selectors(node.kind, self.form))
                self._pack(f"{node.size}s", f"{union}.write({path}, left, {place}, {scope[selector]}, {free})")
            case _:
                raise TypeError(f"{node.attribute} has no kind that can be written in its place")

    def _last(self, node: Node, place: str, path: str, scope: Scope) -> None:
        match node.kind:
            case CString():
                self.strings.append((path, place))
                paths = "".join(f"{path}, " for path, _ in self.strings)
                places = "".join(f"{place}, " for _, place in self.strings)
                self.ending = f"write_strings(({paths}), ({places}), open_end)"
            case LastText(size=usual, whole=True):
                self.ending = f"write_last_text({path}, left, {place}, {usual}, room)"
            case LastText(size=most):
                self.ending = f"write_free_text({path}, left, {place}, {most}, room)"
            case Blob(count=count):
                self.ending = f"write_data({path}, left, {place}, {scope[count]}, room)"
            case Array(count=count, size=usual):
                entries = self.source.bind(entries_of(node, self.form))
                counted = scope[count] if count else str(usual)
                self.ending = f"write_entries({path}, left, {entries}, {place}, {counted}, {usual}, room)"
            case _:
                raise TypeError(f"{node.attribute} does not end a body")
