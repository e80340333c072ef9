"""Disable, enable or delete several AI LLMs at once: row by row through the verbs, telling what was refused.

What can be undone is done at once and offers to undo it, unless repositories would lose what they call: like for one
AI LLM, a page names them first. Without scripts, and before anything is deleted, a page asks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from ai_llm import bulk, configs, dependents, forms, lifecycle
from ai_llm.models import AiLlm
from flashback import notices
from flashback.errors import NotFound, Problem
from flashback.web import current_path, see_other
from workspaces import access
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.models import User
from workspaces.reauthentication import recently_authenticated_for


@dataclass(frozen=True)
class Act:
    """What can be done to several rows: its verb, words and inverse, and what has to be typed before ("" for none)."""

    name: str
    verb: Callable[[User, AiLlm], object]
    done: str
    effect: str
    phrase: str = ""
    inverse: str = ""

    @property
    def grave(self) -> bool:
        """Whether there is no way back."""
        return not self.inverse


ACTS = {
    act.name: act
    for act in (
        Act("disable", lifecycle.disable, "disabled", "Calls pass them by. Nothing is lost.", inverse="enable"),
        Act(
            "enable", lifecycle.enable, "enabled", "They are used again, in the state that they had.", inverse="disable"
        ),
        Act(
            "delete",
            configs.delete,
            "deleted",
            "Their stored credentials are purged at once. There is no way back.",
            "delete {number}",
        ),
    )
}


@dataclass(frozen=True)
class Outcome:
    """What came of one row; `refused` says why nothing did, "" when it was done."""

    ai_llm: AiLlm
    refused: str


def _deletes(request: Request) -> bool:
    return request.resolver_match is not None and request.resolver_match.kwargs.get("act") == "delete"


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated_for(_deletes)
def change(request: Request, act: str) -> HttpResponse:
    """Show the chosen rows (`ids`, at most 50) and ask; a POST does it, each row for itself.

    A POST that comes without having been asked (no `asked`) leads to the page that asks when it stops repositories.
    """
    access.require(request.user, request.workspace, Access.WRITE)
    if act not in ACTS:
        raise NotFound("There is no such action. Go back to the list and choose one of its buttons.")
    chosen, posted = ACTS[act], request.method == "POST"
    ids = bulk.chosen((request.POST if posted else request.GET).getlist("ids"))
    rows = bulk.visible(request, ids)
    phrase = chosen.phrase.format(number=len(ids) if posted else len(rows))
    form = forms.PhraseForm(request.POST if posted else None, phrase=phrase)
    shown = _shown(rows)
    if chosen.name == "disable" and posted and "asked" not in request.POST and any(used for _, used in shown):
        return see_other(f"{request.path}?{urlencode([('ids', row.pk) for row in rows])}")
    if rows and form.is_bound and form.is_valid():
        return _do(request, chosen, rows)
    values = {"act": chosen, "rows": shown, "form": form}
    return render(request, "ai_llm/selected.html", values, status=422 if form.errors and rows else 200)


def _do(request: Request, act: Act, rows: list[AiLlm]) -> HttpResponse:
    outcomes = [Outcome(row, _refusal(request.user, act, row)) for row in rows]
    refused = [outcome for outcome in outcomes if outcome.refused]
    done = len(outcomes) - len(refused)
    if not refused:
        _tell(request, act, rows)
        return see_other(_back(request))
    values = {"act": act, "outcomes": outcomes, "done": done, "refused": len(refused)}
    return render(request, "ai_llm/selected_done.html", values)


def _tell(request: Request, act: Act, rows: list[AiLlm]) -> None:
    """Say on the next page what was done, with the button that undoes it for those that it changed."""
    said = f"{len(rows)} AI LLM{'' if len(rows) == 1 else 's'} {act.done}."
    changed = [row.pk for row in rows if (row.disabled_at is None) == (act.name == "disable")]
    if act.grave or not changed:
        messages.success(request, said)
        return
    sent = {"ids": changed, "asked": 1}
    notices.done(request, said, "ai_llms_change", request.workspace.slug, act.inverse, fields=sent)


def _back(request: Request) -> str:
    """Return the address of the list: as it was filtered and sorted, when the act came from there."""
    address, came = reverse("ai_llms", args=[request.workspace.slug]), current_path(request)
    return came if came.partition("?")[0] == address else address


def _refusal(actor: User, act: Act, row: AiLlm) -> str:
    """Do it to one row. What is refused is told, and the others go on."""
    try:
        act.verb(actor, row)
    except Problem as problem:
        return problem.message
    return ""


def _shown(rows: list[AiLlm]) -> list[tuple[AiLlm, int]]:
    """Return each row with the number of repositories it is attached to."""
    used = dependents.repositories(row.pk for row in rows)
    return [(row, used.get(row.pk, 0)) for row in rows]
