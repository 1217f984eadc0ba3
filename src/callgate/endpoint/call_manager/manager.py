"""A small SCCP server, sans-IO: it registers phones, answers their questions and switches their calls.

    manager = CallManager(Settings(devices={"SEP001122334455": Line("1001")}), PROFILES["plain"])
    connection = manager.accept(peer, local, now)
    connection.feed(data, now)
    for ready in manager.take_ready():  # one message may have others' phones ring
        for frame in ready.take(): ...  # one write each; then, if ready.closing, end it
    for event in manager.take_events(): ...  # log lines, and wishes of the media side

Its messages follow the session model: `callgate.sccp.session` sees no violation by it, whatever phones send. Memory
is bounded by `Settings.connections` and what the caller takes.
"""

from __future__ import annotations

from callgate.endpoint.call_manager.connection import Closing, Connection
from callgate.endpoint.call_manager.desk import Desk
from callgate.endpoint.call_manager.events import Event, Spinning, TimedOut
from callgate.endpoint.call_manager.phone import Phone
from callgate.endpoint.call_manager.profile import PLAIN, Profile
from callgate.endpoint.call_manager.registrar import Registrar
from callgate.endpoint.call_manager.settings import Settings
from callgate.endpoint.call_manager.switch import Switch
from callgate.endpoint.network import TransportAddress
from callgate.sccp.message import AnyMessage


class CallManager:
    """All phones and calls of one server. `epoch` is the Unix time at which the caller's clock showed 0."""

    def __init__(self, settings: Settings, profile: Profile = PLAIN, *, epoch: float = 0.0) -> None:
        self.settings = settings
        self.profile = profile
        self.crashed = False
        """The server it imitates has crashed: end the process."""
        self._events: list[Event] = []
        self._switch = Switch(settings, profile, epoch, self._events, lambda number: self._registrar.at(number))
        self._registrar = Registrar(settings, profile, self._events, self._switch)
        self._desk = Desk(self._registrar, self._switch, self._events)
        self._connections: dict[Connection, None] = {}
        self._ready: dict[Connection, None] = {}

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    @property
    def registered(self) -> int:
        """How many phones are registered."""
        return len(self._registrar.phones)

    @property
    def calls(self) -> int:
        """How many calls go on, from the first key to the end."""
        return len(self._switch.calls)

    def accept(self, peer: TransportAddress, local: TransportAddress, now: float) -> Connection:
        """A peer has connected. If there is no room for it, the connection is closing already."""
        connection = Connection(self.profile, peer, local, now, self)
        strangers = self.profile.strangers
        waiting = len(self._connections) - self.registered
        full = len(self._connections) >= self.settings.connections
        self._connections[connection] = None
        if full or (strangers is not None and waiting >= strangers):
            connection.close(Closing.RESET)
        return connection

    def take_ready(self) -> list[Connection]:
        """The connections that have something to send, or are to be ended."""
        ready, self._ready = list(self._ready), {}
        return ready

    def take_events(self) -> list[Event]:
        """What has happened since the last time, in order."""
        events = self._events[:]
        self._events.clear()
        return events

    def echo_opened(self, call: int, address: TransportAddress, now: float) -> None:
        """The media side has opened the port that an `OpenEcho` asked for."""
        self._switch.echo_opened(call, address, now)

    def echo_failed(self, call: int, now: float) -> None:
        """The media side could not open a port."""
        self._switch.echo_failed(call, now)

    def tick(self, now: float) -> None:
        """End what has waited too long; call it a few times a second."""
        self._switch.tick(now)
        for connection in list(self._connections):
            if connection.open:
                self._registrar.refuse_late(connection, now)
            if connection.open and self._overdue(connection, now):
                phone = self._registrar.phone_of(connection)
                name = b"" if phone is None else phone.name
                self._events.append(TimedOut(name, connection.peer))
                self._registrar.release(connection, "time-out", now)
                connection.close()

    def _overdue(self, connection: Connection, now: float) -> bool:
        scale = self.settings.time_scale
        half = self.profile.half_message
        if half is not None and connection.half_since is not None and now >= connection.half_since + half * scale:
            return True
        phone = self._registrar.phone_of(connection)
        if phone is not None:
            return now >= phone.kept_alive + self._patience() * scale
        idle = self.profile.idle if self.settings.idle is None else self.settings.idle
        since = connection.started if self.profile.idle_from_start else connection.heard
        return now >= since + idle * scale

    def _patience(self) -> float:
        if self.settings.patience is not None:
            return self.settings.patience
        interval = self.settings.keepalive
        return self.profile.patience * (1 if interval is None else interval / self.profile.keepalive)

    def handle(self, connection: Connection, message: AnyMessage, now: float) -> None:
        """A connection has brought a message."""
        if self.crashed:
            return
        if self._desk.take(connection, message, now):
            self.crashed = True
            for one in self._connections:
                one.close(Closing.RESET)

    def note_ready(self, connection: Connection) -> None:
        """A connection has something to send, or is to be ended."""
        if connection in self._connections:
            self._ready[connection] = None

    def note_closed(self, connection: Connection, now: float) -> None:
        """A connection is to be ended."""
        self._registrar.release(connection, "connection closed", now)

    def lose(self, connection: Connection, half: bool, now: float) -> None:
        """A connection was ended by its peer, in the middle of a message or (`half` is false) not."""
        self._connections.pop(connection, None)
        self._ready.pop(connection, None)
        if half and self.profile.spins:
            self._events.append(Spinning(connection.peer))
        self._registrar.release(connection, "connection lost", now)

    def phone(self, name: str) -> Phone | None:
        """The registered phone of that name."""
        return self._registrar.phones.get(name.encode())
