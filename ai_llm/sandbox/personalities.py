"""Who the sandbox provider is, chosen by the first part of the path. Each personality is one row."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ai_llm.sandbox import anthropic, bedrock, gemini, talk, vertex
from ai_llm.sandbox.credentials import SECRETS
from ai_llm.sandbox.faults import FAULTS
from ai_llm.sandbox.hosts import HOSTED
from ai_llm.sandbox.messages import Answer, Received
from ai_llm.sandbox.openai import Host, azure_wrong_key, vllm_wrong_key

Reply = Callable[[Received, str], Answer]


@dataclass(frozen=True)
class Personality:
    """One provider: `name` is the first part of its paths, `endpoint` what a person types as API Endpoint after it.

    `type` is the AI LLM Type to choose; `secret` and `key` go into API Secret and API Key (empty: leave it empty).
    """

    name: str
    endpoint: str
    type: str
    about: str
    reply: Reply
    secret: str = SECRETS.openai
    key: str = ""

    @property
    def path(self) -> str:
        """The endpoint's path."""
        return f"/{self.name}{self.endpoint}"


_LOCAL_MODELS = ("llama3.2:3b", "qwen2.5:7b")

PERSONALITIES = (
    Personality("openai", "/v1", "OPENAI", "OpenAI", Host().answer),
    Personality("gemini", "/v1beta", "GOOGLE", "Gemini", gemini.answer, SECRETS.gemini),
    Personality("gemini", "/v1beta/openai", "GOOGLE", "Gemini, OpenAI form", gemini.answer, SECRETS.gemini),
    Personality("anthropic", "/v1", "ANTHROPIC", "Anthropic", anthropic.answer, SECRETS.anthropic),
    Personality(
        "bedrock",
        "/us-east-1",
        "AWS",
        "Bedrock, access key pair",
        bedrock.answer,
        SECRETS.aws_secret_access_key,
        SECRETS.aws_access_key_id,
    ),
    Personality("bedrock", "/us-east-1", "AWS", "Bedrock, API key", bedrock.answer, SECRETS.bedrock),
    Personality(
        "azure",
        "/openai/v1",
        "OTHER",
        "Azure OpenAI: header api-key",
        Host(base="/openai/v1", header="api-key", refusal=azure_wrong_key, owner="azure").answer,
    ),
    Personality(
        "vllm",
        "/v1",
        "OTHER",
        "vLLM started with a key",
        Host(models=_LOCAL_MODELS, owner="vllm", refusal=vllm_wrong_key).answer,
    ),
    Personality("bare-array", "/v1", "OTHER", "the list is a bare array", Host(bare=True, owner="Together").answer),
    Personality(
        "keyless",
        "/v1",
        "OTHER",
        "a local server that checks no key",
        Host(secret=None, models=_LOCAL_MODELS, owner="library").answer,
        "any-secret-will-do-here",
    ),
    Personality("public-list", "/v1", "OTHER", "lists without a key", Host(list_is_public=True).answer),
    Personality("no-list", "/v1", "OTHER", "has no list of models (404)", Host(lists=False).answer),
    *(Personality(*row) for row in talk.ROWS),
)

_REPLIES: dict[str, Reply] = {row.name: row.reply for row in PERSONALITIES}
_REPLIES["vertex"] = vertex.answer
_REPLIES.update({row.name: row.answer for row in reversed(HOSTED)})
_REPLIES.update({name: fault.answer for name, fault in FAULTS.items()})
_NUMBERED = re.compile(r"(?P<name>[a-z-]+)-(?P<number>\d{1,4}(?:\.\d{1,4})?)")


def answer(received: Received) -> Answer:
    """Answer a request as the personality or the fault that the first part of its path names; 404 if there is none."""
    name, _, rest = received.route.lstrip("/").partition("/")
    reply = _REPLIES.get(name) or _numbered(name)
    if reply is None:
        names = ", ".join(sorted(_REPLIES))
        return Answer.json(404, {"error": f"The sandbox provider has no such path. It begins with one of: {names}."})
    return reply(received, f"/{rest}")


def _numbered(name: str) -> Reply | None:
    found = _NUMBERED.fullmatch(name)
    fault = FAULTS.get(found["name"]) if found else None
    if found is None or fault is None or fault.number is None:
        return None
    return partial(fault.answer, number=float(found["number"]))
