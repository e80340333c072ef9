"""The pages of Help: the guide's steps and tips, what a check says, the security model, the words, the keys."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.views.decorators.http import require_safe

from ai_llm import topics
from ai_llm.causes import CAUSES
from ai_llm.models import Verdict
from flashback.errors import NotFound
from flashback.web import came_from

# The documentation of the platform that this console belongs to; the guide links the same three pages.
GUIDE = "https://docs.flashback.tech/flashback-platform/cloud-and-ai-gateway/ai-llm"
API_GUIDE = "https://docs.flashback.tech/support-reference/platform-api-reference/ai-apis/ai-llms"
SECURITY_GUIDE = "https://docs.flashback.tech/support-reference/security-and-secret-encryption"
API_PAGES = "/api/docs"

SECTIONS = {
    "troubleshooting": "Troubleshooting",
    "security": "Security",
    "glossary": "Glossary",
    "shortcuts": "Keyboard",
}


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Show the guide's steps, and where everything else is."""
    return _page(request, "index", {"api_pages": API_PAGES if _exists(API_PAGES) else "", "api_guide": API_GUIDE})


@require_safe
def section(request: HttpRequest, name: str) -> HttpResponse:
    """Show one section. Raises NotFound for one that there is not."""
    if name not in SECTIONS:
        raise NotFound
    values: dict[str, Any] = {"title": SECTIONS[name], "security_guide": SECURITY_GUIDE}
    if name == "troubleshooting":
        values["topics"] = [(topic, topics.causes_of(topic)) for topic in topics.TOPICS]
        values["verdicts"] = Verdict.values
        values["finding"] = CAUSES.get(request.GET.get("finding", ""))
        values["back_url"] = came_from(request) if values["finding"] else ""
    return _page(request, name, values)


def _page(request: HttpRequest, name: str, values: dict[str, Any]) -> HttpResponse:
    shown = {
        "sections": SECTIONS,
        "here": name,
        "guide": GUIDE,
        "support_url": settings.SUPPORT_URL,
        "support_name": settings.SUPPORT_URL.removeprefix("mailto:").removeprefix("https://"),
    }
    return render(request, f"help/{name}.html", shown | values)


def _exists(path: str) -> bool:
    """Tell whether a page is there: below /api a last route answers for everything that is not."""
    try:
        return resolve(path).url_name != "api_nothing"
    except Resolver404:
        return False
