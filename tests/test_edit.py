"""Edit: name, endpoint, dates, notes and scheduled checks; and what two people see who edit at once."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from ai_llm import configs, edit_forms, expiry, lifecycle, notes
from ai_llm.models import AiLlm, Credential
from flashback.errors import Invalid
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces.models import Event, User

ELSEWHERE = "https://api.mistral.ai/v1"
LOOKS_LIKE_ONE = "sk-proj-" + "4fT9" * 10
SHORT_KEY = "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz9BY3Rpb249Q2FsbFdpdGhCZWFyZXJUb2tlbg=="


@pytest.fixture
def row(people: People) -> AiLlm:
    return build.ai_llm(people.writer, people.workspace, name="prod")


@pytest.fixture
def client(signed_in: Callable[[User], Client], people: People) -> Client:
    return signed_in(people.writer)


@pytest.fixture
def page(people: People, row: AiLlm) -> str:
    return f"/w/{people.workspace.slug}/ai/llm/{row.pk}"


def stored(row: AiLlm) -> AiLlm:
    return AiLlm.objects.select_related("workspace", "credential").get(pk=row.pk)


def day(days: int) -> str:
    return (timezone.now() + timedelta(days=days)).date().isoformat()


def shown(client: Client, page: str) -> dict[str, str]:
    """What the form holds when it is opened, as a browser would send it."""
    return form_in(client.get(f"{page}/edit").content.decode())


def form_in(html: str) -> dict[str, str]:
    inputs = {}
    for tag in re.findall(r"<input[^>]*>", html[html.index('id="edit"') :]):
        name, value = re.search(r'name="(\w+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and ("checkbox" not in tag or "checked" in tag):
            inputs[name[1]] = unescape(value[1]) if value else "on" if "checkbox" in tag else ""
    area = re.search(r"<textarea[^>]*>\n?([^<]*)</textarea>", html)
    return {**inputs, "notes": unescape(area[1]) if area else ""}


def save(row: AiLlm, actor: User, **values: object) -> AiLlm:
    now = stored(row)
    given = {"name": now.name, "endpoint": now.endpoint, "version": now.version, **values}
    return configs.update(actor, now, **given)


def details() -> dict[str, object]:
    event = Event.objects.order_by("id").last()
    assert event is not None
    return event.details


def test_everything_that_may_change_is_changed_in_one_event(client: Client, page: str, row: AiLlm) -> None:
    sent = {**shown(client, page), "notes": "Ask Rita.\r\nThen rotate.", "rotate_every_days": "90", "name": "live"}
    sent["expires_at"] = ends = day(40)
    answer = client.post(f"{page}/edit", sent)
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    now = stored(row)
    assert now.credential is not None
    assert (now.name, now.notes, now.rotate_every_days, now.version) == ("live", "Ask Rita.\nThen rotate.", 90, 2)
    assert now.credential.expires_at == datetime.fromisoformat(f"{ends}T23:59:59+00:00")
    assert now.due_at == now.credential.expires_at
    assert details() == {
        "name": ["prod", "live"],
        "expires_at": [None, f"{ends}T23:59:59+00:00"],
        "rotate_every_days": [None, 90],
        "notes": ["", "Ask Rita.\nThen rotate."],
    }
    assert Event.objects.filter(action="ai_llm.updated").count() == 1


def test_what_is_stored_is_shown_and_saving_it_again_is_no_change(
    client: Client, page: str, row: AiLlm, people: People
) -> None:
    ends = timezone.now() + timedelta(days=20, hours=3)
    save(row, people.writer, notes="two\nlines", rotate_every_days=30, expires_at=ends)
    before, held = Event.objects.count(), shown(client, page)
    assert (held["notes"], held["rotate_every_days"]) == ("two\nlines", "30")
    assert held["expires_at"] == ends.astimezone(UTC).date().isoformat()
    assert client.post(f"{page}/edit", held).status_code == 303
    now = stored(row)
    assert now.credential is not None
    assert (now.version, now.credential.expires_at, Event.objects.count()) == (2, ends, before)


def test_blank_dates_are_taken_away(client: Client, page: str, row: AiLlm, people: People) -> None:
    save(row, people.writer, rotate_every_days=30, expires_at=timezone.now() + timedelta(days=20))
    client.post(f"{page}/edit", {**shown(client, page), "expires_at": "", "rotate_every_days": ""})
    now = stored(row)
    assert now.credential is not None
    assert (now.credential.expires_at, now.rotate_every_days, now.due_at) == (None, None, None)


def test_a_date_that_has_passed_stays_until_somebody_changes_it(
    client: Client, page: str, row: AiLlm, people: People
) -> None:
    past = timezone.now() - timedelta(days=3)
    Credential.objects.update(expires_at=past)
    assert client.post(f"{page}/edit", {**shown(client, page), "notes": "mine"}).status_code == 303
    answer = client.post(f"{page}/edit", {**shown(client, page), "expires_at": day(-1)})
    assert answer.status_code == 422
    assert expiry.PAST in text(answer)
    held = stored(row).credential
    assert held is not None
    assert (held.expires_at, stored(row).notes) == (past, "mine")


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("rotate_every_days", "0", expiry.RULE),
        ("rotate_every_days", "100000", expiry.RULE),
        ("rotate_every_days", "soon", expiry.RULE),
        ("expires_at", "2026-31-31", "Enter a date as year-month-day"),
        ("expires_at", "9999-12-31", expiry.FAR),
        ("notes", "x" * 2001, "2,001 characters; at most 2,000"),
        ("notes", "bell \x07", "cannot be shown"),
    ],
)
def test_what_cannot_be_stored_is_told_at_its_field_and_nothing_typed_is_lost(
    field: str, typed: str, told: str, client: Client, page: str, row: AiLlm
) -> None:
    answer = client.post(f"{page}/edit", {**shown(client, page), "name": "other", field: typed})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert told in text(answer)
    assert re.search(rf'aria-describedby="[^"]*id_{field}_error', html)
    again = form_in(html)
    assert (again["name"], again[field]) == ("other", typed)
    assert stored(row).version == 1


def test_two_thousand_characters_with_line_breaks_fit_as_browsers_send_them(client: Client, page: str) -> None:
    lines = "\n".join(["x" * 99] * 20)
    sent = {**shown(client, page), "notes": lines.replace("\n", "\r\n")}
    assert client.post(f"{page}/edit", sent).status_code == 303
    assert shown(client, page)["notes"] == lines


def test_notes_are_text_and_never_markup(client: Client, page: str, row: AiLlm, people: People) -> None:
    save(row, people.writer, notes="<script>alert(1)</script>\n<b>two</b>")
    for path in ("", "/edit"):
        html = client.get(page + path).content.decode()
        assert "<b>two</b>" not in html
        assert "&lt;b&gt;two&lt;/b&gt;" in html
    assert "alert(1)&lt;/script&gt;<br>" in client.get(page).content.decode()


def test_the_audit_log_holds_the_beginning_of_notes_and_no_credential(row: AiLlm, people: People) -> None:
    save(row, people.writer, notes=f"{LOOKS_LIKE_ONE} " + "long " * 300)
    new = details()["notes"][1]
    assert len(new) == notes.SHOWN_IN_EVENT
    assert LOOKS_LIKE_ONE not in new


def test_callers_that_name_less_change_less(row: AiLlm, people: People) -> None:
    ends = timezone.now() + timedelta(days=20)
    save(row, people.writer, notes="kept", rotate_every_days=30, expires_at=ends)
    now = stored(save(row, people.writer, name="other"))
    assert now.credential is not None
    assert (now.notes, now.rotate_every_days, now.credential.expires_at) == ("kept", 30, ends)


def test_a_new_secret_does_not_inherit_the_old_ones_end(row: AiLlm, people: People) -> None:
    save(row, people.writer, expires_at=timezone.now() + timedelta(days=20))
    moved = stored(save(row, people.writer, endpoint=ELSEWHERE, secret=build.SECRET))
    assert moved.credential is not None
    assert (moved.credential.expires_at, moved.due_at) == (None, None)


def test_the_day_beside_a_new_secret_is_that_ones(client: Client, page: str, row: AiLlm) -> None:
    client.post(f"{page}/edit", {**shown(client, page), "expires_at": day(20)})
    client.post(f"{page}/edit", {**shown(client, page), "secret": build.SECRET, "expires_at": day(200)})
    held = stored(row).credential
    assert held is not None
    assert held.expires_at is not None
    assert held.expires_at.date().isoformat() == day(200)


def test_a_short_lived_key_says_itself_when_it_ends(people: People) -> None:
    endpoint = "https://bedrock-runtime.eu-central-1.amazonaws.com"
    made = build.ai_llm(people.writer, people.workspace, type="AWS", endpoint=endpoint, secret=SHORT_KEY)
    hours = (stored(made).due_at or timezone.now()) - timezone.now()
    assert timedelta(hours=11, minutes=59) < hours <= timedelta(hours=12)


def test_without_a_secret_nothing_can_expire(people: People) -> None:
    endpoint = "https://example.com/v1"
    made = build.ai_llm(people.writer, people.workspace, type="OTHER", endpoint=endpoint, secret="", keyless=True)
    with pytest.raises(Invalid) as refused:
        save(made, people.writer, expires_at=timezone.now() + timedelta(days=2))
    assert refused.value.errors == {"expires_at": configs.NOTHING_EXPIRES}


def test_the_second_editor_sees_both_values_and_saves_over_it_knowingly(
    client: Client, page: str, row: AiLlm, people: People
) -> None:
    mine = {**shown(client, page), "name": "mine", "notes": "my notes", "expires_at": day(50)}
    del mine["scheduled"]
    save(row, people.admin, name="theirs", notes="their notes\nin two lines", rotate_every_days=7)
    answer = client.post(f"{page}/edit", mine)
    html = answer.content.decode()
    assert answer.status_code == 422
    stored_now = {
        name: " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())
        for name, text in re.findall(r'id="id_(\w+)_now">(.*?)</div>', html, re.DOTALL)
    }
    assert stored_now == {
        "name": "Stored now: theirs",
        "notes": "Stored now: their notes in two lines",
        "expires_at": "Stored now: nothing",
        "rotate_every_days": "Stored now: 7",
        "scheduled": "Stored now: included",
    }
    assert people.admin.email in text(answer)
    assert stored(row).name == "theirs"
    again = form_in(html)
    kept = {name: again.get(name, "") for name in ("name", "notes", "expires_at", "rotate_every_days", "scheduled")}
    assert kept == {name: mine.get(name, "") for name in kept}
    assert client.post(f"{page}/edit", again).status_code == 303
    now = stored(row)
    assert (now.name, now.notes, now.rotate_every_days, now.scheduled) == ("mine", "my notes", None, False)


def test_a_third_editor_in_between_is_seen_too(client: Client, page: str, row: AiLlm, people: People) -> None:
    mine = {**shown(client, page), "name": "mine"}
    save(row, people.admin, name="theirs")
    again = form_in(client.post(f"{page}/edit", mine).content.decode())
    save(row, people.owner, name="third")
    answer = client.post(f"{page}/edit", again)
    assert answer.status_code == 422
    assert "Stored now: third" in text(answer)


def test_a_change_of_something_else_is_told_and_loses_nothing(
    client: Client, page: str, row: AiLlm, people: People
) -> None:
    mine = shown(client, page)
    lifecycle.disable(people.admin, stored(row))
    answer = client.post(f"{page}/edit", mine)
    assert answer.status_code == 422
    assert "prod disabled" in text(answer)
    assert "_now" not in answer.content.decode()
    assert client.post(f"{page}/edit", form_in(answer.content.decode())).status_code == 303
    assert stored(row).disabled_at is not None


def test_what_was_typed_is_kept_when_the_row_is_deleted_while_editing(
    client: Client, page: str, row: AiLlm, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = configs.update

    def after_the_other(*arguments: object, **keywords: object) -> AiLlm:
        configs.delete(people.admin, stored(row))
        return update(*arguments, **keywords)

    monkeypatch.setattr(configs, "update", after_the_other)
    answer = client.post(f"{page}/edit", {**shown(client, page), "notes": "typed for an hour"})
    assert answer.status_code == 422
    assert "was deleted in the meantime" in text(answer)
    assert form_in(answer.content.decode())["notes"] == "typed for an hour"
    gone = AiLlm.objects.get(pk=row.pk)
    assert (gone.notes, gone.credential_id) == ("", None)


@pytest.mark.parametrize("action", ["", "test"])
def test_what_was_typed_is_kept_when_the_row_was_deleted_before_it_is_sent(
    action: str, client: Client, page: str, row: AiLlm, people: People
) -> None:
    typed = {**shown(client, page), "notes": "typed for an hour", "secret": build.SECRET, "action": action}
    configs.delete(people.admin, stored(row))
    answer = client.post(f"{page}/edit", typed)
    assert answer.status_code == 422
    assert "was deleted in the meantime" in text(answer)
    kept = form_in(answer.content.decode())
    assert (kept["notes"], kept["secret"]) == ("typed for an hour", "")
    assert AiLlm.objects.get(pk=row.pk).credential_id is None
    assert client.get(f"{page}/edit").status_code == 404


def test_the_type_cannot_be_changed(client: Client, page: str, row: AiLlm) -> None:
    client.post(f"{page}/edit", {**shown(client, page), "type": "ANTHROPIC", "name": "other"})
    assert (stored(row).type, stored(row).name) == ("OPENAI", "other")


@pytest.mark.parametrize(("endpoint", "again"), [(ELSEWHERE, True), ("", False)])
def test_another_destination_marks_the_secret_as_required_and_says_why(
    client: Client, page: str, row: AiLlm, endpoint: str, again: bool
) -> None:
    html = client.get(f"{page}/edit", {"endpoint": endpoint or row.endpoint}).content.decode()
    label = re.search(r'<label for="id_secret">(.*?)</label>', html)
    assert label is not None
    assert ("optional" not in label[1]) == again
    assert (edit_forms.SECRET_AGAIN in html) == again


def test_edit_says_that_the_type_stays(client: Client, page: str) -> None:
    assert "The type stays. For another one, add a new AI LLM" in client.get(f"{page}/edit").content.decode()
