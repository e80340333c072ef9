"""Disable, enable, delete with what depends on it, many at once, diagnostics, and what the Overview says of it all."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai_llm import configs, lifecycle, signals, summary, validation
from ai_llm.models import AiLlm, Check, Credential
from ai_llm.outcomes import Result
from flashback.errors import Conflict
from repositories import keys, repos
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces.models import Event, User

SignedIn = Callable[[User], Client]


@pytest.fixture
def row(people: People) -> AiLlm:
    return build.ai_llm(people.writer, people.workspace, name="prod")


@pytest.fixture
def client(signed_in: SignedIn, people: People) -> Client:
    return signed_in(people.writer)


@pytest.fixture
def base(people: People) -> str:
    return f"/w/{people.workspace.slug}/ai"


@pytest.fixture
def page(base: str, row: AiLlm) -> str:
    return f"{base}/llm/{row.pk}"


def stored(row: AiLlm) -> AiLlm:
    return AiLlm.objects.select_related("workspace", "credential").get(pk=row.pk)


def actions() -> list[str]:
    return list(Event.objects.order_by("id").values_list("action", flat=True))


def checked(row: AiLlm, verdict: str, cause: str, **values: object) -> AiLlm:
    check = Check.objects.create(ai_llm=row, verdict=verdict, cause=cause)
    AiLlm.objects.filter(pk=row.pk).update(verdict=verdict, last_check=check, **values)
    return row


def aged(row: AiLlm, days: int) -> AiLlm:
    AiLlm.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(days=days))
    return row


def names(answer: object) -> list[str]:
    html = answer.content.decode()
    return re.findall(r'aria-label="Select ([^"]+)"', html)


# --- Disable and enable ---


def test_disabling_says_so_everywhere_and_enabling_brings_the_state_back(
    client: Client, base: str, page: str, row: AiLlm
) -> None:
    checked(row, "accepted", "accepted")
    answer = client.post(f"{page}/disable")
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    shown = client.get(page)
    assert "Calls pass it by, and scheduled checks leave it out. Nothing is lost." in text(shown)
    assert f'action="{page}/enable"' in shown.content.decode()
    assert f'action="{page}/validate"' in shown.content.decode()
    assert names(client.get(f"{base}/llm?state=disabled")) == ["prod"]
    assert names(client.get(f"{base}/llm?state=accepted")) == []
    assert "Disabled" in text(client.get(base))
    client.post(f"{page}/enable")
    assert (stored(row).state, stored(row).disabled_at) == ("accepted", None)
    assert "Calls pass it by" not in text(client.get(page))


def test_one_that_repositories_use_is_disabled_on_a_page_that_names_them(
    client: Client, page: str, row: AiLlm, people: People
) -> None:
    assert f'action="{page}/disable"' in client.get(page).content.decode()
    chat = build.repository(people.writer, people.workspace, row, name="chat")
    build.key(people.writer, chat)
    html = client.get(page).content.decode()
    assert f'href="{page}/disable"' in html
    assert f'action="{page}/disable"' not in html
    asked = text(client.get(f"{page}/disable"))
    for said in ("Disable prod?", "chat 1 live key", "Calls through this repository pass it by", "Move all to another"):
        assert said in asked
    assert stored(row).disabled_at is None
    client.post(f"{page}/disable")
    assert stored(row).disabled_at is not None
    assert "Enable" in text(client.get(page))


def test_a_second_click_changes_nothing_more(client: Client, page: str, row: AiLlm) -> None:
    for _ in range(2):
        assert client.post(f"{page}/disable").status_code == 303
    assert stored(row).version == 2
    assert actions().count("ai_llm.disabled") == 1


def test_a_reader_sees_that_it_is_disabled_and_has_no_button(
    page: str, row: AiLlm, people: People, signed_in: SignedIn
) -> None:
    lifecycle.disable(people.writer, row)
    html = signed_in(people.reader).get(page).content.decode()
    assert "Calls pass it by" in html
    for place in ("enable", "disable", "delete", "edit"):
        assert f"{page}/{place}" not in html
    assert f"{page}/diagnostics" in html


def test_what_is_disabled_while_it_is_validated_stays_disabled_and_the_check_says_so(
    client: Client, page: str, row: AiLlm, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(tested: AiLlm) -> Result:
        lifecycle.disable(people.admin, stored(tested))
        return Result("accepted", "accepted", {})

    monkeypatch.setattr(validation, "run_stored", meanwhile)
    answer = client.post(f"{page}/validate")
    assert answer.status_code == 409
    assert "changed or deleted while the check ran" in text(answer)
    now = stored(row)
    assert (now.state, now.verdict, Check.objects.count()) == ("disabled", "", 0)
    assert client.get(page).status_code == 200


# --- Delete ---


def test_the_delete_page_shows_what_depends_on_it(
    client: Client, base: str, page: str, row: AiLlm, people: People
) -> None:
    checked(row, "accepted", "accepted")
    Check.objects.create(ai_llm=row, verdict="rejected", cause="key_rejected", at=timezone.now() - timedelta(days=8))
    chat = build.repository(people.writer, people.workspace, row, name="chat")
    build.repository(people.writer, people.workspace, row, name="batch")
    gone = build.repository(people.writer, people.workspace, row, name="gone")
    for _ in range(2):
        build.key(people.writer, chat)
    keys.revoke(people.writer, build.key(people.writer, chat).key)
    repos.delete(people.writer, gone)
    shown = text(client.get(f"{page}/delete"))
    for said in (
        "Last check Accepted, just now",
        "Checks in the last 7 days 1",
        "Repositories 2",
        "AI API keys that work now 2",
        "batch no live keys",
        "chat 2 live keys",
        "Move all to another AI LLM",
        "Disable it instead",
    ):
        assert said in shown
    html = client.get(f"{page}/delete").content.decode()
    assert f"/w/{people.workspace.slug}/repositories/{chat.pk}" in html
    assert f'href="{page}/move"' in html
    assert f'action="{page}/disable"' in html


def test_the_delete_page_costs_the_same_for_many_repositories(
    client: Client, page: str, people: People, row: AiLlm
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"{page}/delete").status_code == 200
        return len(captured)

    build.repository(people.writer, people.workspace, row)
    client.get(page)
    one = cost()
    for _ in range(12):
        build.repository(people.writer, people.workspace, row)
    assert cost() == one <= 12
    assert "and 3 more" in text(client.get(f"{page}/delete"))


def test_only_the_name_deletes(client: Client, page: str, row: AiLlm) -> None:
    for typed in ("", "Prod", "pro"):
        answer = client.post(f"{page}/delete", {"name": typed})
        assert answer.status_code == 422
        assert "What depends on it" in text(answer)
    assert stored(row).deleted_at is None


def test_deleting_purges_at_once(client: Client, base: str, page: str, row: AiLlm) -> None:
    answer = client.post(f"{page}/delete", {"name": "prod"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/llm")
    assert Credential.objects.count() == 0
    assert actions()[-1] == "ai_llm.deleted"
    assert AiLlm.objects.filter(pk=row.pk).exists()
    assert client.post(f"{page}/delete", {"name": "prod"}).status_code == 404


def test_another_one_takes_its_place_in_the_same_step(
    client: Client, base: str, page: str, row: AiLlm, people: People
) -> None:
    other = build.ai_llm(people.writer, people.workspace, name="other")
    foreign = build.ai_llm(people.stranger, people.strange_workspace, name="foreign")
    chats = [build.repository(people.writer, people.workspace, row, name=name) for name in ("chat", "batch")]
    for typed in ({}, {"move_to": ""}, {"move_to": str(foreign.pk)}, {"move_to": str(row.pk)}, {"move_to": "a\0b"}):
        answer = client.post(f"{page}/delete", {"name": "prod", **typed})
        assert (answer.status_code, stored(row).deleted_at) == (422, None)
        assert list(answer.context["form"].errors) == ["move_to"]
    assert "other (not validated yet)" in text(answer)
    answer = client.post(f"{page}/delete", {"name": "wrong", "move_to": str(other.pk)})
    assert f'<option value="{other.pk}" selected>' in answer.text
    answer = client.post(f"{page}/delete", {"name": "prod", "move_to": str(other.pk)}, follow=True)
    assert answer.redirect_chain == [(f"{base}/llm", 303)]
    assert "other has taken its place" in text(answer)
    assert [[one.ai_llm for one in chat.attachments.all()] for chat in chats] == [[other], [other]]
    assert stored(row).deleted_at is not None
    assert actions()[-3:] == ["repository.repointed", "repository.repointed", "ai_llm.deleted"]


def test_a_deletion_that_is_refused_moves_nothing(row: AiLlm, people: People) -> None:
    other = build.ai_llm(people.writer, people.workspace)
    chat = build.repository(people.writer, people.workspace, row)
    before = actions()

    def refuse(**_: object) -> None:
        raise Conflict("Not now.")

    signals.deleting.connect(refuse)
    try:
        with pytest.raises(Conflict):
            configs.delete(people.writer, row, move_to=other)
    finally:
        signals.deleting.disconnect(refuse)
    assert [one.ai_llm for one in chat.attachments.all()] == [row]
    assert (actions(), stored(row).deleted_at) == (before, None)


def test_while_a_repository_uses_it_the_page_offers_no_button_that_would_be_refused(
    client: Client, page: str, row: AiLlm, people: People
) -> None:
    build.repository(people.writer, people.workspace, row)
    shown = client.get(f"{page}/delete")
    assert "Deleting is refused for now" in text(shown)
    assert "Delete this AI LLM" not in text(shown)
    assert client.post(f"{page}/delete", {"name": "prod"}).status_code == 422
    assert stored(row).deleted_at is None


def test_a_deletion_that_fails_half_way_has_changed_nothing(
    row: AiLlm, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = actions()

    def refuse(_: object) -> None:
        raise Conflict("not now")

    monkeypatch.setattr(configs.rows, "purge", refuse)
    with pytest.raises(Conflict):
        configs.delete(people.writer, row)
    now = stored(row)
    assert (now.deleted_at, now.credential is not None, actions()) == (None, True, before)


# --- Many at once ---


@pytest.fixture
def three(people: People) -> list[AiLlm]:
    return [build.ai_llm(people.writer, people.workspace, name=name) for name in ("one", "two", "three")]


def ask(client: Client, base: str, act: str, rows: list[AiLlm]) -> object:
    return client.get(f"{base}/llm/selected/{act}", {"ids": [row.pk for row in rows]})


def go(client: Client, base: str, act: str, rows: list[AiLlm], typed: str = "") -> object:
    """Answer the page that asks."""
    sent = {"ids": [row.pk for row in rows], "typed": typed, "asked": 1}
    return client.post(f"{base}/llm/selected/{act}", sent)


def press(client: Client, base: str, act: str, rows: list[AiLlm], **headers: str) -> object:
    """Press the button of the list, as scripts do."""
    sent = {"ids": [row.pk for row in rows]}
    return client.post(f"{base}/llm/selected/{act}", sent, headers={"HX-Request": "true", **headers})


def test_the_list_offers_them_without_scripts(client: Client, base: str, three: list[AiLlm]) -> None:
    html = client.get(f"{base}/llm").content.decode()
    for act in ("disable", "enable", "delete"):
        assert f'formaction="{base}/llm/selected/{act}"' in html


def test_many_are_disabled_and_enabled_again(client: Client, base: str, three: list[AiLlm], people: People) -> None:
    build.repository(people.writer, people.workspace, three[0])
    asked = text(ask(client, base, "disable", three[:2]))
    for said in ("Disable 2 AI LLMs?", "one in 1 repository", "two"):
        assert said in asked
    assert "three" not in asked
    assert "to confirm" not in asked
    assert [stored(row).state for row in three] == ["never"] * 3
    assert go(client, base, "disable", three[:2]).headers["location"] == f"{base}/llm"
    assert [stored(row).state for row in three] == ["disabled", "disabled", "never"]
    assert "2 AI LLMs disabled." in text(client.get(f"{base}/llm"))
    assert "to confirm" not in text(ask(client, base, "enable", three))
    go(client, base, "enable", three)
    assert [stored(row).state for row in three] == ["never"] * 3
    assert actions().count("ai_llm.enabled") == 2


def test_many_are_disabled_at_once_and_undone_where_no_repository_uses_them(
    client: Client, base: str, three: list[AiLlm]
) -> None:
    lifecycle.disable(three[0].created_by, three[0])
    shown = f"http://testserver{base}/llm?sort=-name"
    answer = press(client, base, "disable", three, **{"HX-Current-URL": shown})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/llm?sort=-name")
    assert [stored(row).state for row in three] == ["disabled"] * 3
    listed = client.get(f"{base}/llm").content.decode()
    form = re.search(r'<div class="notice success">.*?<form.*?action="([^"]+)".*?</form>', listed, re.DOTALL)
    assert form is not None
    assert "3 AI LLMs disabled." in form[0]
    assert form[1] == f"{base}/llm/selected/enable"
    undone = re.findall(r'name="(ids|asked)" value="([^"]+)"', form[0])
    assert sorted(undone) == sorted([("asked", "1"), *(("ids", str(row.pk)) for row in three[1:])])
    client.post(form[1], {"ids": [value for name, value in undone if name == "ids"], "asked": 1})
    assert [stored(row).state for row in three] == ["disabled", "never", "never"]


def test_disabling_what_repositories_use_asks_first_and_undoing_does_not(
    client: Client, base: str, three: list[AiLlm], people: People
) -> None:
    build.repository(people.writer, people.workspace, three[1])
    address = f"{base}/llm/selected/disable?ids={three[0].pk}&ids={three[1].pk}"
    assert press(client, base, "disable", three[:2]).headers["location"] == address
    assert [stored(row).state for row in three] == ["never"] * 3
    assert "two in 1 repository" in text(client.get(address))
    assert press(client, base, "enable", three).status_code == 303
    go(client, base, "disable", three[:2])
    assert [stored(row).state for row in three] == ["disabled", "disabled", "never"]


def test_many_are_deleted_after_the_words_are_typed(client: Client, base: str, three: list[AiLlm]) -> None:
    assert "Type delete 3 to confirm" in text(ask(client, base, "delete", three))
    for typed in ("3", "delete", "delete 2"):
        assert go(client, base, "delete", three, typed).status_code == 422
    assert go(client, base, "delete", three, "Delete  3").status_code == 303
    assert AiLlm.objects.filter(deleted_at=None).count() == Credential.objects.count() == 0
    assert actions().count("ai_llm.deleted") == 3


def test_one_that_is_refused_is_told_and_the_others_go_on(
    client: Client, base: str, three: list[AiLlm], people: People
) -> None:
    build.repository(people.writer, people.workspace, three[1], name="<chat>")
    assert "two in 1 repository: refused until it is moved or detached" in text(ask(client, base, "delete", three))
    answer = go(client, base, "delete", three, "delete 3")
    assert answer.status_code == 200
    shown = text(answer)
    for said in (
        "1 of 3 not deleted",
        "The other 2 are deleted.",
        "two two is attached to <chat>. Move its attachments",
    ):
        assert said in shown
    assert [row.name for row in AiLlm.objects.filter(deleted_at=None)] == ["two"]


def test_one_that_was_deleted_before_the_answer_does_not_stop_the_rest(
    client: Client, base: str, three: list[AiLlm], people: People
) -> None:
    ask(client, base, "delete", three)
    configs.delete(people.admin, three[0])
    assert go(client, base, "delete", three, "delete 3").status_code == 303
    assert AiLlm.objects.filter(deleted_at=None).count() == 0


def test_foreign_unknown_and_odd_ids_are_left_out(
    client: Client, base: str, three: list[AiLlm], people: People
) -> None:
    foreign = build.ai_llm(people.stranger, people.strange_workspace)
    address = f"{base}/llm/selected/delete?ids={foreign.pk}&ids={uuid4()}&ids=x%00&ids={three[0].pk}&ids={three[0].pk}"
    assert "Delete 1 AI LLM?" in text(client.get(address))
    assert "Nothing selected" in text(client.get(f"{base}/llm/selected/delete?ids={foreign.pk}"))
    answer = go(client, base, "delete", [foreign], "delete 1")
    assert "Nothing selected" in text(answer)
    assert stored(foreign).deleted_at is None


def test_at_most_fifty_are_taken(client: Client, base: str, people: People) -> None:
    rows = AiLlm.objects.bulk_create(
        AiLlm(workspace=people.workspace, name=f"r-{n}", name_key=f"r-{n}", type="OTHER", endpoint="https://a.b/v1")
        for n in range(51)
    )
    assert "Disable 50 AI LLMs?" in text(ask(client, base, "disable", rows))
    go(client, base, "disable", rows)
    assert AiLlm.objects.filter(disabled_at=None).count() == 1


# --- Diagnostics ---


def test_a_reader_copies_diagnostics_and_no_secret_is_in_them(
    page: str, row: AiLlm, people: People, signed_in: SignedIn
) -> None:
    reader = signed_in(people.reader)
    shown = reader.get(f"{page}/diagnostics")
    assert "data-copy-from=" in shown.content.decode()
    assert f"id {row.pk}" in text(shown)
    answer = reader.get(f"{page}/diagnostics?format=json")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="diagnostics-{row.pk}.json"'
    assert json.loads(answer.content)["ai_llm"]["name"] == "prod"
    for told in (shown, answer):
        assert build.SECRET not in told.content.decode()
        assert build.SECRET[-4:] not in told.content.decode()


# --- Overview and list ---


def test_the_overview_tells_what_is_due_and_what_nobody_uses(client: Client, base: str, people: People) -> None:
    used, due, old, young = (
        build.ai_llm(people.writer, people.workspace, name=n) for n in ("used", "due", "old", "young")
    )
    build.repository(people.writer, people.workspace, used, due)
    repos.delete(people.writer, build.repository(people.writer, people.workspace, old))
    for row in (used, due, old):
        aged(row, 8)
    aged(young, 6)
    AiLlm.objects.filter(pk=due.pk).update(due_at=timezone.now() + timedelta(days=5, hours=1))
    assert summary.of(people.workspace).reminders == {"due": 1, "unused": 1}
    html = client.get(base).content.decode()
    for link in (f'href="{base}/llm?state=due">1 secret due<', f'href="{base}/llm?state=unused">1 in no repository<'):
        assert link in html
    assert names(client.get(f"{base}/llm?state=due")) == ["due"]
    assert names(client.get(f"{base}/llm?state=unused")) == ["old"]
    assert names(client.get(f"{base}/llm?state=unused&q=nothing")) == []


def test_what_was_rejected_again_and_again_comes_before_what_was_rejected_once(people: People) -> None:
    for name in ("a", "b", "c"):
        checked(build.ai_llm(people.writer, people.workspace, name=name), "rejected", "key_rejected")
    AiLlm.objects.filter(name="c").update(attention_at=timezone.now())
    assert [row.name for row in summary.of(people.workspace).attention] == ["c", "a", "b"]
    assert [row.name for row in summary.of(people.workspace, most=2).attention] == ["c", "a"]


def test_the_overview_tells_a_secret_that_does_not_open_from_one_that_is_not_there(
    client: Client, base: str, row: AiLlm
) -> None:
    Credential.objects.update(key_id="00000000")
    assert "No key of this installation opens the stored secret" in text(client.get(base))
    AiLlm.objects.update(credential=None)
    shown = text(client.get(base))
    assert "No secret is stored" in shown
    assert "No key of this installation" not in shown


@pytest.mark.parametrize(
    ("verdict", "cause", "place"),
    [
        ("rejected", "key_rejected", "rotate"),
        ("undecided", "web_page", "edit"),
        ("undecided", "timeout", "validate"),
        ("", "", "validate"),
    ],
)
def test_each_row_that_needs_attention_has_the_button_that_helps(
    verdict: str, cause: str, place: str, client: Client, base: str, page: str, row: AiLlm
) -> None:
    if verdict:
        checked(row, verdict, cause)
    html = client.get(base).content.decode()
    found = html[html.index('id="attention"') :]
    assert re.findall(rf'(?:href|action)="{page}/(\w+)"', found) == [place]
