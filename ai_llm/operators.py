"""The page for whoever runs this installation: its keys, and what no key opens any more."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ai_llm import key_use
from workspaces import looks
from workspaces.models import User


def keys(request: HttpRequest) -> HttpResponse:
    """Show which keys are at hand and needed, and to those who may see them, the AI LLMs that need their secret again.

    For staff alone.
    """
    may_see_rows = request.user.has_perm("ai_llm.view_aillm")
    count, rows = key_use.needing() if may_see_rows else (0, [])
    if isinstance(request.user, User):
        looks.at_list(request.user, "AI LLMs that need their secret again", [row.ai_llm for row in rows])
    values = {
        **admin.site.each_context(request),
        "title": "Encryption keys",
        "keys": key_use.of_each(),
        "needing": rows,
        "count": count,
        "more": count - len(rows),
        "checked": key_use.last_check(),
        "rotated": key_use.last_rotation(),
        "may_see_rows": may_see_rows,
    }
    return TemplateResponse(request, "admin/keys.html", values)


keys_page = admin.site.admin_view(keys)
