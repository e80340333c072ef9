"""What a provider is: facts and pure functions. Nothing here opens a socket or reads settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ai_llm.causes import CAUSES
from ai_llm.models import Type, Verdict
from flashback.outbound import Answer, Request


@dataclass(frozen=True)
class Recipe:
    """A host that speaks a known dialect with facts of its own: one row.

    `slug` names it in the sandbox provider's paths. `hosts` are exact names, `name:port`, suffixes that begin with a
    dot, or `:port` for any host inside a network. `about` is one line for somebody who chooses it, `note` what to know
    once it is chosen. `base` is the one right endpoint, "" when it depends on the account; then a bare host gets
    `path`, and `preset` is the endpoint to begin with. `listing(endpoint)` is the address of the list of models where
    it is not the base and /models.

    `checks_keys` says that the list (or `proof`) is known to refuse a wrong key, so that no control probe is needed.
    `keyless` marks servers that usually run without keys. `proof` is an address that proves the key where the list is
    public or says less; it is a constant, so the secret may go there. `proof_field` is what its answer must hold, alone
    or inside `data`, for the key to count as known; `told(answer)` then names another cause than accepted, or "".
    `header` carries the secret. `refine(status, error)` reads the host's own error codes. `owners` are the names in
    `ai_llm.key_shapes` whose secrets fit here, by default its own name. `offered` False keeps it out of the presets,
    because an AI LLM Type of its own leads there.

    `confirmed` is False where nobody has documented the behaviour in public. `practice` marks a copy for the sandbox
    provider (see `practice.py`).
    """

    name: str
    slug: str
    hosts: tuple[str, ...]
    sources: tuple[str, ...]
    about: str = ""
    note: str = ""
    base: str = ""
    path: str = "/v1"
    preset: str = ""
    listing: Callable[[str], str] | None = None
    checks_keys: bool = True
    keyless: bool = False
    lists_models: bool = True
    proof: str = ""
    proof_field: str = ""
    proof_method: str = "GET"
    told: "Callable[[Mapping[str, Any]], str] | None" = None
    header: str = "Authorization"
    refine: "Callable[[int, Error], str] | None" = None
    make_key_url: str = ""
    billing_url: str = ""
    status_url: str = ""
    owners: tuple[str, ...] | None = None
    offered: bool = True
    confirmed: bool = True
    practice: bool = False

    @property
    def has_its_own_port(self) -> bool:
        """Whether its usual port tells what listens there. 8000 and 8080 are everybody's."""
        return any(host.startswith(":") for host in self.hosts)


@dataclass(frozen=True)
class Preset:
    """One choice of the tile Other: what to put into API Endpoint, and what to say about it.

    `complete` is False when a part of `endpoint` must be replaced by the person's own.
    """

    slug: str
    name: str
    endpoint: str
    about: str
    confirmed: bool
    needs_secret: bool
    complete: bool = True


@dataclass(frozen=True)
class Error:
    """What a provider's error answer says: the code to show, all codes, and its message (evidence, not our words).

    `spoken` says that the body is JSON with a code or a message, as an API writes it and no balancer does.
    """

    code: str = ""
    codes: frozenset[str] = frozenset()
    message: str = ""
    spoken: bool = False


@dataclass(frozen=True)
class Judgement:
    """What one answer means. The verdict follows from the cause; `excerpt_source` is unredacted provider text.

    Such text may quote the secret, so no repr shows it.
    """

    cause: str
    facts: Mapping[str, str | int] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    provider_code: str = ""
    excerpt_source: str = field(default="", repr=False)

    @property
    def verdict(self) -> Verdict:
        """One of the four."""
        return CAUSES[self.cause].verdict


@dataclass(frozen=True)
class Exchange:
    """A secret that signs for a token: the request that asks for it, and `read`, which finds the token in the answer.

    Without a token `read` returns the judgement of the whole check.
    """

    request: Request
    read: Callable[[Answer], "str | Judgement"]


def no_exchange(endpoint: str, secret: str) -> Exchange | None:
    """Return nothing: the secret itself is sent."""
    del endpoint, secret
    return None


def no_origins(endpoint: str) -> tuple[str, ...]:
    """Return nothing: the secret goes to the endpoint's own origin only."""
    del endpoint
    return ()


class UnprovableError(Exception):
    """No request can be described for these values; `cause` says why, in the catalogue's code."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True)
class Provider:
    """One AI LLM Type.

    `key_name` and `secret_name` are the provider's own names for what the fields API Key and API Secret take.
    `address(endpoint)` is the exact URL that the check calls first.
    `describe(endpoint, secret, key)` returns its requests: the first proves the credential, the last lists the models
    (often the same one); raises `UnprovableError`.
    `judge(answer, endpoint)` says what the answer to one of them means.
    `origins(endpoint)` are those besides the endpoint's own that the secret may go to: constants, or derived from an
    exactly matched host.
    `recipe(endpoint)` is the row of the endpoint's host, or None for a host that is not known.
    `owners` are the names in `ai_llm.key_shapes` whose secrets fit this type at its default endpoint.
    `exchange(endpoint, secret)` is for a secret that is not sent itself: the token it gets takes its place in
    `describe`; None where the secret is sent; raises `UnprovableError`.
    `may_be_keyless` says that a server of this type may need no secret at all; then `describe` gets "" for it.
    """

    type: Type
    label: str
    summary: str
    default_endpoint: str
    key_name: str
    secret_name: str
    key_help: str
    secret_help: str
    needs_secret: bool
    uses_key: bool
    make_key_url: str
    documentation_url: str
    sources: tuple[str, ...]
    address: Callable[[str], str]
    describe: Callable[[str, str, str], tuple[Request, ...]]
    judge: Callable[[Answer, str], Judgement]
    recipe: Callable[[str], Recipe | None]
    origins: Callable[[str], tuple[str, ...]] = no_origins
    exchange: Callable[[str, str], Exchange | None] = no_exchange
    may_be_keyless: bool = False
    owners: tuple[str, ...] = ()
    billing_url: str = ""
    status_url: str = ""
    placeholder: str = "https://"
