"""A call manager and phones around it without sockets; every message of the server is judged as it comes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import TypeVar

from callgate.endpoint.call_manager import PROFILES, CallManager, Closing, Connection, Line, Settings
from callgate.endpoint.call_manager.events import CloseEcho, EchoTo, MediaEvent, OpenEcho
from callgate.endpoint.network import TransportAddress
from callgate.errors import ProtocolError
from callgate.sccp import AnyMessage, Decoder, Message, Negotiation, Session, decode, decode_strict, encode
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.enums.media import MediaStatus
from callgate.sccp.messages import calls, keys, media, registration, templates
from callgate.sccp.messages.structures import StationIdentifier
from callgate.sccp.negotiation import header_version
from callgate.sccp.session import Role, Violation

M = TypeVar("M", bound=Message)

LOCAL = TransportAddress(ip_address("192.0.2.1"), 2000)
ECHO = TransportAddress(ip_address("192.0.2.1"), 20000)
FIRST = "SEP001122334455"
SECOND = "SEP001122334466"
THIRD = "SEP001122334477"
DEVICES = {FIRST: Line("1001"), SECOND: Line("1002"), THIRD: Line("2")}
STATE = calls.CallStateMessage


def register(name: str, version: int = 11) -> registration.RegisterReqMessage:
    return registration.RegisterReqMessage(
        sid=StationIdentifier(device_name=name.encode(), reserved_for_future_use=0, instance=1),
        station_ip_addr=IPv4Address("192.0.2.9"),
        device_type=7,
        max_streams=0,
        active_streams=0,
        protocol_ver=version,
    )


@dataclass(eq=False)
class DeskPhone:
    """One phone's end of a connection."""

    house: House
    connection: Connection
    address: TransportAddress
    name: str = ""
    received: list[AnyMessage] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    session: Session = field(default_factory=Session)
    negotiation: Negotiation = field(default_factory=Negotiation)
    violations: list[Violation] = field(default_factory=list)
    """The server's."""

    def __post_init__(self) -> None:
        self.sent = Decoder(negotiation=self.negotiation)

    @property
    def audio(self) -> TransportAddress:
        return self.address.with_port(self.address.port + 20000)

    def say(self, *messages: Message) -> list[AnyMessage]:
        """Send messages; what comes back at once."""
        before = len(self.received)
        for message in messages:
            self.send(encode(message))
        return self.received[before:]

    def send(self, data: bytes) -> list[bytes]:
        """Send bytes in one read; the frames that come back at once."""
        before = len(self.frames)
        with suppress(ProtocolError):  # the stream broke: no message comes behind
            for message in self.sent.feed(data):
                self.session.observe(message, Role.PHONE)
        self.connection.feed(data, self.house.now)
        self.house.pump()
        return self.frames[before:]

    def take(self, frame: bytes) -> None:
        self.frames.append(frame)
        exempt = self.house.manager.profile.name == "chan-sccp" and frame[8:12] == b"\x97\0\0\0"
        read = decode if exempt else decode_strict  # its unused buttons are marked as undefined: captured
        message = read(frame, negotiated=self.negotiation.version)
        self.negotiation.observe(message)
        self.received.append(message)
        self.violations += [one for one in self.session.observe(message, Role.SERVER) if one.by is Role.SERVER]

    def register(self, name: str, version: int = 11) -> DeskPhone:
        self.name = name
        answers = self.say(register(name, version))
        assert any(isinstance(one, registration.RegisterAckMessage) for one in answers)
        self.say(templates.ButtonTemplateReqMessage())
        return self

    def all(self, cls: type[M]) -> list[M]:
        return [one for one in self.received if isinstance(one, cls)]

    def last(self, cls: type[M]) -> M:
        return self.all(cls)[-1]

    @property
    def states(self) -> list[DCallState]:
        """The call states so far."""
        return [DCallState(one.call_state or 0) for one in self.all(STATE)]

    def state(self) -> DCallState:
        """The last call state."""
        return self.states[-1]

    @property
    def reference(self) -> int:
        return self.last(STATE).call_reference or 0

    def lift(self, reference: int = 0) -> list[AnyMessage]:
        return self.say(keys.OffHookMessage(line_instance=1, call_reference=reference))

    def press(self, number: str) -> list[AnyMessage]:
        codes = {"*": 14, "#": 15}
        return self.say(
            *[
                keys.KeypadButtonMessage(
                    kp_button=codes.get(key) or int(key), line_instance=1, call_reference=self.reference
                )
                for key in number
            ]
        )

    def hang_up(self) -> list[AnyMessage]:
        return self.say(keys.OnHookMessage(line_instance=1, call_reference=self.reference))

    def answer_open(self, status: MediaStatus = MediaStatus.OK) -> list[AnyMessage]:
        """Answer the last OpenReceiveChannel."""
        asked = self.last(media.OpenReceiveChannelMessage)
        version = self.negotiation.version
        ack = media.OpenReceiveChannelAckMessage(
            media_reception_status=status,
            ip_addr=self.audio.address,
            port_number=self.audio.port,
            pass_through_party_id=asked.pass_through_party_id,
            call_reference=self.reference,
            header_version=header_version(media.OpenReceiveChannelAckMessage, version),
        )
        return self.say(ack)

    def leave(self) -> None:
        """The connection breaks."""
        self.connection.lost(self.house.now)
        self.violations += self.session.finish()
        self.house.pump()


class House:
    """A call manager, its clock and its phones."""

    def __init__(self, profile: str = "plain", **settings: object) -> None:
        chosen: dict[str, object] = {"devices": DEVICES, **settings}
        self.manager = CallManager(Settings(**chosen), PROFILES[profile], epoch=1.7e9)  # type: ignore[arg-type]
        self.now = 100.0
        self.log: list[str] = []
        self.media: list[MediaEvent] = []
        self.phones: dict[Connection, DeskPhone] = {}
        self.echo: TransportAddress | None = ECHO
        """Where the media side opens ports; None: it has none."""

    def connect(self, address: str = "192.0.2.9") -> DeskPhone:
        peer = TransportAddress(ip_address(address), 10000 + 2 * len(self.phones))
        connection = self.manager.accept(peer, LOCAL, self.now)
        phone = self.phones[connection] = DeskPhone(self, connection, peer)
        self.pump()
        return phone

    def phone(self, name: str, version: int = 11) -> DeskPhone:
        """A registered phone."""
        return self.connect().register(name, version)

    def wait(self, seconds: float) -> None:
        """Time passes, in steps as the server's own."""
        for _ in range(20):
            self.now += seconds / 20
            self.manager.tick(self.now)
            self.pump()

    def pump(self) -> None:
        while events := self.manager.take_events():
            for event in events:
                if isinstance(event, (OpenEcho, EchoTo, CloseEcho)):
                    self.media.append(event)
                    if isinstance(event, OpenEcho) and self.echo is not None:
                        self.manager.echo_opened(event.call, self.echo, self.now)
                    elif isinstance(event, OpenEcho):
                        self.manager.echo_failed(event.call, self.now)
                else:
                    self.log.append(str(event))
        for connection in self.manager.take_ready():
            for frame in connection.take():
                self.phones[connection].take(frame)
            if connection.closing is not None:
                self.phones[connection].leave()

    def violations(self) -> list[str]:
        """What the server did that is out of order."""
        return [str(one) for phone in self.phones.values() for one in phone.violations]


def closed(phone: DeskPhone) -> Closing | None:
    """How the server ended a connection; None if it did not."""
    return phone.connection.closing
