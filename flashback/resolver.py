"""Looks names up with a time limit: the system's call has none, so it runs in a thread that may be left behind."""

import socket
import threading
from ipaddress import ip_address
from queue import Empty, SimpleQueue

from flashback.addresses import Address

MOST_ANSWERS = 64
# A name service that says nothing holds a thread for half a minute; more of them at once than this wait for nobody.
MOST_LOOKUPS = 32
_places = threading.BoundedSemaphore(MOST_LOOKUPS)


class Unresolved(Exception):
    """A name without usable addresses; the text is for the operator."""


class Overloaded(Exception):
    """Too many lookups are hanging; nothing was asked."""


def resolve(host: str, port: int, seconds: float) -> list[Address]:
    """Return the addresses of a name, each once, in the system's order; at most 64.

    Asks the system once and waits `seconds` at most. Raises Unresolved, or Overloaded without asking.
    """
    if not _places.acquire(blocking=False):
        raise Overloaded
    results: SimpleQueue[list[str] | Unresolved] = SimpleQueue()
    threading.Thread(target=_look_up, args=(host, port, results), name="lookup", daemon=True).start()
    try:
        found = results.get(timeout=max(seconds, 0.001))
    except Empty:
        raise Unresolved("the name service did not answer in time") from None
    if isinstance(found, Unresolved):
        raise found
    return _addresses(found)


def _look_up(host: str, port: int, results: "SimpleQueue[list[str] | Unresolved]") -> None:
    try:
        answers = socket.getaddrinfo(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        results.put([str(answer[4][0]) for answer in answers])
    except (OSError, UnicodeError) as error:
        results.put(Unresolved(f"the name does not resolve ({type(error).__name__})"))
    except Exception as error:
        results.put(Unresolved(f"the lookup failed ({type(error).__name__})"))
        raise
    finally:
        _places.release()


def _addresses(texts: list[str]) -> list[Address]:
    unique = list(dict.fromkeys(texts))
    if not 1 <= len(unique) <= MOST_ANSWERS:
        raise Unresolved(f"the name has {len(unique)} addresses")
    try:
        return [ip_address(text.partition("%")[0]) for text in unique]
    except ValueError:
        raise Unresolved("the name service answered with something that is no address") from None
