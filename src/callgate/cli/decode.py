"""`callgate decode`: the SCCP messages of a capture."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click


@click.command(
    epilog="""\b
A line is: time (UTC), device or address of the phone, direction, id, name, fields.
With --json it is an object:
  {"time", "source", "destination", "direction", "header_version", "id", "name", "fields"}
Its times are seconds since 1970, its values numbers and strings as on the wire. Bytes behind the
fields that no source explains are added as "unexplained_tail", what a phone or server should not
have sent then as "violations".

\b
Examples:
  callgate decode site.pcapng
  callgate decode site.pcap --device SEP001122334455 --id CallStateMessage --id 0x0105
  tcpdump -w - port 2000 | callgate decode - --json | jq -c .fields
  callgate decode site.pcap.gz --summary"""
)
@click.argument("capture")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a message.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only messages of this id or name; may be repeated.")
@click.option(
    "--device", "devices", multiple=True, metavar="NAME", help="Only this device, or phone's address; may be repeated."
)
@click.option(
    "--port",
    "ports",
    multiple=True,
    type=click.IntRange(1, 65535),
    metavar="PORT",
    default=(2000,),
    help="The call managers' port; may be repeated.",
    show_default=True,
)
@click.option("--full", is_flag=True, help="Print every entry of arrays too.")
@click.option("--summary", is_flag=True, help="Print what each phone did instead of the messages.")
def decode(
    capture: str,
    as_json: bool,
    ids: tuple[str, ...],
    devices: tuple[str, ...],
    ports: tuple[int, ...],
    full: bool,
    summary: bool,
) -> int:
    """Print the SCCP messages of CAPTURE, a pcap or pcapng file, compressed with gzip or not; - reads standard input.

    TCP streams are put in order first; what is missing or damaged is skipped, and said at the end on standard error.
    SIP is named as SIP. A message is named by Wireshark's name for it. --port names the call managers' ports (2000
    if not given); SCCP that begins on another port is found too.
    """
    from callgate.cli.decoded import Selection, as_object, as_text, left_out
    from callgate.cli.overview import Overview
    from callgate.errors import CaptureError, UsageMistake
    from callgate.records.account import Account
    from callgate.records.capture import read_packets
    from callgate.records.flow import Tally, conversation_events
    from callgate.records.signalling import signalling_of

    if as_json and summary:
        raise UsageMistake("--json and --summary exclude each other")
    selection = Selection(ids, devices)
    tally, account, overview = Tally(), Account(), Overview()
    try:
        stream: BinaryIO = sys.stdin.buffer if capture == "-" else open(capture, "rb", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise UsageMistake(f"{capture}: {error.strerror}") from None
    damage: CaptureError | None = None
    with stream:
        events = conversation_events(read_packets(stream), tally)
        try:
            for found in signalling_of(events, account, frozenset(ports), sessions=True):
                if not selection.takes(found):
                    continue
                if summary:
                    overview.take(found)
                else:
                    sys.stdout.write(as_object(found) if as_json else as_text(found, full=full))
        except CaptureError as error:
            damage = error
    if summary:
        sys.stdout.writelines(overview.lines())
    sys.stdout.flush()
    for line in left_out(tally, account):
        click.echo(f"callgate: {line}", err=True)
    if damage is not None:
        raise damage
    return 0
