"""Vertex AI with a service account: its JSON key file signs for a token that lasts an hour, and the token lists models.

Sources: https://developers.google.com/identity/protocols/oauth2/service-account (the signed request for a token),
https://github.com/crossplane-contrib/provider-jet-gcp/issues/56 (what is said of a deleted key),
https://github.com/googleapis/google-api-ruby-client/issues/720 (of a disabled account),
https://github.com/websightgmbh/l5-google-cloud-storage/issues/6 (of a deleted client, and of a clock that is off),
https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/publishers.models/list,
https://cloud.google.com/vertex-ai/docs/reference/rest (one host for each region; without a region the global one),
https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors/gcp,
https://github.com/Portkey-AI/gateway/blob/main/src/providers/google-vertex-ai/api.ts.

The token is asked for at one constant address. A key file that names another one is refused, for the signed request
would be of use to whoever runs that address.
"""

import base64
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ai_llm.providers import addresses, answers, practice, verdicts
from ai_llm.providers.facts import Error, Exchange, Judgement, Preset, Recipe, UnprovableError
from ai_llm.providers.recipes import clouds
from flashback.outbound import Answer, Request

TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LASTS = 600
DEFAULT_ENDPOINT = "https://us-central1-aiplatform.googleapis.com"
PRESET = Preset(
    slug="vertex-ai",
    name="Vertex AI, region us-central1",
    endpoint=DEFAULT_ENDPOINT,
    about="With the key file of a service account.",
    confirmed=True,
    needs_secret=True,
)
REGION = r"[a-z]{2,12}-[a-z]{4,12}[0-9]{1,2}"
HOST = re.compile(rf"(?:({REGION})-)?aiplatform\.googleapis\.com")
LOCATION = re.compile(rf"/locations/({REGION})(?:/|$)")

NATIVE = Recipe(
    "Vertex AI",
    "vertex",
    (".aiplatform.googleapis.com",),
    (
        "https://developers.google.com/identity/protocols/oauth2/service-account",
        "https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/publishers.models/list",
    ),
    about="Gemini models in your own Google Cloud project.",
    note="Vertex AI takes the whole JSON key file of a service account as API Secret.",
    make_key_url="https://console.cloud.google.com/iam-admin/serviceaccounts",
    billing_url="https://console.cloud.google.com/billing",
    status_url="https://status.cloud.google.com",
    owners=("Google",),
    confirmed=False,
)


@dataclass(frozen=True)
class _Account:
    """What is needed of a key file. Its repr holds nothing secret."""

    email: str
    key_id: str
    private_key: rsa.RSAPrivateKey = field(repr=False)


def recipe(endpoint: str) -> Recipe | None:
    """Return the row of Vertex AI's own hosts, or of the sandbox provider that plays it."""
    if HOST.fullmatch(addresses.host_of(endpoint)):
        return NATIVE
    return practice.moved(NATIVE, endpoint) if practice.slug_of(endpoint) == NATIVE.slug else None


def address(endpoint: str) -> str:
    """Return the URL of Google's list of models, at the region that the host or the path names."""
    if practice.slug_of(endpoint) == NATIVE.slug:
        base = addresses.with_path(endpoint, f"/{NATIVE.slug}")
    else:
        base = _derived(endpoint) or addresses.with_path(endpoint, "")
    return f"{base}/v1beta1/publishers/google/models?pageSize=100"


def origins(endpoint: str) -> tuple[str, ...]:
    """Return the token address, and the regional host that an exactly matched global host derives from its path."""
    if not HOST.fullmatch(addresses.host_of(endpoint)):
        return ()
    derived = _derived(endpoint)
    return (addresses.origin_of(TOKEN), *([f"{derived}:443"] if derived else []))


def exchange(endpoint: str, secret: str) -> Exchange:
    """Return the request that trades the key file for a token. Raises `UnprovableError` for what is no such file."""
    account = _account(secret)
    body = urlencode({"grant_type": GRANT, "assertion": _signed(account)}).encode()
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    url = TOKEN if HOST.fullmatch(addresses.host_of(endpoint)) else addresses.with_path(endpoint, "/vertex/token")
    return Exchange(Request("POST", url, headers, body), read_token)


def read_token(answer: Answer) -> str | Judgement:
    """Return the token in an answer, or what the answer means when there is none."""
    value = answers.read(answer.body)
    token = value.get("access_token") if isinstance(value, dict) else None
    if 200 <= answer.status < 300:
        fits = isinstance(token, str) and re.fullmatch(r"[!-~]{8,4096}", token.rstrip("."))
        return str(token) if fits else verdicts.of_list(Answer(answer.status, answer.headers, b"{}"))
    return verdicts.judge(answer, TOKEN, _refine_token)


def judge(answer: Answer, endpoint: str) -> Judgement:
    """Return what the answer to the list means."""
    return verdicts.judge(answer, address(endpoint), _refine)


def _derived(endpoint: str) -> str:
    host, location = addresses.host_of(endpoint), LOCATION.search(addresses.path_of(endpoint))
    exact = host == "aiplatform.googleapis.com" and addresses.origin_of(endpoint) == f"https://{host}:443"
    return f"https://{location[1]}-{host}" if exact and location else ""


def _account(secret: str) -> _Account:
    """Return the account of a key file. Its private key is read without proving its primes, which takes too long."""
    document = answers.read(secret.encode("utf-8", "replace"))
    if not isinstance(document, dict):
        raise UnprovableError("service_account_unreadable")
    if document.get("type") != "service_account":
        raise UnprovableError("service_account_other")
    if document.get("token_uri", TOKEN) != TOKEN:
        raise UnprovableError("token_address_foreign")
    return _Account(_text(document, "client_email"), str(document.get("private_key_id", "")), _private_key(document))


def _text(document: dict[str, Any], name: str) -> str:
    text = document.get(name)
    if not isinstance(text, str) or not text.strip():
        raise UnprovableError("service_account_unreadable")
    return text


def _private_key(document: dict[str, Any]) -> rsa.RSAPrivateKey:
    pem = _text(document, "private_key").encode("ascii", "replace")
    try:
        key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UnprovableError("service_account_unreadable")
    return key


def _signed(account: _Account) -> str:
    """Return the assertion: a JSON Web Token signed with RS256 (RFC 7515, RFC 7523)."""
    now = int(time.time())
    header = {"alg": "RS256", "typ": "JWT", **({"kid": account.key_id} if account.key_id else {})}
    claims = {"iss": account.email, "scope": SCOPE, "aud": TOKEN, "iat": now, "exp": now + LASTS}
    text = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}"
    try:
        signature = account.private_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except ValueError:
        raise UnprovableError("service_account_unreadable") from None
    return f"{text}.{_part(signature)}"


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _refine_token(status: int, error: Error) -> str:
    """Read the errors of the token address: the same code for a deleted key and for a clock that is off."""
    if status not in {400, 401, 403}:
        return ""
    if error.codes & {"invalid_grant"} and re.search(r"timeframe|\biat\b|\bexp\b", error.message):
        return "clock_off"
    if error.codes & {"invalid_grant", "disabled_client", "invalid_client", "deleted_client"}:
        return "service_account_refused"
    return "token_exchange_failed"


def _refine(status: int, error: Error) -> str:
    if status == 404:
        return "location_unknown"
    if status == 403 and "IAM_PERMISSION_DENIED" in error.codes:
        return "scope_missing"
    return clouds.google(status, error)
