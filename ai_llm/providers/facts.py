"""What a provider is: facts and pure functions. Nothing here opens a socket or reads settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ai_llm.causes import CAUSES
from ai_llm.models import Type, Verdict
from flashback.outbound import Answer, Request


@dataclass(frozen=True)
class Recipe:
    """A host that speaks a known dialect with facts of its own: one row.

    `hosts` are exact names, `name:port`, or suffixes that begin with a dot. `base` is the one right endpoint, "" when
    it depends on the account; then a bare host gets `path`. `checks_keys` says that the list (or `proof`) is known to
    refuse a wrong key, so that no control probe is needed. `keyless` marks servers that usually run without keys.
    `proof` is an address that proves the key where the list is public; it is a constant, so the secret may go there.
    `proof_field` is what its answer must hold, alone or inside `data`, for the key to count as accepted.
    `header` carries the secret. `confirmed` is False where nobody has documented the behaviour in public.
    """

    name: str
    hosts: tuple[str, ...]
    sources: tuple[str, ...]
    base: str = ""
    path: str = "/v1"
    checks_keys: bool = True
    keyless: bool = False
    lists_models: bool = True
    proof: str = ""
    proof_field: str = ""
    proof_method: str = "GET"
    header: str = "Authorization"
    refine: "Callable[[int, Error], str] | None" = None
    make_key_url: str = ""
    billing_url: str = ""
    status_url: str = ""
    confirmed: bool = True


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
    owners: tuple[str, ...] = ()
    billing_url: str = ""
    status_url: str = ""
    placeholder: str = "https://"
