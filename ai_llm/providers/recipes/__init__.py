"""Hosts that speak the OpenAI form with facts of their own. Adding one is adding a row, or a module with rows, here.

Every module of this package is found by itself: it holds `RECIPES` (rows) and `ORDER` (its place among the presets).
A host that is not here is unknown: its list counts as proof only after the control probe. `confirmed=False` marks rows
whose behaviour nobody has documented in public.
"""

from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules

from ai_llm.providers import addresses, practice
from ai_llm.providers.facts import Preset, Recipe


def collected() -> tuple[Recipe, ...]:
    """Return the rows of every module of this package, in the order of the presets."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    return tuple(row for module in sorted(modules, key=lambda module: int(module.ORDER)) for row in module.RECIPES)


class Index:
    """Finds the row of an endpoint's host among `rows`."""

    def __init__(self, rows: tuple[Recipe, ...]) -> None:
        hosts = [(host, row) for row in rows for host in row.hosts]
        self.exact = {host: row for host, row in hosts if not host.startswith((".", ":"))}
        self.suffixes = [(host, row) for host, row in hosts if host.startswith(".")]
        self.ports = {host: row for host, row in hosts if host.startswith(":")}
        self.slugs = {row.slug: row for row in rows}
        # A check asks a dozen times for the row of one endpoint.
        self.pick = lru_cache(maxsize=512)(self._pick)

    def of_suffix(self, host: str) -> Recipe | None:
        """Return the row of a host that ends in a known suffix, with something before it."""
        return next((row for suffix, row in self.suffixes if host.endswith(suffix) and len(host) > len(suffix)), None)

    def practised(self, endpoint: str) -> Recipe | None:
        """Return the row that the sandbox provider plays at this endpoint."""
        row = self.slugs.get(practice.slug_of(endpoint))
        return practice.moved(row, endpoint) if row else None

    def of_port(self, host: str, located: str) -> Recipe | None:
        """Return the row whose usual port a host inside a network has."""
        row = self.ports.get(f":{located.rpartition(':')[2]}")
        return None if row is None or not host or addresses.is_public(host) else row

    def _pick(self, endpoint: str) -> Recipe | None:
        host, located = addresses.host_of(endpoint), addresses.host_and_port(endpoint)
        known = self.exact.get(located) or self.exact.get(host) or self.of_suffix(host)
        return known or self.practised(endpoint) or self.of_port(host, located)


RECIPES = collected()
INDEX = Index(RECIPES)


def pick(endpoint: str) -> Recipe | None:
    """Return the row of the endpoint's host, None when it is unknown.

    Decided by host and port, by host, by suffix, by the sandbox provider's layout, by the port of a host inside.
    """
    return INDEX.pick(endpoint)


def presets() -> tuple[Preset, ...]:
    """Return the choices of the tile Other: servers of one's own first, then providers, gateways, clouds."""
    return tuple(_preset(row) for row in RECIPES if row.offered)


def proof_origin(recipe: Recipe) -> str:
    """Return scheme://host:port of the row's proof address, a constant that the secret may go to; else ""."""
    return addresses.origin_of(recipe.proof) if recipe.proof else ""


def _preset(row: Recipe) -> Preset:
    complete = bool(row.base) or row.keyless
    return Preset(row.slug, row.name, row.preset or row.base, row.about, row.confirmed, not row.keyless, complete)
