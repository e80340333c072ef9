"""Connections of urllib3 that dial only addresses judged a moment before, and end at a deadline.

The judgement sits where the socket is made, so nothing lies between it and the connection: no second lookup, no
second parser, no proxy. TLS is left to urllib3 and goes by name.
"""

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from itertools import chain, zip_longest
from typing import Any

import certifi
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from flashback.addresses import Address
from flashback.allowlist import current_allow, is_callable, is_listed
from flashback.endpoints import Target
from flashback.faults import Fault, Steps, Unusable
from flashback.hosts import literal
from flashback.own import is_own
from flashback.resolver import Unresolved, resolve

RESOLVE_SECONDS = 3.0
CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
TRIES = 3
INTERIM_ANSWERS = 8


class Refused(Exception):
    """The network side of us forbids the call; the text is for the operator."""


class Watchdog:
    """Shuts a connection down at a deadline, whatever it is doing: a timeout per read does not bound a call."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self.expired = False
        # A duplicate, because the TLS layer takes the descriptor of the first one over.
        self._twin = sock.dup()
        self._lock = threading.Lock()
        self._timer = threading.Timer(max(seconds, 0), self._cut)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Let the connection be. Closes the duplicate."""
        self._timer.cancel()
        with self._lock:
            self._twin.close()

    def _cut(self) -> None:
        with self._lock:
            self.expired = True
            with suppress(OSError):
                self._twin.shutdown(socket.SHUT_RDWR)


class Line:
    """One call's way to its target: judges, dials, times the stages and watches the deadline."""

    def __init__(self, target: Target, deadline: float, steps: Steps) -> None:
        self.target, self.steps = target, steps
        self._deadline = deadline
        self._watchdog: Watchdog | None = None

    @property
    def expired(self) -> bool:
        """Return whether the deadline ended the connection."""
        return self._watchdog is not None and self._watchdog.expired

    def pool(self) -> HTTPConnectionPool:
        """Return a pool whose connections all come from here."""
        if self.target.scheme == "https":
            context = tls_context(settings.OUTBOUND_CA_FILE)
            return PinnedHTTPSPool(self.target.host, self.target.port, ssl_context=context, line=self)
        return PinnedHTTPPool(self.target.host, self.target.port, line=self)

    def dial(self) -> socket.socket:
        """Return a socket connected to an address that may be called. Raises Refused, Overloaded, OSError."""
        addresses = self._judged()
        self.steps.begin("connection")
        sock = self._first_open(_in_turns(addresses)[:TRIES])
        self._watchdog = Watchdog(sock, self._remaining())
        sock.settimeout(READ_SECONDS)
        self.steps.begin("tls" if self.target.scheme == "https" else "http")
        return sock

    def hang_up(self) -> None:
        """Stop watching."""
        if self._watchdog is not None:
            self._watchdog.stop()

    def _remaining(self) -> float:
        return self._deadline - time.monotonic()

    def _judged(self) -> list[Address]:
        host, port = self.target.host, self.target.port
        self.steps.begin("allowed")
        plain = literal(host)
        self.steps.begin("name")
        addresses = [plain] if plain else self._resolved()
        allow = current_allow()
        for address in addresses:
            listed = is_listed(address, host, port, allow)
            if not listed and (self.target.listed_only or not is_callable(address, host, port)):
                raise Refused(f"{address} may not be called")
        if is_own(host, addresses, port):
            raise Refused("it is Flashback itself or one of its services")
        return addresses

    def _resolved(self) -> list[Address]:
        try:
            return resolve(self.target.host, self.target.port, min(RESOLVE_SECONDS, self._remaining()))
        except Unresolved as problem:
            raise Refused(str(problem)) from None

    def _first_open(self, addresses: list[Address]) -> socket.socket:
        problem: OSError = TimeoutError()
        for address in addresses:
            try:
                return self._open(address)
            except OSError as error:
                problem = error
        raise problem

    def _open(self, address: Address) -> socket.socket:
        family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
        seconds = min(CONNECT_SECONDS, self._remaining())
        if seconds <= 0:
            raise TimeoutError
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(seconds)
            sock.connect((str(address), self.target.port))
            _demand_peer(sock, address, self.target.port)
        except BaseException:
            sock.close()
            raise
        return sock


def _demand_peer(sock: socket.socket, address: Address, port: int) -> None:
    """Compare who answered with who was judged. A port nobody listens on can connect to itself (RFC 9293, 3.5)."""
    peer = sock.getpeername()
    if ip_address(peer[0]) != address or peer[1] != port:
        raise Refused("the connection leads to another address than the judged one")
    if sock.getsockname()[:2] == peer[:2]:
        raise ConnectionRefusedError


def _in_turns(addresses: list[Address]) -> list[Address]:
    """Return IPv6 and IPv4 addresses by turns, the system's first choice first: one of the two may have no route."""
    first = [address for address in addresses if address.version == addresses[0].version]
    other = [address for address in addresses if address.version != addresses[0].version]
    return [address for address in chain.from_iterable(zip_longest(first, other)) if address is not None]


@lru_cache(maxsize=4)
def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return the rules for TLS: by name, 1.2 or newer, trusting certifi, the operating system and `ca_file` together.

    Raises OSError (also ssl.SSLError) when `ca_file` is set and cannot be read. A changed file counts after a restart.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_default_certs()
    context.load_verify_locations(certifi.where())
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


class Reply(http.client.HTTPResponse):
    """An answer that may be announced only a few times: the standard library skips 100 Continue without end."""

    _interim = 0

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]  # typeshed leaves it out
        if not 100 <= status < 200:
            return version, status, reason
        self._interim += 1
        if self._interim > INTERIM_ANSWERS or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
            raise Unusable(Fault.PROTOCOL, f"interim answer {status}")
        return version, int(http.HTTPStatus.CONTINUE), reason  # the only one that begin() skips


class PinnedHTTPConnection(HTTPConnection):
    """A plain connection that its line dials."""

    response_class = Reply

    def __init__(self, *args: Any, line: Line, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._line = line

    def _new_conn(self) -> socket.socket:
        return self._line.dial()


class PinnedHTTPSConnection(HTTPSConnection):
    """A TLS connection that its line dials."""

    response_class = Reply

    def __init__(self, *args: Any, line: Line, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._line = line

    def _new_conn(self) -> socket.socket:
        return self._line.dial()

    def connect(self) -> None:
        """Dial, and agree on TLS."""
        super().connect()
        self._line.steps.begin("http")


class PinnedHTTPPool(HTTPConnectionPool):
    """A pool for one plain call."""

    ConnectionCls = PinnedHTTPConnection


class PinnedHTTPSPool(HTTPSConnectionPool):
    """A pool for one call over TLS."""

    ConnectionCls = PinnedHTTPSConnection
