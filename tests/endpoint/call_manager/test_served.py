"""The call manager on real sockets, over loopback."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TypeVar

import pytest
from tests.endpoint.call_manager.house import DEVICES, FIRST, SECOND, register

from callgate.endpoint.call_manager import PROFILES, Line, Settings
from callgate.endpoint.call_manager.listening import listening_socket
from callgate.endpoint.call_manager.serve import CallManagerServer
from callgate.endpoint.network import TransportAddress
from callgate.lab.certificate import Certificate, self_signed
from callgate.sccp import Decoder, Message, Negotiation, encode
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.framing import frame, keepalive
from callgate.sccp.messages import keys, media, registration, templates
from callgate.sccp.messages.calls import CallStateMessage

M = TypeVar("M", bound=Message)
LOOPBACK = ip_address("127.0.0.1")
ACK = frame(0x100)


class Phone:
    """A codec on a stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.negotiation = Negotiation()
        self.decoder = Decoder(negotiation=self.negotiation, strict=True)
        self.received: list[object] = []

    async def say(self, message: Message) -> None:
        self.negotiation.observe(message)
        self.writer.write(encode(message))
        await self.writer.drain()

    async def hear(self, cls: type[M]) -> M:
        """The next message of a class."""
        while True:
            for index, one in enumerate(self.received):
                if isinstance(one, cls):
                    del self.received[: index + 1]
                    return one
            data = await self.reader.read(65536)
            assert data, f"closed before {cls.__name__}"
            self.received += self.decoder.feed(data)

    async def register(self, name: str, version: int = 11) -> int:
        """The keepalive interval."""
        await self.say(register(name, version))
        ack = await self.hear(registration.RegisterAckMessage)
        await self.say(templates.ButtonTemplateReqMessage())
        await self.hear(templates.ButtonTemplateResMessage)
        return ack.keep_alive_interval or 0

    async def in_state(self, state: DCallState) -> CallStateMessage:
        while True:
            found = await self.hear(CallStateMessage)
            if found.call_state == state:
                return found

    async def ended(self) -> bytes:
        """What comes until the server ends the connection."""
        with contextlib.suppress(ConnectionResetError):
            return await self.reader.read()
        return b"reset"


@asynccontextmanager
async def phone_at(address: TransportAddress, tls: ssl.SSLContext | None = None) -> AsyncIterator[Phone]:
    reader, writer = await asyncio.open_connection(
        str(address.address), address.port, ssl=tls, server_hostname="pbx" if tls else None
    )
    try:
        yield Phone(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def serving(
    settings: Settings | None = None,
    profile: str = "plain",
    *,
    listen: Sequence[str] = ("127.0.0.1:0",),
    tls_listen: Sequence[str] = (),
    tls: ssl.SSLContext | None = None,
    log: list[str] | None = None,
) -> AsyncIterator[CallManagerServer]:
    lines: list[str] = [] if log is None else log
    server = CallManagerServer(
        settings or Settings(devices=DEVICES),
        PROFILES[profile],
        listen=listen,
        tls_listen=tls_listen,
        tls=tls,
        log=lines.append,
    )
    async with asyncio.timeout(20), server:
        yield server


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(bounded())


@pytest.mark.parametrize("version", [3, 11, 17, 20, 22])
def test_a_phone_registers_calls_the_echo_and_hears_itself(version: int) -> None:
    log: list[str] = []

    async def test() -> None:
        async with serving(log=log) as server, phone_at(server.addresses[0]) as phone:
            assert await phone.register(FIRST, version) == 30
            await phone.say(keys.EnblocCallMessage(called_party=b"600", line_instance=1))
            asked = await phone.hear(media.OpenReceiveChannelMessage)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind(("127.0.0.1", 0))
                sock.setblocking(False)
                await phone.say(
                    media.OpenReceiveChannelAckMessage(
                        media_reception_status=0,
                        ip_addr=LOOPBACK,
                        port_number=sock.getsockname()[1],
                        pass_through_party_id=asked.pass_through_party_id,
                        call_reference=asked.call_reference,
                        header_version=version if version >= 10 else 0,
                    )
                )
                start = await phone.hear(media.StartMediaTransmissionMessage)
                remote = (str(start.remote_ip_addr), start.remote_port_number)
                loop = asyncio.get_running_loop()
                await loop.sock_sendto(sock, b"no RTP at all", remote)
                returned = []
                for number in range(50):
                    await loop.sock_sendto(sock, rtp(number), remote)
                    returned.append(await loop.sock_recv(sock, 2048))
            assert [one[12:] for one in returned] == [rtp(number)[12:] for number in range(50)]
            sequences = [struct.unpack_from("!H", one, 2)[0] for one in returned]
            assert sequences == [(sequences[0] + number) & 0xFFFF for number in range(50)]
            assert struct.unpack_from("!I", returned[0], 8) != struct.unpack_from("!I", rtp(0), 8)
            await phone.say(keys.OnHookMessage(line_instance=1, call_reference=asked.call_reference))
            await phone.in_state(DCallState.ON_HOOK)
            await phone.say(registration.UnregisterReqMessage())
            await phone.hear(registration.UnregisterAckMessage)
            assert await phone.ended() == b""

    run(test)
    words = [line.split(" ")[0] for line in log]
    assert words == ["registered", "call", "answered", "echo", "ended", "unregistered"]
    assert "50 packets received, 50 sent" in log[3]


def rtp(number: int) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, 100 + number, 160 * number, 0x1234) + bytes([number]) * 160


def test_each_message_is_written_by_itself() -> None:
    async def test() -> None:
        async with serving(profile="chan-skinny") as server, phone_at(server.addresses[0]) as phone:
            writes: list[bytes] = []
            (line,) = server._lines.values()
            transport = line._transport
            assert transport is not None
            original = transport.write

            class Noting:
                def __getattr__(self, name: str) -> object:
                    return getattr(transport, name)

                def write(self, data: bytes) -> None:
                    writes.append(data)
                    original(data)

            line._transport = Noting()  # type: ignore[assignment]
            await phone.register(FIRST)
            assert [len(one) for one in writes] == [24, 24, 32, 12, 108]

    run(test)


@pytest.fixture
def _many_files() -> Iterator[None]:
    """Room for both ends of 500 connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1500:
        pytest.skip(f"this process may open {hard} files only, and 500 connections have 1000 ends")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_files")
def test_five_hundred_phones_register_at_once_and_are_all_kept() -> None:
    names = {f"SEP{number:012d}": Line(f"{10000 + number}") for number in range(500)}

    async def test() -> None:
        async with serving(Settings(devices=names)) as server, contextlib.AsyncExitStack() as stack:
            phones = [await stack.enter_async_context(phone_at(server.addresses[0])) for _ in names]
            await asyncio.gather(
                *[
                    phone.register(name, 3 + number % 20)
                    for number, (phone, name) in enumerate(zip(phones, names, strict=True))
                ]
            )
            assert server.manager.registered == 500
            for phone in phones:
                await phone.say(registration.KeepAliveReqMessage())
            for phone in phones:
                await phone.hear(registration.KeepAliveAckMessage)
            assert server.manager.registered == 500

    run(test)


def test_a_registered_phone_that_keeps_silent_is_disconnected() -> None:
    log: list[str] = []

    async def test() -> None:
        settings = Settings(devices=DEVICES, keepalive=1, time_scale=0.1)
        async with serving(settings, log=log) as server, phone_at(server.addresses[0]) as phone:
            assert await phone.register(FIRST) == 1
            before = asyncio.get_running_loop().time()
            assert await phone.ended() == b""
            assert 0.2 < asyncio.get_running_loop().time() - before < 5
            assert server.manager.registered == 0

    run(test)
    assert log[1].startswith(f"time-out {FIRST} from 127.0.0.1:")


def test_an_unregistered_keepalive_is_answered_and_nothing_more() -> None:
    async def test() -> None:
        for profile in PROFILES:
            async with serving(profile=profile) as server, phone_at(server.addresses[0]) as phone:
                phone.writer.write(keepalive())
                assert await phone.reader.read(100) == ACK
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await phone.reader.read(100)

    run(test)


def test_other_protocols_are_reset_and_the_51st_stranger_too() -> None:
    async def test() -> None:
        async with serving(profile="chan-skinny") as server, contextlib.AsyncExitStack() as stack:
            phone = await stack.enter_async_context(phone_at(server.addresses[0]))
            phone.writer.write(b"GET / HTTP/1.0\r\n\r\n")
            assert await phone.ended() == b"reset"
            held = [await stack.enter_async_context(phone_at(server.addresses[0])) for _ in range(50)]
            for phone in held:
                phone.writer.write(keepalive())
                assert await phone.reader.read(100) == ACK
            extra = await stack.enter_async_context(phone_at(server.addresses[0]))
            assert await extra.ended() == b"reset"

    run(test)


def test_a_crash_ends_every_connection_and_is_told() -> None:
    log: list[str] = []

    async def test() -> None:
        async with serving(profile="chan-sccp", log=log) as server, contextlib.AsyncExitStack() as stack:
            phone, other = [await stack.enter_async_context(phone_at(server.addresses[0])) for _ in range(2)]
            await phone.say(register(FIRST))
            await phone.hear(registration.RegisterAckMessage)
            await phone.say(keys.OffHookMessage(line_instance=0, call_reference=0))
            await phone.say(keys.KeypadButtonMessage(kp_button=6, line_instance=1, call_reference=1))
            await server.wait_crashed()
            assert await phone.ended()
            assert await other.ended() == b"reset"

    run(test)
    assert any(line.startswith("crashed: keypad before ButtonTemplateReq by 127.0.0.1:") for line in log)


def test_closing_in_the_middle_of_a_message_is_told() -> None:
    log: list[str] = []

    async def test() -> None:
        async with serving(profile="chan-skinny", log=log) as server:
            async with phone_at(server.addresses[0]) as phone:
                phone.writer.write(encode(register(FIRST))[:30])
                await phone.writer.drain()
            while not log:
                await asyncio.sleep(0.01)

    run(test)
    assert log[0].startswith("spinning: closed in the middle of a message by ")


def test_a_peer_that_reads_nothing_is_dropped() -> None:
    async def test() -> None:
        async with serving() as server:
            loop = asyncio.get_running_loop()
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            with sock:
                await loop.sock_connect(sock, ("127.0.0.1", server.addresses[0].port))
                await loop.sock_sendall(sock, encode(register(FIRST)))
                question = encode(templates.SoftKeyTemplateReqMessage()) * 500
                with contextlib.suppress(OSError):
                    for _ in range(2000):
                        await loop.sock_sendall(sock, question)
                    pytest.fail("it was served on and on")
            while server.manager.connections:
                await asyncio.sleep(0.01)

    run(test)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("tls"), "pbx", [LOOPBACK])


def server_context(certificate: Certificate, *, demand: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    if demand:
        context.load_verify_locations(certificate.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_phones_register_over_tls_beside_others(certificate: Certificate) -> None:
    async def test() -> None:
        context = ssl.create_default_context(cafile=str(certificate.certificate))
        async with serving(tls_listen=["127.0.0.1:0"], tls=server_context(certificate)) as server:
            plain, secured = server.addresses
            async with phone_at(secured, context) as phone, phone_at(plain) as other:
                await phone.register(FIRST, 22)
                await other.register(SECOND, 11)
                assert server.manager.registered == 2
            async with phone_at(secured) as stranger:
                stranger.writer.write(keepalive())
                assert ACK not in await stranger.ended()

    run(test)


def test_a_client_certificate_is_demanded_where_a_ca_is_named(certificate: Certificate) -> None:
    async def test() -> None:
        async with serving(
            listen=(), tls_listen=["127.0.0.1:0"], tls=server_context(certificate, demand=True)
        ) as server:
            context = ssl.create_default_context(cafile=str(certificate.certificate))
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # a refusal then comes within the handshake
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                async with phone_at(server.addresses[0], context):
                    pass
            context.load_cert_chain(certificate.certificate, certificate.key)
            async with phone_at(server.addresses[0], context) as phone:
                await phone.register(FIRST)

    run(test)


def test_tls_without_a_certificate_is_no_server() -> None:
    with pytest.raises(ValueError, match="certificate"):
        CallManagerServer(Settings(), tls_listen=["127.0.0.1:0"])


def test_a_server_that_cannot_listen_holds_no_socket() -> None:
    async def test() -> None:
        async with serving() as server:
            taken = f"127.0.0.1:{server.addresses[0].port}"
            with pytest.raises(OSError):
                async with serving(listen=("127.0.0.1:0", taken)):
                    pass

    run(test)


@pytest.mark.parametrize("listen", ["", "2000", ":2000", "127.0.0.1", "::1:2000", "*:x", "127.0.0.1:70000"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match="ADDRESS:PORT"):
        listening_socket(listen).close()


def test_a_star_takes_both_families() -> None:
    async def test() -> None:
        async with serving(listen=("*:0",)) as server:
            for host in ("127.0.0.1", "::1"):
                try:
                    async with phone_at(TransportAddress(ip_address(host), server.addresses[0].port)) as phone:
                        await phone.register(FIRST, 22)
                        (connection,) = server._lines
                        assert connection.peer.address == ip_address(host)
                        await phone.say(registration.UnregisterReqMessage())
                        await phone.ended()
                except OSError as error:
                    if ":" not in host:
                        raise
                    pytest.skip(f"no IPv6 loopback: {error}")

    run(test)
