"""What the relay on a vantage and the one who runs it say to each other: frames. Pure.

Part of the text that is shipped to vantages, so in the style of the prober (Python 3.6, see there).

The relay prints GREETING, and from then on its stdin and stdout carry frames: kind (1 byte), channel (4), length of
the rest (4), big-endian. Whoever runs it numbers the channels, and uses no number twice. A stream may have WINDOW bytes
under way in each direction; CREDIT gives back what was taken in.

kind    to the vantage                               from the vantage
TCP     JSON: address, port, seconds: connect        -
UDP     JSON: address, port: a socket on an even     -
        port and the address packets there leave by
OPEN    -                                            JSON: local [address, port]: the channel can be used
DATA    sent in one write                            received
GRAM    address length (1), address, port (2),       the same
        datagram
CREDIT  bytes taken in (4)                           bytes handed to the kernel (4)
END     FIN after what was sent, read for 1 s more   the peer ended its direction
GONE    drop it with RST                             the channel is closed: the answer to END and GONE
ERROR   -                                            JSON: errno (its name), icmp (as the prober has it, or null),
                                                     local, remote, at_once; ends a channel, but for a UDP one that
                                                     is open
PING    anything, 64 bytes at most                   the same
"""

import struct

GREETING = b"callgate-relay 1\n"
HEADER = struct.Struct(">BII")
KINDS = range(1, 11)
TCP, UDP, OPEN, DATA, GRAM, CREDIT, END, GONE, ERROR, PING = KINDS
WINDOW = 262144
FRAME_BYTES = WINDOW
CHANNELS = 64
CHUNK = 65536


class Frames:
    """Cuts bytes into frames, however they were chunked. ValueError at what is no frame."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def feed(self, data: bytes) -> "list[tuple[int, int, bytes]]":
        """The frames that are whole by now: kind, channel, the rest."""
        self.buffer += data
        frames, begin = [], 0
        while len(self.buffer) >= begin + HEADER.size:
            kind, channel, length = HEADER.unpack_from(self.buffer, begin)
            if kind not in KINDS or length > FRAME_BYTES:
                raise ValueError(f"kind {kind} with {length} bytes is no frame")
            end = begin + HEADER.size + length
            if len(self.buffer) < end:
                break
            frames.append((kind, channel, bytes(self.buffer[begin + HEADER.size : end])))
            begin = end
        del self.buffer[:begin]
        return frames


def frame(kind: int, channel: int, rest: bytes = b"") -> bytes:
    """One frame."""
    return HEADER.pack(kind, channel, len(rest)) + rest


def pack_datagram(address: str, port: int, data: bytes) -> bytes:
    """The rest of a GRAM frame."""
    name = address.encode("ascii")
    return bytes([len(name)]) + name + struct.pack(">H", port) + data


def unpack_datagram(rest: bytes) -> "tuple[str, int, bytes]":
    """Address, port and data of a GRAM frame. ValueError if it is none."""
    begin = 1 + rest[0] if rest else 0
    if len(rest) < begin + 2 or not begin:
        raise ValueError("a datagram without its address")
    return rest[1:begin].decode("ascii"), struct.unpack_from(">H", rest, begin)[0], rest[begin + 2 :]
