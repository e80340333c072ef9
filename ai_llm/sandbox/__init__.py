"""The sandbox provider: a server of our own that speaks the dialects of OpenAI, Anthropic, Google and Amazon Bedrock.

It serves tests (`with Sandbox() as sandbox`), and newcomers without an account (`manage.py sandbox_provider`). The
first part of a path chooses who it is: /openai/v1 is well-behaved, /quota/v1 has no quota left. Answers have the form
that each provider documents; the sentences are from the cited documentation and public reports.
"""

from ai_llm.sandbox.credentials import ACCESS_KEYS, SECRETS, TROUBLED
from ai_llm.sandbox.faults import FAULTS
from ai_llm.sandbox.hosts import HOSTED, TRIALS, Trial
from ai_llm.sandbox.messages import Received
from ai_llm.sandbox.personalities import PERSONALITIES
from ai_llm.sandbox.server import Sandbox, Server

__all__ = [
    "ACCESS_KEYS",
    "FAULTS",
    "HOSTED",
    "PERSONALITIES",
    "SECRETS",
    "TRIALS",
    "TROUBLED",
    "Received",
    "Sandbox",
    "Server",
    "Trial",
]
