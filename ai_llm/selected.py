"""Disable, enable or delete several AI LLMs at once: ask, do it row by row through the verbs, tell what was refused."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from ai_llm import bulk, configs, dependents, forms, lifecycle
from ai_llm.models import AiLlm
from flashback.errors import NotFound, Problem
from flashback.web import see_other
from workspaces import access
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.models import User
from workspaces.reauthentication import recently_authenticated_for


@dataclass(frozen=True)
class Act:
    """What can be done to several rows: its verb, its words, and what has to be typed before ("" for nothing)."""

    name: str
    verb: Callable[[User, AiLlm], object]
    done: str
    effect: str
    phrase: str = ""

    @property
    def grave(self) -> bool:
        """Whether there is no way back."""
        return self.name == "delete"


ACTS = {
    act.name: act
    for act in (
        Act("disable", lifecycle.disable, "disabled", "Calls pass them by. Nothing is lost.", "{number}"),
        Act("enable", lifecycle.enable, "enabled", "They are used again, in the state that they had."),
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
    """Show the chosen rows (`ids`, at most 50) and ask; a POST with the answer does it, each row for itself."""
    access.require(request.user, request.workspace, Access.WRITE)
    if act not in ACTS:
        raise NotFound("There is no such action. Go back to the list and choose one of its buttons.")
    chosen, posted = ACTS[act], request.method == "POST"
    ids = bulk.chosen((request.POST if posted else request.GET).getlist("ids"))
    rows = bulk.visible(request, ids)
    phrase = chosen.phrase.format(number=len(ids) if posted else len(rows))
    form = forms.PhraseForm(request.POST if posted else None, phrase=phrase)
    if rows and form.is_bound and form.is_valid():
        return _do(request, chosen, rows)
    values = {"act": chosen, "rows": _shown(rows), "form": form}
    return render(request, "ai_llm/selected.html", values, status=422 if form.errors and rows else 200)


def _do(request: Request, act: Act, rows: list[AiLlm]) -> HttpResponse:
    outcomes = [Outcome(row, _refusal(request.user, act, row)) for row in rows]
    refused = [outcome for outcome in outcomes if outcome.refused]
    done = len(outcomes) - len(refused)
    if not refused:
        messages.success(request, f"{done} AI LLM{'' if done == 1 else 's'} {act.done}.")
        return see_other("ai_llms", slug=request.workspace.slug)
    values = {"act": act, "outcomes": outcomes, "done": done, "refused": len(refused)}
    return render(request, "ai_llm/selected_done.html", values)


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
