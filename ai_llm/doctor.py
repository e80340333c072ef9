"""The base-URL doctor: what an endpoint will become, and a one-click fix for each known slip. It never resolves."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit, urlunsplit

from ai_llm.models import Type
from ai_llm.providers import PROVIDERS, Recipe, addresses
from ai_llm.providers.recipes import RECIPES
from flashback import outbound
from flashback.outbound import ShapeError

ERROR, WARNING, INFO = "error", "warning", "info"


@dataclass(frozen=True)
class Finding:
    """One thing about an endpoint.

    `severity` is error (it cannot be stored), warning or info; `fix` is an endpoint to use instead, "" without one;
    `type` is the AI LLM Type to choose instead, "" when it is no question of the type.
    """

    code: str
    severity: str
    message: str
    fix: str = ""
    type: str = ""


@dataclass(frozen=True)
class Examination:
    """`normal` is the endpoint as it will be stored ("" after an error), `final_url` what the check will call.

    `recipe` is the name of the host's recipe that was picked, "" for an unknown host; `confirmed` False says that
    nobody has documented its behaviour in public; `note` is what to know about it. `needs_secret` False marks a server
    that usually runs without keys.
    """

    normal: str
    final_url: str
    findings: tuple[Finding, ...]
    recipe: str = ""
    confirmed: bool = True
    note: str = ""
    needs_secret: bool = True


@dataclass(frozen=True)
class _Case:
    """A usable endpoint: as typed, as it will be stored, and the type it is meant for."""

    text: str
    normal: str
    type: str

    @property
    def host(self) -> str:
        return addresses.host_of(self.normal)

    @property
    def path(self) -> str:
        return addresses.path_of(self.normal)

    @property
    def recipe(self) -> Recipe | None:
        return PROVIDERS[self.type].recipe(self.normal)


# What people paste after the base: the paths of single calls of OpenAI, Anthropic, Gemini, Bedrock and Ollama.
CALL_PATHS = re.compile(
    r"/(?:chat/completions|completions|responses|embeddings|messages(?:/count_tokens)?|moderations|rerank"
    r"|images/(?:generations|edits)|audio/(?:speech|transcriptions|translations)"
    r"|models(?:/[^/]+(?::[A-Za-z]+)?)?|model/[^/]+(?:/[a-z-]+)?|foundation-models|api/(?:chat|generate|tags|version))/?$"
)
# A second address, right behind the first one; behind a slash it could be a path.
TWO_ADDRESSES = re.compile(r"(?<=[^/\s])\s*(?=https?://[^/\s])", re.IGNORECASE)
USE_HTTPS = "Use https:// here. With http:// the key would travel readable through the internet."
LONGEST = 2048
# A text with more slips than this on top of each other is no endpoint.
MOST_SLIPS = 20
BASES_THAT_END_IN_MODELS = (".services.ai.azure.com", ".inference.ai.azure.com")


def examine(endpoint: str, type: str) -> Examination:
    """Return what becomes of `endpoint` under the AI LLM Type `type`. Takes any text, and never resolves a name."""
    text = endpoint.strip()
    for slip in (_missing, _too_long, _glued, _blank, _quotes, _scheme, _user, _query, _fragment, _call_path, _doubled):
        finding = slip(text)
        if finding is not None:
            return Examination("", "", (finding,))
    try:
        normal = outbound.check_shape(text.rstrip("/"))
    except ShapeError as error:
        message = USE_HTTPS if error.rule == "https" and wants_https(text) else error.message
        return Examination("", "", (Finding(error.rule, ERROR, message, _https(text)),))
    return _examined(_Case(text, normal, type))


def _examined(case: _Case) -> Examination:
    called, findings = PROVIDERS[case.type].address(case.normal), tuple(_remarks(case))
    row = case.recipe
    if row is None:
        return Examination(case.normal, called, findings)
    return Examination(case.normal, called, findings, row.name, row.confirmed, row.note, not row.keyless)


def wants_https(endpoint: str) -> bool:
    """Return whether this is plain http at the web port of a host of the internet: nobody should permit that."""
    where = addresses.host_and_port(endpoint)
    return where.endswith(":80") and addresses.is_public(addresses.host_of(endpoint))


def same_destination(old: str, new: str, type: str = "") -> bool:
    """Return whether a secret stored for `old` may stay with `new` under the AI LLM Type `type`.

    True only when scheme, host, port and path are the same but for a slash at the end or the one version path of the
    type (/v1, at Google /v1beta) that was added or dropped: on shared gateways the path is the tenant, and any other
    version could be one, reached in two steps.
    """
    try:
        before, after = (urlsplit(outbound.check_shape(text.strip().rstrip("/"))) for text in (old, new))
        same_origin = outbound.origin(before.geturl()) == outbound.origin(after.geturl())
    except (ShapeError, ValueError):
        return False
    if not same_origin or before.query or after.query:
        return False
    paths = before.path.rstrip("/"), after.path.rstrip("/")
    shorter, longer = sorted(paths, key=len)
    if addresses.has_version_at_end(shorter):
        return shorter == longer
    return longer in {shorter, shorter + _own_version(type)}


def _own_version(type: str) -> str:
    default = PROVIDERS[type].default_endpoint if type in PROVIDERS else ""
    path = addresses.path_of(default)
    return path.removeprefix(addresses.without_version(path)) or "/v1"


def _missing(text: str) -> Finding | None:
    return None if text else Finding("missing", ERROR, "Enter the API Endpoint, for example https://api.openai.com/v1.")


def _too_long(text: str) -> Finding | None:
    if len(text) <= LONGEST:
        return None
    return Finding("too_long", ERROR, f"The API Endpoint is longer than {LONGEST} characters.")


def _glued(text: str) -> Finding | None:
    """Two addresses: somebody pasted one without removing what stood in the field, which is mostly a default."""
    both = [part.strip() for part in TWO_ADDRESSES.split(text.partition("?")[0].partition("#")[0])]
    if len(both) < 2 or not re.match(r"https?://", both[0], re.IGNORECASE):
        return None
    defaults = {provider.default_endpoint for provider in PROVIDERS.values()}
    usable = sorted(filter(None, map(_storable, both)), key=lambda endpoint: endpoint in defaults)
    message = "These are two addresses in one. Keep the one that you mean, and remove the other."
    return Finding("two_addresses", ERROR, message, usable[0] if usable else "")


def _blank(text: str) -> Finding | None:
    if not re.search(r"\s", text):
        return None
    joined = re.sub(r"\s+", "", text)
    return Finding("blank", ERROR, "The API Endpoint has a blank or a line break inside.", _storable(joined))


def _quotes(text: str) -> Finding | None:
    bare = text.strip("\"'`<>")
    return None if bare == text else Finding("quotes", ERROR, "The API Endpoint has quotes around it.", _storable(bare))


def _scheme(text: str) -> Finding | None:
    if re.match(r"https?://[^/]", text, re.IGNORECASE):
        return None
    if re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE) and not re.match(r"https?:", text, re.IGNORECASE):
        return Finding("scheme", ERROR, "The API Endpoint must begin with https://.", "")
    rest = re.sub(r"^(?:https?)?:?/*", "", text, flags=re.IGNORECASE)
    scheme = "https" if addresses.is_public(addresses.host_of(f"https://{rest}")) else "http"
    fix = _storable(f"{scheme}://{rest}") or _storable(f"https://{rest}")
    return Finding("no_scheme", ERROR, "The API Endpoint needs its protocol at the beginning: https://.", fix)


def _user(text: str) -> Finding | None:
    bare = _without_user(text)
    if bare == text:
        return None
    message = "The API Endpoint must hold no user or password. A secret belongs in API Secret."
    return Finding("user_info", ERROR, message, _storable(bare))


def _query(text: str) -> Finding | None:
    if "?" not in text:
        return None
    message = "The API Endpoint must have no question mark and nothing after it. A key belongs in API Secret."
    return Finding("query", ERROR, message, _storable(text.partition("?")[0]))


def _fragment(text: str) -> Finding | None:
    if "#" not in text:
        return None
    return Finding(
        "fragment", ERROR, "The API Endpoint must have no # and nothing after it.", _storable(text.partition("#")[0])
    )


def _call_path(text: str) -> Finding | None:
    base = _without_call(text)
    if base == text:
        return None
    message = f"The path {text[len(base) :].rstrip('/')} belongs to a single call. Enter the part before it."
    return Finding("call_path", ERROR, message, _storable(base))


def _doubled(text: str) -> Finding | None:
    fixed = addresses.once(text)
    return (
        None
        if fixed == text
        else Finding("doubled_version", ERROR, "The version stands twice in the path.", _storable(fixed))
    )


def _authority(text: str) -> str:
    return re.split(r"[/?#]", text.partition("://")[2], maxsplit=1)[0]


def _without_user(text: str) -> str:
    authority = _authority(text)
    return text.replace(authority, authority.rpartition("@")[2], 1) if "@" in authority else text


def _without_call(text: str) -> str:
    path = CALL_PATHS.search(text)
    if path is None or addresses.host_of(text).endswith(BASES_THAT_END_IN_MODELS):
        return text
    return text[: path.start()]


def _storable(text: str) -> str:
    """Return `text` without further slips, when it can be stored then; else "". So one click is enough."""
    for _ in range(MOST_SLIPS):
        cut = addresses.once(_without_call(_without_user(text).partition("?")[0].partition("#")[0]))
        if cut == text:
            return _checked(text)
        text = cut
    return ""


def _checked(text: str) -> str:
    try:
        return outbound.check_shape(text.rstrip("/"))
    except ShapeError:
        return _https(text)


def _https(text: str) -> str:
    """Return the https form of an http endpoint when that one can be stored."""
    if not re.match(r"http://", text, re.IGNORECASE):
        return ""
    try:
        parts = urlsplit(f"https{text[4:]}")
        netloc = parts.netloc.removesuffix(":80")
        return outbound.check_shape(urlunsplit(("https", netloc, parts.path.rstrip("/"), "", "")))
    except (ShapeError, ValueError):
        return ""


def _remarks(case: _Case) -> Iterable[Finding]:
    remarks = (_slash, _plain_http, _local, _foreign_letters, _website, _owner, _path)
    return (finding for remark in remarks if (finding := remark(case)) is not None)


def _slash(case: _Case) -> Finding | None:
    if not case.text.endswith("/"):
        return None
    return Finding("trailing_slash", INFO, "The slash at the end is removed.", case.normal)


def _plain_http(case: _Case) -> Finding | None:
    if not case.normal.startswith("http://") or not addresses.is_public(case.host):
        return None
    message = "With http the secret travels readable. Use https where the server offers it."
    return Finding("plain_http", WARNING, message, _https(case.normal))


def _local(case: _Case) -> Finding | None:
    if case.host != "localhost" and not _is_loopback(case.host):
        return None
    message = "This is the machine that Flashback runs on; inside a container it is the container itself."
    return Finding("local", INFO, message)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _foreign_letters(case: _Case) -> Finding | None:
    if "xn--" not in case.host:
        return None
    message = f"The host has letters outside ASCII. Its technical name is {case.host}; check that it is the right one."
    return Finding("foreign_letters", WARNING, message)


@cache
def _websites() -> dict[str, tuple[str, str]]:
    """Return the hosts of the pages where keys are made, each with whose it is and the base of that one's API."""
    rows = [(row.name, row.base, row.make_key_url) for row in RECIPES if not row.practice]
    rows += [(str(Type(kind).label), one.default_endpoint, one.make_key_url) for kind, one in PROVIDERS.items()]
    found = {addresses.host_of(page): (name, base) for name, base, page in rows if page and base}
    return {host: told for host, told in found.items() if not host.startswith("api.")}  # such a one may answer calls


def _website(case: _Case) -> Finding | None:
    """Say when somebody pasted the address of the page where the key was made."""
    found = None if case.recipe is not None else _websites().get(case.host)
    if found is None:
        return None
    message = f"This is the website of {found[0]}, where keys are made. Its API is at {found[1]}."
    return Finding("website", WARNING, message, found[1])


def _owner(case: _Case) -> Finding | None:
    """Say when the host belongs to another type. Its OpenAI form (`openai` in the path) is at home under OPENAI."""
    compatible = case.type in {Type.OPENAI, Type.OTHER}
    at_home = "openai" in case.path if compatible else case.recipe is not None
    others = (
        (Type.GOOGLE, Type.ANTHROPIC, Type.AWS) if compatible else (Type.OPENAI, Type.GOOGLE, Type.ANTHROPIC, Type.AWS)
    )
    recipes = ((other, PROVIDERS[other].recipe(case.normal)) for other in others if other != case.type)
    found = next(((other, recipe) for other, recipe in recipes if recipe is not None and not recipe.keyless), None)
    if at_home or found is None:
        return None
    message = f"This is the address of {found[1].name}. Choose the AI LLM Type {found[0].value} for it."
    return Finding("other_type", WARNING, message, type=found[0].value)


def _path(case: _Case) -> Finding | None:
    """Say when the path is not the one that the host is known for, or when an unknown host has none."""
    if case.recipe is not None and case.recipe.base:
        return _known_path(case, case.recipe)
    if case.recipe is not None or case.type not in {Type.OPENAI, Type.OTHER} or addresses.has_version(case.path):
        return None
    if _website(case) is not None:
        return None
    fix = addresses.with_path(case.normal, f"{case.path}/v1")
    if case.path:
        message = "There is no version path such as /v1. Most servers need one."
        return Finding("missing_version", WARNING, message, fix)
    return Finding("missing_version", INFO, "There is no version path; the check adds /v1.", fix)


def _known_path(case: _Case, recipe: Recipe) -> Finding | None:
    path, known = case.path, addresses.path_of(recipe.base)
    if path == known or (path and addresses.without_version(path) == known):
        return None
    fix = addresses.with_path(case.normal, known)
    code = "missing_version" if path in {"", addresses.without_version(known)} else "unusual_path"
    return Finding(code, WARNING, f"The base of {recipe.name} is {fix}.", fix)
