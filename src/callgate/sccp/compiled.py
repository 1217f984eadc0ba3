"""The functions that read and write whole messages, one for each form and each field a body may stop at."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from struct import Struct

from callgate.sccp.fields import Blob, LastText
from callgate.sccp.forms import layout_of
from callgate.sccp.framing import HEADER
from callgate.sccp.generate import Reader, Writer
from callgate.sccp.layout import Layout, Node
from callgate.sccp.message import AnyMessage, Message
from callgate.sccp.selectors import Scope
from callgate.sccp.source import Source
from callgate.sccp.values import Left, Z

Read = Callable[[bytes, int, int, int, int | None], AnyMessage]
"""(buffer, start of the body, its length, header version, the form if it is not the usual one) -> message."""
WriteFrame = Callable[[Message], bytes]
"""message -> frame, with what Callgate itself would put into unused room: zeros."""
WriteBody = Callable[[Message, Left, int | None, bool], bytes]
"""(message, junk by path, bytes of the last field, whether its last string lacks the NUL) -> body, not rounded up."""
Extent = Callable[[Message], int]
"""message -> number of leaves it has."""


def leaves_in(whole: Layout, length: int) -> int:
    """How many leaves a body of that length holds. One that ends where the last field begins has no such field, unless
    an empty one takes no byte."""
    count = whole.extent(length)
    if count and length == whole.size and whole.leaves[-1].node.is_last:
        kind = whole.leaves[-1].node.kind
        if not (isinstance(kind, Blob) or (isinstance(kind, LastText) and not kind.whole)):
            return sum(not leaf.node.is_last for leaf in whole.leaves)
    return count


def leaves_of(whole: Layout, body: bytes) -> int:
    """How many leaves a body holds."""
    if not whole.lead:
        return leaves_in(whole, len(body))
    _, nul, rest = body.partition(Z)
    return leaves_in(whole, len(rest)) if nul else 0


@cache
def reader(cls: type[Message], form: int, count: int) -> Read:
    """The function that reads a body that holds the first `count` leaves, and keeps what follows them."""
    whole = layout_of(cls, form)
    making = Reader(whole.form, "", count)
    source = making.source
    scope: Scope = {}
    arguments = making.arguments(cls, whole.nodes, (), scope)
    if making.strings:
        making.read_strings()
    build = source.bind(cls)
    size = making.size
    keeps_junk = making.has_room or making.is_open
    origin = "start"
    head = ["junk = []"] if keeps_junk else []
    if whole.lead and count:
        origin = "origin"
        head += ["origin = buffer.index(Z, start, start + length) + 1", "lead = buffer[start : origin - 1]"]
    if making.unpacked:
        unpack = source.bind(Struct("<" + "".join(making.formats)).unpack_from)
        head.append(f"{', '.join(making.unpacked)}, = {unpack}(buffer, {origin})")
    kept = ["form is not None", "tail is not None", *(["junk"] if keeps_junk else [])]
    if making.is_open:
        head.append(f"rest = buffer[{origin} + {size} : start + length]")
        source.lines.append(f"end = {origin} + {size} + used")
        kept += ["room is not None", "open_end"]
    else:
        if size % 4 == 0 and not whole.lead:
            plain = ["form is None", f"length == {size}", *(["not junk"] if keeps_junk else [])]
            call = ", ".join([*arguments, "header_version=version"])
            source.lines.append(f"if {' and '.join(plain)}: return {build}({call})")
        source.lines.append(f"end = {origin} + {size}")
    sent = f"AsSent(form, {'room' if making.is_open else 'None'}, {'tuple(junk)' if keeps_junk else '()'}, tail"
    sent += ", open_end)" if making.is_open else ")"
    source.lines[:0] = head
    source.lines += [
        "tail = buffer[end : start + length]",
        "if len(tail) == (start - end) % 4 and not tail.strip(Z): tail = None",
        f"sent = {sent} if {' or '.join(kept)} else None",
        f"return {build}({', '.join([*arguments, 'header_version=version', 'as_sent=sent'])})",
    ]
    return source.compiled("read", "buffer, start, length, version, form")


@cache
def frame_writer(cls: type[Message], form: int, count: int) -> WriteFrame:
    """The function that writes a frame of the first `count` leaves."""
    making, size = _writing(cls, form, count)
    source = making.source
    source.lines.insert(0, "left = NONE")
    if making.lead:
        header, pack = (
            source.bind(HEADER.pack),
            source.bind(Struct("<" + "".join(making.formats)).pack),
        )
        source.lines.insert(0, "room = None; open_end = False")
        source.lines += [
            f"body = {_whole_body(making, pack)}",
            "pad = -len(body) % 4",
            f"return {header}(4 + len(body) + pad, m.header_version, {cls.id}) + body + bytes(pad)",
        ]
    elif making.ending:
        source.lines.insert(0, "room = None; open_end = False")
        source.lines.append(f"last = {making.ending}")
        pack = source.bind(Struct("<III" + "".join(making.formats)).pack)
        length = f"{size} + len(last)"
        source.lines += [
            f"pad = -({length}) % 4",
            f"return {pack}(4 + {length} + pad, m.header_version, {cls.id}, {', '.join(making.packed)})"
            " + last + bytes(pad)",
        ]
    else:
        pad = -size % 4
        pack = source.bind(Struct("<III" + "".join(making.formats) + "x" * pad).pack)
        source.lines.append(f"return {pack}({4 + size + pad}, m.header_version, {cls.id}, {', '.join(making.packed)})")
    return source.compiled("write", "m")


@cache
def body_writer(cls: type[Message], form: int, count: int) -> WriteBody:
    """The function that writes the body of the first `count` leaves with what was left in its room."""
    making, _ = _writing(cls, form, count)
    source = making.source
    pack = source.bind(Struct("<" + "".join(making.formats)).pack)
    source.lines.append(f"return {_whole_body(making, pack)}")
    return source.compiled("write", "m, left, room, open_end")


def _whole_body(making: Writer, pack: str) -> str:
    return " + ".join(part for part in (making.lead, f"{pack}({', '.join(making.packed)})", making.ending) if part)


def _writing(cls: type[Message], form: int, count: int) -> tuple[Writer, int]:
    whole = layout_of(cls, form)
    making = Writer(whole.form, "", count)
    making.source.names["NONE"] = {}
    making.fields("m", whole.nodes, (), {})
    return making, sum(leaf.node.size for leaf in whole.leaves[:count])


@cache
def extent(cls: type[Message], form: int) -> Extent:
    """The function that says how many leaves a message has: up to the last that is not None."""
    whole = layout_of(cls, form)
    source = Source()
    for attribute in whole.absent:
        source.lines.append(
            f"if m.{attribute} is not None: raise FieldError({attribute!r}, None, "
            f"'has no place in this form of {cls.name}')"
        )
    _extent(source, "m", whole.nodes, 0, "")
    source.lines.append("return 0")
    return source.compiled("extent", "m")


def _extent(source: Source, owner: str, nodes: tuple[Node, ...], before: int, indent: str) -> None:
    starts = []
    for node in nodes:
        starts.append(before)
        before += _leaf_count(node)
    for number, node in reversed(list(enumerate(nodes))):
        if not node.children:
            source.lines.append(f"{indent}if {owner}.{node.attribute} is not None: return {starts[number] + 1}")
            continue
        inner = f"{owner}_{node.attribute}"
        source.lines += [f"{indent}{inner} = {owner}.{node.attribute}", f"{indent}if {inner} is not None:"]
        _extent(source, inner, node.children, starts[number], indent + "    ")


def _leaf_count(node: Node) -> int:
    return sum(_leaf_count(child) for child in node.children) if node.children else 1
