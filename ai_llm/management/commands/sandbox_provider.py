"""`manage.py sandbox_provider`: providers of our own to practise with, without an account anywhere."""

import errno
import re
import signal
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ai_llm import causes
from ai_llm.sandbox import FAULTS, PERSONALITIES, SECRETS, TRIALS, TROUBLED, Received, Server, certificate, vertex

_HARMLESS = re.compile(r"[A-Za-z0-9._:%-]{0,48}")
TAKEN = (
    "Port {port} on {host} is taken. Choose another one (SANDBOX_PORT=9210 make sandbox, or --port 9210), and start "
    "Flashback with FLASHBACK_OUTBOUND_ALLOW={host}:9210."
)


class Command(BaseCommand):
    """Serve the sandbox provider in the foreground until Ctrl-C. Needs no database."""

    help = "Start a provider to practise with: it speaks the OpenAI, Anthropic, Google and Bedrock dialects."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the address to listen on."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.SANDBOX_PORT, help="port to listen on (9099)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Serve until Ctrl-C or SIGTERM. Raises CommandError if the address cannot be listened on."""
        server = self._listen(options["host"], options["port"])
        for end in (signal.SIGINT, signal.SIGTERM):  # the first is ignored by what a script starts in the background
            signal.signal(end, signal.default_int_handler)
        try:
            self.stdout.write(introduction(server.origin))
            self.stdout.flush()
            server.serve_forever()
        except KeyboardInterrupt:
            self.stdout.write("\nThe sandbox provider has stopped.")
        finally:
            server.close()

    def _listen(self, host: str, port: int) -> Server:
        try:
            return Server(host, port, also_tls=certificate.untrusted(), answered=self._report)
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                raise CommandError(TAKEN.format(port=port, host=host)) from None
            raise CommandError(f"Cannot listen on {host} port {port}: {problem.strerror or problem}.") from None
        except OverflowError:
            raise CommandError(f"Port {port} does not exist. Choose one from 1 to 65535 with --port.") from None

    def _report(self, received: Received, status: int) -> None:
        self.stdout.write(f"{received.method} {presentable(received.route)} {status or 'closed'}")
        self.stdout.flush()


def presentable(route: str) -> str:
    """Return a path fit for a log: a part that may be a pasted secret, or is no plain text, is left out."""
    secrets = {*vars(SECRETS).values(), *TROUBLED}
    parts = route.split("/")
    return "/".join(part if _HARMLESS.fullmatch(part) and part not in secrets else "(left out)" for part in parts)


def introduction(origin: str) -> str:
    """Return what is printed at the start: what to paste into the wizard, and what a check comes to."""
    head = ("AI LLM Type", "API Endpoint", "API Key", "API Secret", "")
    good = [(row.type, origin + row.path, row.key or "-", row.secret, row.about) for row in PERSONALITIES]
    hosts = [(row.type, origin + row.path, row.secret, _expected(row.cause)) for row in TRIALS]
    files = [("GOOGLE", f"{origin}/vertex/{name}.json", _expected(cause)) for name, cause in vertex.KEY_FILES.items()]
    bad = [(f"{origin}/{row.name}/v1", row.about, _expected(row.cause)) for row in FAULTS.values()]
    tls = (f"https{origin.removeprefix('http')}/openai/v1", "a certificate that nobody trusts")
    parts = (
        ("", _table([head, *good])),
        ("Hosts, each with the secrets it tells apart, and what a check says:", _table(hosts)),
        (f"Vertex AI: API Endpoint {origin}/vertex, as API Secret the text of one of these files:", _table(files)),
        ("Endpoints with a fault, for the types OPENAI and OTHER with the secret of OpenAI above:",
         _table([*bad, (*tls, _expected("certificate_untrusted"))])),
    )  # fmt: skip
    lines = [line for title, rows in parts for line in (*([title, ""] if title else []), *rows, "")]
    first = f"The sandbox provider listens on {origin} (Ctrl-C stops it). Any other secret is a wrong one."
    return "\n".join((first, "", *lines, "Requests:"))


def _expected(cause: str) -> str:
    found = causes.CAUSES[cause]
    return f"{found.verdict.label}: {found.headline}"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
