"""Amazon Bedrock, by a Bedrock API key or by an access key pair (Signature Version 4).

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html,
https://docs.aws.amazon.com/general/latest/gr/bedrock.html (the list is at the control host, calls at the runtime host).
"""

import re

from ai_llm.providers import addresses, openai_form, practice, signature, verdicts
from ai_llm.providers.facts import Error, Judgement, Recipe, UnprovableError
from flashback.outbound import Answer, Request

REGION = re.compile(r"[a-z]{2}(?:-[a-z]{2,10}){1,2}-[1-9]")
HOST = re.compile(rf"bedrock(?:-runtime)?(-fips)?\.({REGION.pattern})\.(amazonaws\.com(?:\.cn)?)")

NATIVE = Recipe(
    "AWS",
    "bedrock",
    ("bedrock-runtime.us-east-1.amazonaws.com",),
    ("https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html",),
    about="Amazon Bedrock, with an access key pair or a Bedrock API key.",
    note="The list is asked at the control host of the same region; a Bedrock API key belongs to one region.",
    make_key_url="https://console.aws.amazon.com/bedrock/home#/api-keys",
    billing_url="https://console.aws.amazon.com/billing/home",
    status_url="https://health.aws.amazon.com/health/status",
)


def recipe(endpoint: str) -> Recipe | None:
    """Return the row of AWS's own Bedrock hosts, or of the sandbox provider that plays them; others are unknown."""
    if _derived(endpoint):
        return NATIVE
    return practice.moved(NATIVE, endpoint) if practice.slug_of(endpoint) == NATIVE.slug else None


def region_of(endpoint: str) -> str:
    """Return the region that the endpoint names, in its host or (for a proxy) as a part of its path; else ""."""
    host = HOST.fullmatch(addresses.host_of(endpoint))
    if host:
        return host[2]
    parts = [*addresses.host_of(endpoint).split("."), *addresses.path_of(endpoint).split("/")]
    return next((part for part in parts if REGION.fullmatch(part)), "")


def control_base(endpoint: str) -> str:
    """Return where models are listed: the control host of an exactly matched runtime host, else the endpoint."""
    return _derived(endpoint) or addresses.with_path(endpoint, addresses.path_of(endpoint))


def runtime_base(endpoint: str) -> str:
    """Return where calls are made, derived from an exactly matched host of either kind; "" for any other endpoint."""
    control = _derived(endpoint)
    return control.replace("://bedrock", "://bedrock-runtime", 1) if control else ""


def address(endpoint: str) -> str:
    """Return the URL of the list of models."""
    return f"{control_base(endpoint)}/foundation-models"


def origins(endpoint: str) -> tuple[str, ...]:
    """Return the derived control origin."""
    derived = _derived(endpoint)
    return (f"{derived}:443",) if derived else ()


def _derived(endpoint: str) -> str:
    host = HOST.fullmatch(addresses.host_of(endpoint))
    if host is None or not endpoint.startswith("https://") or not addresses.host_and_port(endpoint).endswith(":443"):
        return ""
    return f"https://bedrock{host[1] or ''}.{host[2]}.{host[3]}"


def describe(endpoint: str, secret: str, key: str) -> tuple[Request, ...]:
    """Return the one request of a check: signed with the pair, or the secret as Bedrock API key without `key`."""
    url = address(endpoint)
    if not key:
        return (Request("GET", url, openai_form.authorization(secret)),)
    if key.startswith("ASIA"):
        raise UnprovableError("temporary_key")
    region = region_of(endpoint)
    if not region:
        raise UnprovableError("region_unknown")
    headers = signature.sign(url, key_id=key, secret=secret, region=region, service="bedrock")
    return (Request("GET", url, {"Accept": "application/json", **headers}),)


def judge(answer: Answer, endpoint: str) -> Judgement:
    """Return what the answer means; AWS says 403 for bad credentials and for missing rights alike."""
    judgement = verdicts.judge(answer, address(endpoint), _refine)
    facts = {**judgement.facts, "region": region_of(endpoint)}
    return Judgement(judgement.cause, facts, judgement.models, judgement.provider_code, judgement.excerpt_source)


_CODES = {
    "UnrecognizedClientException": "key_id_unknown",
    "InvalidClientTokenId": "key_id_unknown",
    "InvalidSignatureException": "signature_wrong",
    "SignatureDoesNotMatch": "signature_wrong",
    "ExpiredTokenException": "key_expired",
    "ExpiredToken": "key_expired",
    "OptInRequired": "service_disabled",
    "ThrottlingException": "busy",
}


# Of a Bedrock API key AWS says only in words what is wrong with it.
_WORDS = {
    "has expired": "key_expired",
    "invalid api key format": "key_rejected",
    "authentication failed": "key_rejected_here",
    "api key is not valid": "key_rejected_here",
}


def _refine(status: int, error: Error) -> str:
    if status not in {400, 401, 403}:
        return ""
    named = next((cause for code, cause in _CODES.items() if code in error.codes), "")
    if named:
        return named
    message = error.message.lower()
    worded = next((cause for words, cause in _WORDS.items() if words in message), "")
    if worded:
        return worded
    if status == 403:
        return "scope_missing" if "AccessDeniedException" in error.codes else "unexpected_status"
    return ""
