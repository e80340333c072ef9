"""The dialect of Vertex AI: a key file signs for a token, the token lists Google's models.

Paths and shapes: https://developers.google.com/identity/protocols/oauth2/service-account and
https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/publishers.models/list. Errors of the token address:
https://github.com/crossplane-contrib/provider-jet-gcp/issues/56 and
https://github.com/googleapis/google-api-ruby-client/issues/720

/service-account.json gives a key file that is right; the other names of KEY_FILES give one with that trouble.
"""

import base64
import json
import time
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ai_llm.sandbox.gemini import problem
from ai_llm.sandbox.messages import Answer, Received

TOKEN_ADDRESS = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
MODELS = ("gemini-2.5-pro", "gemini-2.5-flash")
# Name of the key file, and what a check with it comes to.
KEY_FILES = {
    "service-account": "accepted",
    "service-account-deleted": "service_account_refused",
    "service-account-gone": "service_account_refused",
    "service-account-without-role": "scope_missing",
    "service-account-without-api": "service_disabled",
    "service-account-without-billing": "billing_off",
    "service-account-of-a-stranger": "token_address_foreign",
}
_PERMISSION = "Permission 'aiplatform.publisherModels.list' denied on resource (or it may not exist)."
_API_OFF = "Vertex AI API has not been used in project sandbox before or it is disabled."
_BILLING = "This API method requires billing to be enabled. Please enable billing on project sandbox."
_TIMEFRAME = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp "
    "values in the JWT claim."
)
_REFUSALS = {
    "service-account-without-role": problem(403, "PERMISSION_DENIED", _PERMISSION, "IAM_PERMISSION_DENIED"),
    "service-account-without-api": problem(403, "PERMISSION_DENIED", _API_OFF, "SERVICE_DISABLED"),
    "service-account-without-billing": problem(403, "PERMISSION_DENIED", _BILLING, "BILLING_DISABLED"),
}


def answer(received: Received, path: str) -> Answer:
    """Answer a request whose path within this host is `path`."""
    name = path.removeprefix("/").removesuffix(".json")
    if received.method == "GET" and path.endswith(".json") and name in KEY_FILES:
        return Answer.json(200, key_file(name))
    if received.method == "POST" and path == "/token":
        return _token(received)
    if received.method == "GET" and path == "/v1beta1/publishers/google/models":
        return _list(received)
    return Answer.json(404, problem(404, "NOT_FOUND", "Requested entity was not found."))


def key_file(name: str) -> dict[str, str]:
    """Return a key file in Google's form, with a private key made for this run."""
    key = _key("deleted" if name == "service-account-deleted" else "present")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    address = "https://stranger.example/token" if name.endswith("stranger") else TOKEN_ADDRESS
    return {
        "type": "service_account",
        "project_id": "sandbox",
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": pem.decode(),
        "client_email": f"{name}@sandbox.iam.gserviceaccount.com",
        "client_id": "100000000000000000000",
        "token_uri": address,
    }


@cache
def _key(_which: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _token(received: Received) -> Answer:
    assertion = parse_qs(received.body.decode("latin-1")).get("assertion", [""])[0]
    claims = _claims(assertion)
    name = str(claims.get("iss", "")).partition("@")[0]
    if claims.get("aud") != TOKEN_ADDRESS:
        return _invalid_grant("Invalid JWT Signature.")
    if name not in KEY_FILES or name == "service-account-gone":
        return _invalid_grant("Robot is disabled.")
    if not -300 < time.time() - float(claims.get("iat", 0)) < 3600:
        return _invalid_grant(_TIMEFRAME)
    token = {"access_token": f"ya29.sandbox-{name}-0123456789", "expires_in": 3599, "token_type": "Bearer"}
    return Answer.json(200, token)


def _invalid_grant(description: str) -> Answer:
    return Answer.json(400, {"error": "invalid_grant", "error_description": description})


def _claims(assertion: str) -> dict[str, Any]:
    """Return what a JSON Web Token claims, {} when our key did not sign it."""
    text, _, signature = assertion.rpartition(".")
    try:
        _key("present").public_key().verify(_bytes(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
        claims = json.loads(_bytes(text.partition(".")[2]))
    except (InvalidSignature, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _list(received: Received) -> Answer:
    name = received.bearer().removeprefix("ya29.sandbox-").removesuffix("-0123456789")
    if name not in KEY_FILES or not received.bearer().startswith("ya29.sandbox-"):
        message = "Request had invalid authentication credentials. Expected OAuth 2 access token."
        return Answer.json(401, problem(401, "UNAUTHENTICATED", message, "ACCESS_TOKEN_TYPE_UNSUPPORTED"))
    if name in _REFUSALS:
        return Answer.json(403, _REFUSALS[name])
    models = [{"name": f"publishers/google/models/{model}", "versionId": "default"} for model in MODELS]
    return Answer.json(200, {"publisherModels": models})
