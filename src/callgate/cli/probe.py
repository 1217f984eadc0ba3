"""`callgate probe`: what answers on hosts and networks."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import click

from callgate.cli.seconds import Seconds

if TYPE_CHECKING:
    from callgate.endpoint.probe.result import Result


@click.command(
    epilog="""\b
A TARGET is a name (each of its addresses is asked), an IPv4 or IPv6 address, a network
(192.0.2.0/24, at most a /16; 2001:db8::/120, at most a /112), or NAME:PORT, IPv4:PORT, [IPv6]:PORT.
Asked are SCCP on 2000/tcp and 2443/tcp (TLS), SIP on 5060/udp, 5060/tcp and 5061/tcp (TLS). A port
named without --service gets the services that belong there, and if none does, all of these.

\b
Answers:
  answers       it speaks: a KeepAliveAck, a SIP response, or TLS
  silent        open, but not a word of the protocol: that proves no absence
  refused       RST or ICMP port unreachable: closed from here
  unreachable   another ICMP error: closed from here
  filtered      no reply to TCP: closed from here
  no-reply      no reply to UDP: proves nothing
  no-route, inconclusive    nothing was learnt

\b
With --json each line is an object, printed as results come:
  {"target", "address", "port", "transport", "service", "answer", "open", "detected", "text",
   "milliseconds", "source", "tls", "fingerprint", "scanner"}
"detected" is "sccp", "sip" or null; null never means that the protocol is not there.

\b
--as-scanner predicts the finding of Nessus plugin 22877, "Skinny Server Detection", by doing what it
does on TCP 2000. (93841, which some advice gives, is not its id.) That REGISTERS A DEVICE, called
SEP6E6573737573, where auto-registration is on; it is unregistered at once. Done on request only,
where SCCP's port is open, one host after the other. "Not reported" is not "not there".

\b
Examples:
  callgate probe pbx.example
  callgate probe 203.0.113.0/24 --rate 50 --json > found.jsonl
  callgate probe 192.0.2.10 --service sccp --port 2000-2010
  callgate probe --targets hosts.txt --from ssh://probe@vps.example --fail-on-answer
  callgate probe 192.0.2.10 --as-scanner --yes

\b
Exit codes:
  0  the probes were done
  1  something is open, and --fail-on-answer was given
  2  usage, or a target is wrong
  3  nothing could be learnt of some target: no route, a name that does not resolve, interrupted"""
)
@click.argument("targets", nargs=-1, metavar="[TARGET...]")
@click.option("--targets", "file", metavar="FILE|-", help="File with a target a line, # for comments; - is stdin.")
@click.option("--service", "services", multiple=True, metavar="NAME", help="Ask for this service; may be repeated.")
@click.option("--port", "ports", multiple=True, metavar="PORT|A-B", help="Ask at these ports; may be repeated.")
@click.option("-4", "only_4", is_flag=True, help="IPv4 only.")
@click.option("-6", "only_6", is_flag=True, help="IPv6 only.")
@click.option("--from", "vantage", metavar="HOST", help="Probe from this host: a testinfra URI, or a name for ssh.")
@click.option("--ssh-config", type=click.Path(exists=True, dir_okay=False), help="ssh_config file to use.")
@click.option("--rate", type=click.IntRange(1, 10_000), default=100, show_default=True, help="New exchanges a second.")
@click.option("--at-once", type=click.IntRange(1, 4_000), default=400, show_default=True, help="Exchanges under way.")
@click.option(
    "--timeout",
    type=Seconds(0.1, 30),
    metavar="S",
    help="Seconds for a connection, then for an answer. [default: 4, then 2]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--all", "show_all", is_flag=True, help="Show every port of networks, not only open ones.")
@click.option("--as-scanner", is_flag=True, help="Predict plugin 22877's finding; may register a device, see below.")
@click.option("--yes", is_flag=True, help="Do not ask before --as-scanner.")
@click.option("--fail-on-answer", is_flag=True, help="Exit with 1 when something is open.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar and no sums.")
def probe(
    targets: tuple[str, ...],
    file: str | None,
    services: tuple[str, ...],
    ports: tuple[str, ...],
    only_4: bool,
    only_6: bool,
    vantage: str | None,
    ssh_config: str | None,
    rate: int,
    at_once: int,
    timeout: float | None,
    as_json: bool,
    show_all: bool,
    as_scanner: bool,
    yes: bool,
    fail_on_answer: bool,
    quiet: bool,
) -> int:
    """Say what answers at each TARGET, and what it is, without changing anything there.

    SCCP is asked with one unregistered KeepAlive, SIP with OPTIONS. Single hosts are shown in full, networks by what
    is open; each result is printed as it comes. Names are resolved on this machine.
    """
    from callgate.cli.probe_asked import ports_of, resolved_names, services_of, targets_of
    from callgate.cli.probe_lines import Account, as_object, as_text, unresolved_object
    from callgate.cli.probe_way import confirm_registration, end_on_terminate, replay_each, way_from
    from callgate.endpoint.probe.question import questions
    from callgate.endpoint.probe.sweep import sweep
    from callgate.errors import UsageMistake

    if only_4 and only_6:
        raise UsageMistake("-4 and -6 exclude each other")
    families = frozenset({4} if only_4 else {6} if only_6 else {4, 6})
    wanted = targets_of(targets, file, families)
    chosen, spans = services_of(services), ports_of(ports)
    scanned = (
        {one.name for one in chosen if (one.application, one.transport) == ("sccp", "tcp")} if as_scanner else set()
    )
    if as_scanner and not scanned:
        raise UsageMistake("--as-scanner belongs to the service sccp: leave out --service, or add --service sccp")
    resolved, failures = resolved_names(wanted, families)
    asked = questions(wanted, resolved, chosen, ports=spans, every_service=bool(services), families=families)
    account = Account(show_all=show_all)
    with ExitStack() as stack:
        way = way_from(vantage, ssh_config, rate, at_once, stack)
        if as_scanner:
            confirm_registration(yes)
            end_on_terminate()
        bar = None
        if sys.stderr is not None and sys.stderr.isatty() and not quiet:
            from callgate.cli.probe_bar import probing

            bar = stack.enter_context(probing(len(asked)))

        def tell(result: Result) -> None:
            if account.take(result):
                line = as_object(result) if as_json else as_text(result)
                if bar is not None and sys.stdout.isatty():
                    bar.above(line)
                else:
                    sys.stdout.write(line)
                    sys.stdout.flush()

        for target, reason in failures:
            click.echo(f"callgate: {target.text}: {reason}", err=True)
            if as_json:
                sys.stdout.write(unresolved_object(target, reason))
        held: deque[Result] = deque()
        started = time.monotonic()
        try:
            found = sweep(asked, rate=rate, at_once=way.at_once, seconds=timeout, observe=way.observe, batch=way.batch)
            with closing(found):
                for result in found:
                    if bar is not None:
                        bar.advance()
                    if result.question.service.name in scanned and result.finding.answer.is_open:
                        held.append(result)
                    else:
                        tell(result)
            if held:
                asyncio.run(replay_each(held, way, timeout, tell))
        finally:
            for result in held:  # interrupted before their turn
                tell(result)
            seconds = time.monotonic() - started
            stack.close()
            if not quiet:
                for line in account.lines(len(asked), seconds):
                    click.echo(f"callgate: {line}" if as_json else line, err=as_json)
            sys.stdout.flush()
    if fail_on_answer and account.found_open:
        return 1
    return 3 if failures or account.undetermined else 0
