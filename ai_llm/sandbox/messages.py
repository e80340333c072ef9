"""What arrives at the sandbox provider and what it answers, before anything is written to a socket."""

import gzip
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from enum import Enum, auto
from typing import Any, Self
from urllib.parse import unquote


class Delivery(Enum):
    """How an answer goes over the wire."""

    WHOLE = auto()
    DRIP = auto()  # the head at once, then the body byte by byte
    DRIP_HEAD = auto()  # byte by byte from the first one on
    ENDLESS = auto()  # the head, then the body again and again
    CUT = auto()  # half of the announced body, then the end of the connection
    NOTHING = auto()  # the connection is closed without a byte


@dataclass(frozen=True)
class Received:
    """One request as it arrived. `path` is the request target with its query; `headers` ignores case, body is bytes."""

    method: str
    path: str
    headers: "Message[str, str]" = field(repr=False, default_factory=Message)
    body: bytes = field(repr=False, default=b"")

    @property
    def route(self) -> str:
        """The path without query, still percent-encoded."""
        return self.path.partition("?")[0]

    @property
    def query(self) -> str:
        """The query as it arrived, without the question mark."""
        return self.path.partition("?")[2]

    def header(self, name: str) -> str:
        """Return a header's value, empty when it is missing."""
        return str(self.headers.get(name, ""))

    def bearer(self) -> str:
        """Return the token of `Authorization: Bearer`, empty when there is none (RFC 6750, section 2.1)."""
        scheme, _, token = self.header("Authorization").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def json(self) -> dict[str, Any] | None:
        """Return the body as a JSON object, None if it is anything else."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return None
        return content if isinstance(content, dict) else None


@dataclass(frozen=True)
class Answer:
    """One answer. `delay` are the seconds before the first byte, `pace` those between the pieces of its delivery."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = Delivery.WHOLE
    delay: float = 0
    pace: float = 0

    @classmethod
    def json(cls, status: int, content: object, headers: Mapping[str, str] | None = None) -> Self:
        """Return an answer whose body is `content` as JSON."""
        return cls(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    @classmethod
    def page(cls, status: int, html: str, headers: Mapping[str, str] | None = None) -> Self:
        """Return a web page, as a login wall or a proxy in front of a provider sends it."""
        return cls(status, html.encode(), {"Content-Type": "text/html; charset=utf-8", **(headers or {})})

    def compressed(self) -> Self:
        """Return this answer with a gzip body, whether or not the client asked for one."""
        return replace(self, body=gzip.compress(self.body), headers={**self.headers, "Content-Encoding": "gzip"})


def same(given: str, right: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing about where they differ."""
    return hmac.compare_digest(given.encode(), right.encode())


def decoded(segment: str) -> str:
    """Return a path segment as text: model ids contain slashes and colons, which clients percent-encode."""
    return unquote(segment)
