"""Every cause that a check can name: its verdict, our own words for it, and the one thing to do about it.

A cause belongs to exactly one verdict, so that words and verdict can never disagree. Sentences are filled from the
facts of the check; a fact that is missing reads as nothing. Provider text is never part of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ai_llm.models import Verdict
from flashback.outbound import Fault


class ActionKind(StrEnum):
    """What the button or link of an action does."""

    LINK = "link"  # opens `url` at the provider
    URL_FIX = "url-fix"  # puts `endpoint` in place of the stored one
    RETRY = "retry"  # runs the check again; `after` says when it makes sense
    ASK_OPERATOR = "ask-operator"  # somebody who runs this installation has to change something
    REPLACE_SECRET = "replace-secret"  # noqa: S105 - the name of an action
    EDIT_ENDPOINT = "edit-endpoint"
    MESSAGE = "message"  # leads to the page that asks before one tiny message is sent


@dataclass(frozen=True)
class Action:
    """The one thing to do. `url`, `endpoint` and `after` (seconds) are there when the kind needs them."""

    kind: ActionKind
    label: str
    url: str = ""
    endpoint: str = ""
    after: int = 0


@dataclass(frozen=True)
class Cause:
    """One row of the catalogue.

    `stage` is where the check came to its end, "" when nothing was sent. `needs_nobody` marks a cause that is no fault.
    `otherwise` is the action when the data for `action` (a link, a fixed endpoint) is not known.
    """

    code: str
    verdict: Verdict
    stage: str
    headline: str
    sentence: str
    action: Action
    otherwise: Action | None = None
    needs_nobody: bool = False


EDIT = Action(ActionKind.EDIT_ENDPOINT, "Edit the API Endpoint")
RETRY = Action(ActionKind.RETRY, "Validate again")
REPLACE = Action(ActionKind.REPLACE_SECRET, "Rotate secret")
ASK = Action(ActionKind.ASK_OPERATOR, "Ask the operator of this installation")
FIX = Action(ActionKind.URL_FIX, "Use the corrected API Endpoint")
BILLING = Action(ActionKind.LINK, "Open billing at the provider")
KEYS = Action(ActionKind.LINK, "Open the keys at the provider")
NEW_KEY = Action(ActionKind.LINK, "Make a new key at the provider")
STATUS = Action(ActionKind.LINK, "Open the provider's status page")
ENTER = Action(ActionKind.REPLACE_SECRET, "Enter a secret")
SEND = Action(ActionKind.MESSAGE, "Send one tiny message")

A, L, R, U = Verdict.ACCEPTED, Verdict.LIMITED, Verdict.REJECTED, Verdict.UNDECIDED

_ROWS = (
    # --- the credential works ---
    Cause("accepted", A, "models", "The connection works",
          "{provider} accepts this credential and lists {count} models.", RETRY, needs_nobody=True),
    Cause("busy", A, "models", "Accepted, but busy",
          "{provider} knows this credential and asks to slow down. Nothing needs changing{wait}.",
          RETRY, needs_nobody=True),
    Cause("accepted_without_list", A, "models", "The secret is accepted",
          "{provider} accepts this credential. Its list of models could not be read.", RETRY, needs_nobody=True),
    Cause("no_key_needed", A, "models", "Works without a secret",
          "{host_port} lists {count} models without a secret. Anybody who reaches this server can do the same.",
          RETRY, needs_nobody=True),
    # --- one tiny message ---
    Cause("message_answered", A, "models", "A model answered",
          "{model} of {provider} answered a message with this credential, in {latency} ms{tokens}. Calls work.",
          RETRY, needs_nobody=True),
    Cause("message_answered_openly", A, "models", "A model answered without a secret",
          "{model} at {host_port} answered a message without a secret, in {latency} ms{tokens}. Anybody who reaches "
          "the server can use it.", RETRY, needs_nobody=True),
    Cause("message_unfinished", A, "models", "Calls work, but the model needs more room",
          "{provider} took the message, and {model} used up its room of {room} tokens for thinking before it said a "
          "word. Calls work; applications must give this model more room.", RETRY, needs_nobody=True),
    Cause("model_not_there", L, "models", "The model is not there",
          "{provider} knows this credential, but not {model}: it was retired, or this account cannot use it. Send the "
          "message to another model; at Azure the name of the deployment counts.", SEND),
    Cause("model_not_allowed", L, "models", "No access to the model",
          "{provider} knows this credential, but the account has no access to {model}. Ask for access there, or send "
          "the message to another model.", KEYS, SEND),
    Cause("model_absent", U, "models", "The model is not there",
          "{host} answers, but has no model {model}. Send the message to another one; at Ollama, pull it first.", SEND),
    Cause("message_refused", U, "models", "The message was not taken",
          "{host} does not take a chat message for {model} (HTTP {status}). It may be a model for something else, or "
          "want another form. Send the message to another model.", SEND),
    Cause("profile_needed", U, "models", "The model is called through a profile",
          "{provider} offers {model} only through an inference profile. Enter the name of the profile by hand: mostly "
          "that of the model with us., eu. or apac. in front.", SEND),
    # --- the credential is known, something else stops it ---
    Cause("no_models_served", L, "models", "Works, but has no models",
          "{host_port} answers without a secret, but its list of models is empty. Load a model there (at Ollama: "
          "ollama pull), then validate again.", RETRY),
    Cause("account_blocked", L, "models", "The account is blocked",
          "{provider} knows this credential, but the team or account that it belongs to is blocked. Ask its owner, or "
          "the provider's support.", BILLING, RETRY),
    Cause("billing_off", L, "models", "Billing is not switched on",
          "{provider} knows this credential, but its project has no billing account. Link one there, wait a few "
          "minutes, then validate again.", BILLING, RETRY),
    Cause("calls_not_permitted", L, "models", "Not allowed to make calls",
          "{provider} knows this token, but it lacks the permission to call models. Add that permission to the token, "
          "or make a new one with it.", KEYS, REPLACE),
    Cause("no_models", L, "models", "Accepted, but no models",
          "{provider} accepts this credential, but its list of models is empty. Give the account or the server a "
          "model, then validate again.", RETRY),
    Cause("no_credit", L, "models", "No credit",
          "{provider} knows this credential, but the account has no credit left or a spending cap is reached. Add "
          "credit or raise the cap.", BILLING, RETRY),
    Cause("quota_spent", L, "models", "Quota used up",
          "{provider} knows this credential, but its quota is used up. This is about money or a plan, not about "
          "speed: waiting a minute does not help.", BILLING, RETRY),
    Cause("scope_missing", L, "models", "Not allowed to list models",
          "{provider} knows this credential, but it lacks the permission to list models. It may still be good for "
          "calls: one tiny message tells. To have it checked fully, give it that permission.", KEYS, SEND),
    Cause("forbidden", L, "models", "Known, but not allowed",
          "{provider} knows this credential and refuses it this request. Usual reasons: a missing permission, an "
          "address rule, or a service that is switched off in the account.", KEYS, EDIT),
    Cause("address_not_authorized", L, "models", "Our network address is not on its list",
          "{provider} knows this credential, but the account only admits certain network addresses, and ours is not"
          " one of them. Add it there, or make a key without this rule.", KEYS, ASK),
    Cause("organization_required", L, "models", "Not a member of an organization",
          "{provider} knows this credential, but its owner does not belong to an organization (or project) there. "
          "Join one, or make a key inside one.", KEYS, REPLACE),
    Cause("service_disabled", L, "models", "The service is switched off",
          "{provider} knows this credential, but the API is not switched on in its project. Switch it on there, "
          "wait a few minutes, then validate again.", KEYS, RETRY),
    Cause("key_restricted", L, "models", "The key is restricted",
          "{provider} knows this credential, but it is restricted to other services, sites or addresses. Change its"
          " restrictions there.", KEYS, REPLACE),
    Cause("key_kind_unsupported", L, "models", "This kind of key does not work here",
          "{provider} knows this kind of credential, but does not take it for this service. Make a key of the usual"
          " kind.", KEYS, REPLACE),
    Cause("model_unknown", L, "models", "The model or deployment is not known",
          "{provider} knows this credential, but not the model or deployment in the address. A deployment name is "
          "not always the model's name.", EDIT),
    Cause("model_forbidden", L, "models", "No access to the model",
          "{provider} knows this credential, but the account has no access to the model. Ask for access there.",
          KEYS, RETRY),
    Cause("subscription_needed", L, "models", "The plan does not include this",
          "{provider} knows this credential, but the account's plan does not include this service.",
          BILLING, RETRY),
    # --- the credential is bad ---
    Cause("key_rejected", R, "credential", "The secret is not accepted",
          "{provider} does not accept this secret. Check that it is whole (beginning, end, no blanks), from the "
          "right account, and meant for {host}, and that the AI LLM Type fits; otherwise make a new one.", REPLACE),
    Cause("key_rejected_here", R, "credential", "The secret is not accepted in this region",
          "{provider} does not accept this credential in the region {region}. A good key of another region gets the"
          " same answer, so check the region in the API Endpoint first; then the secret.", EDIT),
    Cause("key_id_unknown", R, "credential", "The access key id is not known",
          "{provider} does not know this access key id. Check the API Key, and that it belongs to the right account"
          " and was not deleted or deactivated.", REPLACE),
    Cause("signature_wrong", R, "credential", "The secret does not belong to the key",
          "{provider} knows the access key id, but the secret does not fit it. Enter the pair again; if it is "
          "right, the clock of this server may be wrong.", REPLACE),
    Cause("key_expired", R, "credential", "The credential has expired",
          "{provider} says that this credential has expired. Make a new one, then replace the secret.",
          NEW_KEY, REPLACE),
    Cause("key_disabled", R, "credential", "The key is not usable",
          "{provider} answers as it does for a key that is disabled, suspended, leaked or deleted. Look it up there, "
          "or make a new one.", NEW_KEY, REPLACE),
    Cause("wrong_resource", R, "credential", "The secret is not accepted at this resource",
          "{host} does not accept this secret. A good key of another resource gets the same answer, so check the "
          "resource name in the API Endpoint first; then the secret.", EDIT),
    Cause("token_refused", R, "credential", "The token is not accepted",
          "{host} takes this for no valid access token: it may be expired, or made for another service. Such tokens "
          "last about an hour; enter an API key of the resource.", NEW_KEY, REPLACE),
    Cause("service_account_refused", R, "credential", "The service account's key is not accepted",
          "Google does not accept this key of a service account: it, or the account, was deleted or disabled. Make a "
          "new key in the Google Cloud console.", NEW_KEY, REPLACE),
    # --- an answer that proves nothing ---
    Cause("no_key_unproven", U, "credential", "A list without a secret proves little",
          "{host} shows its list of models to everybody. Whether messages need a secret is not known; only a real "
          "message can tell.", SEND),
    Cause("secret_needed", U, "credential", "This endpoint wants a secret",
          "{host} does not answer without a secret, although this configuration says that none is needed.", ENTER),
    Cause("clock_off", U, "credential", "The clock of this server is wrong",
          "Google refuses the signature because of its time, so it says nothing about the secret. The operator must "
          "set the clock of this server.", ASK),
    Cause("token_exchange_failed", U, "http", "No access token",
          "Google gave no access token for this service account (HTTP {status}), and does not say that its key is bad. "
          "Validate again; if it stays so, make a new key.", RETRY),
    Cause("location_unknown", U, "http", "No such region",
          "{host} has no list of models at {url} (HTTP {status}). This is about the region in the API Endpoint, not "
          "about the secret: choose one in which Vertex AI is offered.", EDIT),
    Cause("public_list", U, "credential", "A public list proves nothing",
          "{host} shows its list of models to a made-up secret too, so this says nothing about yours. The address "
          "is right; only a real message can prove the secret.", SEND),
    Cause("keys_not_checked", U, "credential", "This server does not check keys",
          "The server answers and lists {count} models, and it does not check keys: a made-up secret gets the same "
          "answer. The connection works; anybody who reaches the server can use it. At the type OTHER, tick that this "
          "endpoint needs no secret.", RETRY, needs_nobody=True),
    Cause("refused_alike", U, "credential", "Refused like a made-up secret",
          "{host} answers this secret and a made-up one in the same way (HTTP {status}), so it says nothing about "
          "yours. Look for an address rule, a missing permission, or a wrong path.", EDIT),
    Cause("control_unclear", U, "credential", "The cross-check got no clear answer",
          "{host} answered, but a second request with a made-up secret got no clear refusal, so the answer may be "
          "public. Validate again in a moment.", RETRY),
    Cause("no_list", U, "", "This provider lists no models",
          "{provider} offers no list of models, so its keys cannot be checked without sending a message, which may "
          "cost.", SEND, needs_nobody=True),
    Cause("path_not_found", U, "http", "Nothing at this path",
          "{host} answers, but has nothing at {url} (HTTP {status}). This is about the path, not about the secret: "
          "compare the API Endpoint with the provider's documentation.", FIX, EDIT),
    Cause("redirected", U, "http", "The server sends us elsewhere",
          "{host} sends this request on to {location}. Secrets are not sent along, so enter the final address as "
          "API Endpoint.", FIX, EDIT),
    Cause("web_page", U, "http", "A web page, not an API",
          "{host} answers with a web page, perhaps a sign-in page. The API is at another address or path.", EDIT),
    Cause("unexpected_form", U, "http", "An answer in an unexpected form",
          "{host} answered, but not with the expected form. Another product or path is at this address.", EDIT),
    Cause("bad_request", U, "http", "The request was not understood",
          "{host} refuses the form of the request (HTTP {status}), so it says nothing about the secret. Check the "
          "AI LLM Type and the API Endpoint.", EDIT),
    Cause("slow_down", U, "http", "Asked to slow down",
          "{host} asks to slow down (HTTP 429), and nothing shows that the API behind it looked at the secret. Validate"
          " again later{wait}.", RETRY),
    Cause("region_refused", U, "http", "Not served from here",
          "{provider} does not serve the country or region that this installation calls from, so it says nothing "
          "about the secret. Calls must leave from a supported region.", ASK),
    Cause("region_not_supported", L, "models", "Not served from here",
          "{provider} knows this credential, but does not serve the country or region that this installation calls "
          "from. Calls must leave from a supported region.", ASK),
    Cause("network_not_admitted", U, "http", "A network rule keeps us out",
          "A firewall or network rule of {host} does not admit this server, so it says nothing about the secret. "
          "Whoever runs {host} must admit the network address of this server.", ASK),
    Cause("forbidden_unjudged", U, "http", "Refused, with no word about the secret",
          "{host} refuses this request (HTTP 403) and does not say that it looked at the secret. Usual reasons: the "
          "country that this server calls from, an address rule, or a firewall.", ASK),
    Cause("shielded", U, "http", "A shield is in front",
          "A shield in front of {host} refuses requests from this server, before anybody looked at the secret. "
          "Whoever runs {host} must let them through.", ASK),
    Cause("proxy_login", U, "http", "A proxy wants a login",
          "A proxy between this server and {host} asks for a login (HTTP 407). The operator must let these requests"
          " pass.", ASK),
    Cause("request_timeout", U, "http", "The provider gave up waiting",
          "{host} gave up waiting for the request (HTTP 408). Validate again.", RETRY),
    Cause("provider_conflict", U, "http", "The provider is in between states",
          "{host} cannot answer in its present state (HTTP 409). Validate again in a moment.", RETRY),
    Cause("provider_fault", U, "http", "A fault at the provider",
          "{provider} has a fault (HTTP {status}). This says nothing about the secret. Validate again "
          "later{status_page}.", STATUS, RETRY),
    Cause("provider_unavailable", U, "http", "The provider is overloaded",
          "{provider} is overloaded or out of service (HTTP {status}). This says nothing about the secret. Validate"
          " again later{status_page}.", STATUS, RETRY),
    Cause("unexpected_status", U, "http", "An unexpected answer",
          "{host} answers with HTTP {status}, which this kind of server should not do. Check the AI LLM Type and "
          "the API Endpoint.", EDIT),
    # --- no answer at all: says nothing about the secret ---
    Cause("address_not_allowed", U, "name", "The address cannot be called",
          "The name {host} does not resolve to an address that this installation may call. Check its spelling (at "
          "Azure the resource name is part of it), and that the machine of this installation can look names up. For "
          "an internal service, the operator can permit {host_port} with FLASHBACK_OUTBOUND_ALLOW.", ASK),
    Cause("connection_refused", U, "connection", "Nothing listens there",
          "Nothing listens at {host_port}. Check the port and that the server runs{container}.", EDIT),
    Cause("connect_timeout", U, "connection", "No connection in time",
          "No connection to {host_port} within {seconds} seconds. A firewall may drop the requests, or the host is "
          "down.", RETRY),
    Cause("read_timeout", U, "http", "No answer in time",
          "{host} took the connection, but gave no whole answer within {seconds} seconds. It is slow or overloaded.",
          RETRY),
    Cause("connection_closed", U, "http", "The connection was cut",
          "{host} closed the connection before its answer was complete.", RETRY),
    Cause("certificate_untrusted", U, "tls", "The certificate is not trusted",
          "The certificate of {host} comes from an authority that this installation does not trust. For an internal"
          " authority, the operator can add it with FLASHBACK_OUTBOUND_CA_FILE.", ASK),
    Cause("certificate_expired", U, "tls", "The certificate has expired",
          "The certificate of {host} is outside its dates. Whoever runs it must renew it.", RETRY),
    Cause("certificate_name", U, "tls", "The certificate is for another name",
          "The certificate at this address is not for {host}. Enter the name that the server's certificate carries.",
          EDIT),
    Cause("https_on_plain_port", U, "tls", "http and https are swapped",
          "{host_port} speaks plain http, but the API Endpoint says https. Use the server's https port, or http for"
          " a permitted local server.", FIX, EDIT),
    Cause("http_on_tls_port", U, "http", "http and https are swapped",
          "{host_port} speaks https, but the API Endpoint says http.", FIX, EDIT),
    Cause("tls_failed", U, "tls", "No secure connection",
          "No secure connection to {host} came about. The server may be too old (TLS 1.2 is the least) or "
          "misconfigured.", ASK),
    Cause("not_http", U, "http", "Not a web server",
          "{host_port} answers, but not with valid HTTP. Another kind of service listens there.", EDIT),
    Cause("answer_too_large", U, "http", "The answer is too large",
          "{host} sent more than 1 MiB, far more than a list of models needs. Another product or path is at this "
          "address.", EDIT),
    Cause("answer_encoded", U, "http", "The answer is compressed",
          "{host} compressed its answer although it was asked not to. Check whether a proxy in front does this.",
          ASK),
    # --- nothing was sent ---
    Cause("too_many_checks", U, "", "Too many checks at once",
          "Other checks of this host are still running. Validate again in a few seconds.", RETRY),
    Cause("endpoint_unusable", U, "address", "The API Endpoint cannot be used",
          "{rule_message}", FIX, EDIT),
    Cause("secret_missing", U, "", "No secret",
          "This type needs an API Secret, and none is stored.", REPLACE),
    Cause("secret_in_endpoint", U, "", "The secret stands in the API Endpoint",
          "The API Secret or API Key is also a part of the API Endpoint, where logs and pages show it, so nothing was "
          "sent. Enter the real secret, and keep it out of the address.", REPLACE),
    Cause("secret_unsendable", U, "", "The secret cannot be sent",
          "The secret or key holds a character that no request header can carry (a line break, or a letter outside "
          "plain ASCII). Enter it again.", REPLACE),
    Cause("secret_unavailable", U, "", "Needs its secret again",
          "The stored secret cannot be opened with the keys of this installation, so nothing was sent. Enter it "
          "again.", REPLACE),
    Cause("secret_bound_elsewhere", U, "", "The secret belongs to another destination",
          "The stored secret is bound to another destination than {host_port}, so nothing was sent. Enter the "
          "secret for this one.", REPLACE),
    Cause("temporary_key", U, "", "A temporary key cannot be stored",
          "An access key id that begins with ASIA is temporary and needs a session token, which would be worthless "
          "within hours. Use a long-lived access key pair or a Bedrock API key.", REPLACE),
    Cause("region_unknown", U, "", "The region is missing",
          "The API Endpoint names no AWS region, which the signature needs. Use an address such as https://bedrock-"
          "runtime.us-east-1.amazonaws.com.", EDIT),
    Cause("service_account_unreadable", U, "", "Not a whole key file",
          "Vertex AI takes the key file of a service account as API Secret, and this is none: it cannot be read, or a "
          "part is missing. Paste the whole JSON file.", REPLACE),
    Cause("service_account_other", U, "", "Not a service account",
          "This JSON file is not the key of a service account, so nothing was sent. In the Google Cloud console make a "
          "key of the type JSON for a service account.", REPLACE),
    Cause("service_account_elsewhere", U, "", "A service account belongs to Vertex AI",
          "The API Secret is a service account, which Vertex AI takes and this address does not, so nothing was sent. "
          "Enter the address of Vertex AI, or a Gemini API key.", FIX, EDIT),
    Cause("token_address_foreign", U, "", "The key file names a foreign address",
          "The key file wants its token from another address than Google's own, so nothing was sent. Take the file as "
          "the Google Cloud console made it.", REPLACE),
)  # fmt: skip

CAUSES: Mapping[str, Cause] = {cause.code: cause for cause in _ROWS}

OF_FAULT: Mapping[Fault, str] = {
    Fault.NOT_ALLOWED: "address_not_allowed",
    Fault.REFUSED: "connection_refused",
    Fault.CONNECT_TIMEOUT: "connect_timeout",
    Fault.READ_TIMEOUT: "read_timeout",
    Fault.CLOSED: "connection_closed",
    Fault.TLS_UNTRUSTED: "certificate_untrusted",
    Fault.TLS_EXPIRED: "certificate_expired",
    Fault.TLS_NAME: "certificate_name",
    Fault.TLS_PLAIN: "https_on_plain_port",
    Fault.TLS_OTHER: "tls_failed",
    Fault.PLAIN_TLS: "http_on_tls_port",
    Fault.PROTOCOL: "not_http",
    Fault.TOO_LARGE: "answer_too_large",
    Fault.ENCODED: "answer_encoded",
    Fault.BUSY: "too_many_checks",
    Fault.UNSENDABLE: "secret_unsendable",
}


class _Facts(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return ""


def sentence(code: str, facts: Mapping[str, Any]) -> str:
    """Return the sentence of cause `code` with `facts` filled in."""
    return CAUSES[code].sentence.format_map(_Facts(facts))


def action(code: str, facts: Mapping[str, Any]) -> Action:
    """Return the one action of cause `code`.

    `facts` may hold `link` (a URL at the provider), `fix` (an endpoint) and `retry_after` (seconds).
    """
    cause = CAUSES[code]
    chosen = cause.action
    missing = {ActionKind.LINK: "link", ActionKind.URL_FIX: "fix"}.get(chosen.kind)
    if missing and not facts.get(missing) and cause.otherwise is not None:
        chosen = cause.otherwise
    return Action(
        chosen.kind,
        chosen.label,
        url=str(facts.get("link", "")) if chosen.kind is ActionKind.LINK else "",
        endpoint=str(facts.get("fix", "")) if chosen.kind is ActionKind.URL_FIX else "",
        after=int(facts.get("retry_after", 0)) if chosen.kind is ActionKind.RETRY else 0,
    )
