"""How the sandbox provider is judged: with the facts of the host that it plays.

One rule. On a loopback host, a path whose first part is a recipe's slug (http://127.0.0.1:9099/openrouter/api/v1) is
judged by that recipe, with its base and its proof address moved to the same origin and behind the same first part, so
that the secret goes nowhere else. Since any server may listen on loopback, its list never counts without the control
probe, and its name says that it is a practice.
"""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from ai_llm.providers import addresses
from ai_llm.providers.facts import Recipe


def slug_of(endpoint: str) -> str:
    """Return the first part of the path on a loopback host, "" elsewhere."""
    if not addresses.is_loopback(addresses.host_of(endpoint)):
        return ""
    return addresses.path_of(endpoint).strip("/").partition("/")[0]


def moved(row: Recipe, endpoint: str) -> Recipe:
    """Return the row as the server of `endpoint` plays it."""
    return replace(
        row,
        name=f"{row.name} sandbox",
        base=here(row, endpoint, row.base),
        path=f"/{row.slug}{row.path}",
        proof=here(row, endpoint, row.proof),
        checks_keys=False,
        make_key_url="",
        practice=True,
    )


def here(row: Recipe, endpoint: str, url: str) -> str:
    """Return a constant address of the row as an address of the server of `endpoint`; "" for none."""
    return addresses.with_path(endpoint, f"/{row.slug}{urlsplit(url).path}") if url else ""


def fixed(slug: str, url: str) -> Callable[[str], str]:
    """Return a function from endpoint to `url`, or to its counterpart where the sandbox provider plays `slug`."""

    def at(endpoint: str) -> str:
        if slug_of(endpoint) != slug:
            return url
        return addresses.with_path(endpoint, f"/{slug}{urlsplit(url).path}")

    return at
