"""A TCP connection, spoken packet by packet."""

from __future__ import annotations

from tests.records.packets import ACK, CLIENT, FIN, PSH, SECOND, SERVER, START, SYN, Record, ethernet, ipv4, tcp


class Connection:
    """Collects the packets of one connection; the phone's port is `port`, the server's `server_port`."""

    def __init__(self, port: int = 40000, server_port: int = 2000, *, handshake: bool = True) -> None:
        self.records: list[Record] = []
        self._ports = {True: (port, server_port), False: (server_port, port)}
        self._next = {True: 1000, False: 5000}
        if handshake:
            self._packet(True, SYN, b"")
            self._packet(False, SYN | ACK, b"")

    def phone(self, data: bytes) -> Connection:
        """The phone sends a segment."""
        return self._packet(True, PSH | ACK, data)

    def server(self, data: bytes) -> Connection:
        """The server sends a segment."""
        return self._packet(False, PSH | ACK, data)

    def lost(self, size: int, *, by_phone: bool = False) -> Connection:
        """Bytes that the capture does not have."""
        self._next[by_phone] += size
        return self

    def close(self) -> Connection:
        """Both ends say that they are done."""
        self._packet(True, FIN | ACK, b"")
        return self._packet(False, FIN | ACK, b"")

    def _packet(self, by_phone: bool, flags: int, data: bytes) -> Connection:
        source, destination = (CLIENT, SERVER) if by_phone else (SERVER, CLIENT)
        segment = tcp(self._next[by_phone], self._next[not by_phone], flags, data, ports=self._ports[by_phone])
        frame = ethernet(ipv4(segment, source=source, destination=destination))
        self.records.append(Record(frame, START + len(self.records) * SECOND))
        self._next[by_phone] += len(data) + bool(flags & (SYN | FIN))
        return self
