"""Warnings about how a secret looks. Never a block: providers change the form of their keys without notice.

Google moved from AIza to AQ. keys, and applications that insisted on the old form locked people out
(https://discuss.ai.google.dev/t/171575). No warning contains any part of what was typed.
"""

import json
import re
from dataclasses import dataclass

from ai_llm.models import Type
from ai_llm.providers import PROVIDERS, vertex
from ai_llm.providers.answers import DEEPEST

AWS_IDS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"
TRUFFLEHOG = "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors"
GITHUB_TOKENS = (
    "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github"
)
GITLEAKS = "https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"


@dataclass(frozen=True)
class Shape:
    """How credentials of `owner` begin, lengths that are usual, and a remark where the kind is a wrong one."""

    owner: str
    begins: str
    source: str
    lengths: range = range(0)
    remark: str = ""


ADMIN = "This is a key for administration. It cannot make calls; use an ordinary API key."
SHORT = "A short-term Bedrock API key lasts at most 12 hours, then this configuration stops working."
TEMPORARY = (
    "An id that begins with ASIA is temporary and needs a session token. Use a long-lived pair or a Bedrock API key."
)

# The first row that fits decides, so longer prefixes come first.
SHAPES = (
    Shape("Anthropic", r"sk-ant-admin", GITLEAKS, remark=ADMIN),
    Shape("Anthropic", r"sk-ant-", GITLEAKS, range(90, 130)),
    Shape("OpenRouter", r"sk-or-v1-", f"{TRUFFLEHOG}/openrouter", range(73, 74)),
    Shape("OpenAI", r"sk-admin-", f"{TRUFFLEHOG}/openaiadmin", remark=ADMIN),
    Shape("OpenAI", r"sk-(?:proj|svcacct|service)-", f"{TRUFFLEHOG}/openai", range(40, 260)),
    Shape("OpenAI", r"sk-[A-Za-z0-9_-]*T3BlbkFJ", f"{TRUFFLEHOG}/openai", range(40, 260)),
    Shape("DeepSeek", r"sk-[a-z0-9]{32}\Z", f"{TRUFFLEHOG}/deepseek"),
    Shape("Google", r"AIza", GITLEAKS, range(39, 40)),
    Shape("Google", r"AQ\.", "https://discuss.ai.google.dev/t/171575"),
    Shape("AWS", r"ASIA[A-Z0-9]{16}\Z", AWS_IDS, remark=TEMPORARY),
    Shape("AWS", r"AKIA[A-Z0-9]{16}\Z", AWS_IDS),
    Shape("AWS", r"ABSK", GITLEAKS, range(100, 280)),
    Shape("AWS", r"bedrock-api-key-", GITLEAKS, remark=SHORT),
    Shape("Groq", r"gsk_", f"{TRUFFLEHOG}/groq", range(50, 61)),
    Shape("xAI", r"xai-", f"{TRUFFLEHOG}/xai", range(80, 90)),
    Shape("Hugging Face", r"hf_", f"{TRUFFLEHOG}/huggingface", range(30, 45)),
    Shape("NVIDIA", r"nvapi-", "https://docs.nvidia.com/nim/large-language-models/latest/getting-started.html"),
    Shape("Vercel AI Gateway", r"vck_", "https://github.com/charmbracelet/crush"),
    Shape("Perplexity", r"pplx-", GITLEAKS),
    Shape("GitHub Models", r"(?:github_pat_|gh[pous]_)", GITHUB_TOKENS),
    Shape("Azure OpenAI", r"[0-9a-f]{32}\Z", f"{TRUFFLEHOG}/azure_openai"),
)  # fmt: skip

# Owners all of whose keys begin in a known way. The forms of the others tell nothing about whose they are not.
VAGUE = frozenset({"DeepSeek", "Azure OpenAI"})
PREFIXED = frozenset(shape.owner for shape in SHAPES) - VAGUE

MASK = re.compile(r"\*{3,}|…|\.{6,}|[•●]{3,}|\[(?:hidden|redacted|secret)\]|<[^>]*(?:key|secret|token)[^>]*>", re.I)
VARIABLE = re.compile(r"(?:export\s+)?[A-Z][A-Z0-9_]{2,}=")
QUOTES = frozenset("\"'`")


def warnings(type: str, endpoint: str, secret: str, key: str) -> list[str]:
    """Return sentences about what looks wrong with `secret` and `key` here; [] when nothing does."""
    found = [*_slips("API Secret", secret), *_slips("API Key", key)]
    plain, plain_key = _plain(secret), _plain(key)
    if plain and plain == plain_key:
        found.append("API Key and API Secret are the same. Usually they are two different things.")
    recipe = PROVIDERS[type].recipe(endpoint)
    if type == Type.AWS:
        return [*found, *([] if recipe and recipe.practice else _aws(plain, plain_key))]
    if plain_key and not PROVIDERS[type].uses_key:
        found.append(f"{PROVIDERS[type].label} does not use the API Key. Leave it empty; only the API Secret is sent.")
    return [*found, *_shape(type, endpoint, plain)]


def owner_of(secret: str) -> Shape | None:
    """Return the shape that `secret` has, or None when its beginning tells nothing."""
    return next((shape for shape in SHAPES if re.match(shape.begins, secret)), None)


def _plain(text: str) -> str:
    text = text.strip().strip("\"'`")
    return text[7:].strip() if text[:7].lower() == "bearer " else text


def _slips(field: str, text: str) -> list[str]:
    inner, plain = text.strip(), _plain(text)
    if not text or inner.startswith("{"):
        return [] if inner == text else [f"The {field} has blanks or a line break around it. They are cut off."]
    masked = MASK.search(inner) is not None
    odd = any(not "!" <= character <= "~" and not character.isspace() for character in plain)
    slips = (
        (inner != text, "has blanks or a line break around it. They are cut off."),
        (inner[:7].lower() == "bearer ", "begins with the word Bearer. Enter only what follows it."),
        (inner[:1] in QUOTES or inner[-1:] in QUOTES, "has quotes around it. Enter it without them."),
        (masked, "looks like a mask or a placeholder. Copy the real one."),
        (re.search(r"\s", plain) is not None, "has a blank or a line break inside. Check that it was copied whole."),
        (odd and not masked, "holds a character that keys do not have. Copy it again."),
        (
            VARIABLE.match(inner) is not None,
            "begins with the name of a variable. Enter only what follows the equals sign.",
        ),
    )
    return [f"The {field} {words}" for applies, words in slips if applies]


def _aws(secret: str, key: str) -> list[str]:
    return _aws_pair(secret, key) if key else _aws_alone(secret)


def _aws_pair(secret: str, key: str) -> list[str]:
    shape = owner_of(key)
    if shape is None or shape.owner != "AWS":
        return ["The API Key does not look like an AWS access key id: 20 characters that begin with AKIA."]
    if shape.remark:
        return [shape.remark]
    if secret and len(secret) != 40:
        return [f"A secret access key has 40 characters; this API Secret has {len(secret)}."]
    return []


def _aws_alone(secret: str) -> list[str]:
    shape = owner_of(secret)
    if re.fullmatch(r"A(?:KI|SI)A[A-Z0-9]{16}", secret):
        return ["The API Secret looks like an access key id. The id belongs in API Key; the secret has 40 characters."]
    if len(secret) == 40 and shape is None:
        return ["This looks like a secret access key. Enter the access key id that belongs to it as API Key."]
    return _of_shape(shape, ("AWS",), "AWS", len(secret)) if secret else []


def _shape(type: str, endpoint: str, secret: str) -> list[str]:
    provider = PROVIDERS[type]
    recipe = provider.recipe(endpoint)
    if secret.startswith("{"):
        return _document(secret, expected=type == Type.GOOGLE, at_vertex=recipe is not None and recipe.slug == "vertex")
    if secret and recipe is not None and recipe.slug == "vertex":
        return ["Vertex AI takes the key file of a service account. Paste the whole JSON file."]
    if recipe is None or not secret or recipe.keyless or recipe.practice:
        return []
    owners = (recipe.name,) if recipe.owners is None else recipe.owners
    return _of_shape(owner_of(secret), owners, recipe.name, len(secret))


def _of_shape(shape: Shape | None, owners: tuple[str, ...], expected: str, length: int) -> list[str]:
    """Compare a shape with the owners that the destination expects. Nothing is said where no prefix is known."""
    if shape is None:
        telling = owners and owners[0] in PREFIXED and not (owners[0] == "OpenAI" and length >= 20)
        return [f"This does not look like a key of {expected}. Check where it was copied from."] if telling else []
    if shape.owner in VAGUE and shape.owner not in owners and (not owners or owners[0] not in PREFIXED - {"OpenAI"}):
        return []
    if shape.owner not in owners:
        return [f"This looks like a key of {shape.owner}, but it would be sent to {expected}."]
    if shape.remark:
        return [shape.remark]
    if shape.lengths and length not in shape.lengths:
        usual = " to ".join(str(end) for end in sorted({shape.lengths[0], shape.lengths[-1]}))
        return [
            f"A key of {shape.owner} of this kind usually has {usual} characters; this one has {length}. Is it whole?"
        ]
    return []


def _document(secret: str, *, expected: bool, at_vertex: bool) -> list[str]:
    if "service_account" in secret and not expected:
        return ["This looks like a Google service account. It belongs to the type GOOGLE."]
    try:
        document = json.loads(secret) if secret.count("{") <= DEEPEST else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return ["This begins like a JSON document, but it cannot be read as one. Check that it was copied whole."]
    if not expected:
        return []
    if document.get("type") != "service_account":
        return ["This JSON document is not the key file of a service account."]
    return [] if at_vertex else [f"A service account works at Vertex AI, for example {vertex.DEFAULT_ENDPOINT}."]
