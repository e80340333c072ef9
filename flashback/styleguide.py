"""Every component on one page, for developers. Routed only with DEBUG."""

import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles import finders
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

TYPES = (
    ("OPENAI", "OpenAI", "OpenAI and everything that speaks its API: Mistral, Groq, Azure OpenAI, OpenRouter."),
    ("GOOGLE", "Google Cloud", "Gemini through AI Studio or Vertex AI."),
    ("ANTHROPIC", "Anthropic Cloud", "Claude, straight from Anthropic."),
    ("AWS", "AWS", "Amazon Bedrock in one of your regions."),
    ("OTHER", "Other", "Self-hosted or decentralized: Ollama, vLLM, LM Studio, your own gateway."),
)
STAGES = (
    ("Address", "passed", 0),
    ("Allowed", "passed", 0),
    ("Name", "passed", 12),
    ("Connection", "passed", 31),
    ("TLS", "passed", 58),
    ("HTTP", "passed", 204),
    ("Credential", "failed", 1),
    ("Models", "skipped", None),
)
STATES = ("accepted", "limited", "rejected", "undecided", "", "checking", "unavailable")


class SampleForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(
        label="Configuration Name", help_text="A clear, unique name, for example prod-openai-gateway."
    )
    endpoint = forms.CharField(
        label="API Endpoint", help_text="The provider's base URL, with https:// and /v1 when needed."
    )
    secret = forms.CharField(label="API Secret", widget=forms.PasswordInput)
    email = forms.EmailField(label="E-mail", required=False)
    type = forms.ChoiceField(label="AI LLM Type", choices=[(value, label) for value, label, _ in TYPES])
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 3}))
    remove = forms.BooleanField(
        label="Remove the stored API Key", required=False, help_text="It cannot be read back later."
    )


def tokens() -> list[tuple[str, str]]:
    """Return the names and values of the stylesheet's tokens: colour, type, space, radius, shadow, size, motion."""
    found = finders.find("css/app.css")
    sheet = Path(str(found)).read_text(encoding="utf-8")
    return re.findall(r"--([a-z0-9-]+): ([^;]+);", sheet[: sheet.index("/* Plain elements */")])


@login_not_required
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show every component; `?frame=console` draws the frame as for a person who is signed in."""
    sample = {"name": "", "endpoint": "htps://api.openai.com", "secret": "never shown", "type": "OPENAI"}
    values = {"form": SampleForm(), "refused": SampleForm(sample, auto_id="refused_%s"), **_samples()}
    values["tokens"] = tokens()
    values["refused"].add_error(
        "endpoint", "Start the API Endpoint with https://, for example https://api.openai.com/v1."
    )
    if request.GET.get("frame") == "console":
        values |= _signed_in()
    return render(request, "styleguide.html", values)


def _samples() -> dict[str, Any]:
    now = timezone.now()
    names = (
        "prod-openai-gateway",
        "support-claude",
        "bedrock-frankfurt",
        "gemini-batch",
        "lab-ollama",
        "old-proxy",
        "partner-vllm",
    )
    hosts = (
        "api.openai.com",
        "api.anthropic.com",
        "bedrock-runtime.eu-central-1.amazonaws.com",
        "generativelanguage.googleapis.com",
    )
    rows = [
        {
            "name": name,
            "type": TYPES[(0, 2, 3, 1, 4, 4, 4)[index]],
            "host": hosts[(0, 1, 2, 3)[index]] if index < len(hosts) else "llm.internal.example.com:8443",
            "state": STATES[index],
            "at": None if STATES[index] == "" else now - timedelta(minutes=3 + index * 40),
        }
        for index, name in enumerate(names)
    ]
    steps = [
        {"label": "Type", "url": "#", "state": "done"},
        {"label": "Configuration", "url": "#", "state": "done"},
        {"label": "Credentials", "url": "", "state": "current"},
        {"label": "Validate and operate", "url": "", "state": "coming"},
    ]
    return {
        "tiles": [{"type": kind, "label": label, "summary": text, "url": "#tiles"} for kind, label, text in TYPES],
        "stages": [{"name": name, "state": state, "ms": ms} for name, state, ms in STAGES],
        "states": STATES,
        "rows": rows,
        "steps": steps,
        "tones": ("success", "info", "warning", "error"),
        "page": Paginator(range(173), 25).page(2),
        "columns": ("Name", "Region", "Models"),
        "plain_rows": (("bedrock-frankfurt", "eu-central-1", "14"), ("bedrock-oregon", "us-west-2", "31")),
        "moments": (
            now,
            now - timedelta(minutes=3),
            now - timedelta(days=2),
            now - timedelta(days=400),
            now + timedelta(days=9),
        ),
        "statuses": (403, 404, 409, 429),
    }


def _signed_in() -> dict[str, Any]:
    person = SimpleNamespace(
        is_authenticated=True, is_staff=True, email="ada.lovelace@example.com", label="Ada Lovelace"
    )
    workspaces = [
        SimpleNamespace(pk=index, slug=slug, name=name)
        for index, (slug, name) in enumerate(
            (
                ("research", "Research"),
                ("support", "Customer support"),
                ("platform", "Platform engineering, production"),
            )
        )
    ]
    return {"user": person, "workspaces": workspaces, "workspace": workspaces[0]}
