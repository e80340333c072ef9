"""The admin site: for staff alone, to look at, with no way to a secret and none around the sign-in limits."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import count
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ai_llm.models import AiLlm, Check, Credential
from flashback.errors import Denied
from flashback.web import CONTENT_SECURITY_POLICY
from repositories.models import AiApiKey, Attachment, Repository
from tests import build
from tests.conftest import People
from tests.test_reauthentication import hidden, stale
from workspaces import events
from workspaces import people as verbs
from workspaces.apps import SUPPORT
from workspaces.models import Event, Membership, Organization, User, Workspace

pytestmark = pytest.mark.django_db
MODELS = [AiLlm, Check, Repository, Attachment, AiApiKey, Organization, Workspace, User, Membership, Event]
CANARY = "canary-secret-5f1d0c9e8b7a6543"
numbers = count(1)


def index_of(model: type[Any]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_of(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def configuration(people: People) -> AiLlm:
    """An AI LLM whose credential holds something findable, with a check, an event, a repository and a key."""
    credential = Credential.objects.create(
        workspace=people.workspace, origin="https://api.openai.com:443", hint="6543", fingerprint="f" * 16
    )
    table, columns = Credential._meta.db_table, ("secret", "key")
    with connection.cursor() as cursor:
        for column in columns:
            cursor.execute(f"UPDATE {table} SET {column} = %s", [CANARY])
    name = f"openai-{next(numbers)}"
    row = AiLlm.objects.create(
        workspace=people.workspace, name=name, name_key=name, type="OPENAI", endpoint="https://api.openai.com/v1",
        credential_id=credential.pk, created_by=people.writer,
    )  # fmt: skip
    Check.objects.create(ai_llm=row, by=people.writer, verdict="accepted", cause="accepted", url=row.endpoint)
    events.record(None, "ai_llm.created", row)
    build.key(people.writer, build.repository(people.writer, people.workspace, row))
    return row


@pytest.fixture
def support(people: People) -> User:
    """Somebody of the staff who is no superuser."""
    person = build.person(None, "Sue Support")
    return verbs.set_standing(people.staff, person, active=True, staff=True)


# --- Who gets in ------------------------------------------------------------------------------------------------------


def test_the_way_in_is_the_console_s_sign_in_with_its_limits(people: People) -> None:
    response = Client().get("/admin/", follow=True)
    assert response.redirect_chain[-1][0] == "/account/login?next=%2Fadmin%2F"
    client = Client()
    for password in ("guess", build.PASSWORD):
        posted = client.post("/admin/login/", {"username": people.staff.email, "password": password})
        assert (posted.status_code, posted.headers["Location"].partition("?")[0]) == (302, "/account/login")
    assert client.get("/admin/").status_code == 302


def test_staff_come_back_to_the_admin_site_after_signing_in(people: People) -> None:
    form = {"login": people.staff.email, "password": build.PASSWORD, "next": "/admin/"}
    client = Client()
    assert client.post("/account/login", form).headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("who", ["owner", "admin", "reader", "stranger"])
def test_nobody_else_gets_in(people: People, signed_in: Callable[[User], Client], who: str) -> None:
    client = signed_in(getattr(people, who))
    assert client.get("/admin/", follow=True).status_code == 403
    assert client.get(index_of(User), follow=True).status_code == 403


def test_the_admin_site_has_no_password_page_of_its_own(people: People, signed_in: Callable[[User], Client]) -> None:
    response = signed_in(people.staff).get("/admin/password_change/")
    assert response.headers["Location"] == "/account/password/change"


def test_signing_out_of_the_admin_site_clears_what_the_browser_keeps(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(people.staff)
    assert client.post("/admin/logout/").headers["Clear-Site-Data"] == '"cache", "storage"'
    assert client.get("/account").status_code == 302


def test_no_slash_no_page(people: People, signed_in: Callable[[User], Client]) -> None:
    assert signed_in(people.staff).get("/admin").headers["Location"] == "/admin/"


# --- What is there ----------------------------------------------------------------------------------------------------


def test_only_what_holds_no_secret_is_there() -> None:
    assert set(admin.site._registry) == set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_added_deleted_or_done_in_bulk(
    people: People, signed_in: Callable[[User], Client], model: type[Any]
) -> None:
    configuration(people)
    row, client = model.objects.first(), signed_in(people.staff)
    assert client.get(index_of(model) + "add/").status_code == 403
    assert client.post(page_of(row).replace("change", "delete"), {"post": "yes"}).status_code == 403
    client.post(index_of(model), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [model for model in MODELS if model is not User])
def test_what_a_verb_changes_is_read_only(
    people: People, signed_in: Callable[[User], Client], model: type[Any]
) -> None:
    configuration(people)
    row, client = model.objects.first(), signed_in(people.staff)
    page = client.get(page_of(row)).text
    content = page[page.index('id="content"') :]
    assert not re.search(r'<(input|select|textarea)(?![^>]*type="hidden")', content)
    assert (
        client.post(page_of(row), {"name": "changed", "role": "ADMIN", "endpoint": "https://evil.example"}).status_code
        == 403
    )


class Found(HTMLParser):
    """What a strict Content-Security-Policy would not run or draw, and what leads to another host."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not given.get("src") and given.get("type") != "application/json"):
            self.faults.append(tag)
        self.faults += [name for name in given if name == "style" or name.startswith("on")]
        self.faults += [
            str(given[name]) for name in ("src", "href", "action") if (given.get(name) or "").startswith("http")
        ]


def pages(people: People) -> Iterator[str]:
    configuration(people)
    yield "/admin/"
    for model in MODELS:
        row = model.objects.first()
        yield index_of(model)
        yield page_of(row)
        yield page_of(row).replace("change/", "history/")


def test_every_page_draws_under_the_console_s_policy_and_shows_no_secret(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(people.staff)
    for path in pages(people):
        response = client.get(path)
        assert (response.status_code, path) == (200, path)
        assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        inner = response.text.replace('href="https://api.openai.com', 'data-shown="https://api.openai.com')
        assert (Found(inner).faults, path) == ([], path)
        for secret in (CANARY, build.PASSWORD, people.staff.password, people.reader.password):
            assert secret not in response.text


def test_an_ai_llm_shows_that_there_is_a_secret_and_no_more_than_its_hint(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    page = signed_in(people.staff).get(page_of(configuration(people))).text
    assert "…6543, set 20" in page
    assert CANARY not in page


def test_the_sealed_columns_are_not_even_read(people: People, signed_in: Callable[[User], Client]) -> None:
    row, client = configuration(people), signed_in(people.staff)
    with CaptureQueriesContext(connection) as queries:
        client.get(index_of(AiLlm))
        client.get(page_of(row))
    asked = [query["sql"] for query in queries if Credential._meta.db_table in query["sql"]]
    assert len(asked) == 2
    assert not any('."secret"' in sql or '."key"' in sql for sql in asked)


@pytest.mark.parametrize(
    ("model", "query"),
    [
        (User, "password__startswith=md5"),
        (User, "organization__people__password__startswith=md5"),
        (AiLlm, "credential__fingerprint=ffffffffffffffff"),
        (AiLlm, "credential__secret__isnull=1"),
        (AiLlm, "created_by__password__startswith=md5"),
        (Check, "ai_llm__credential__hint=6543"),
        (Membership, "user__password__startswith=md5"),
        (Event, "details__contains=x"),
    ],
)
def test_what_is_not_shown_cannot_be_guessed_through_the_address(
    people: People, signed_in: Callable[[User], Client], model: type[Any], query: str
) -> None:
    configuration(people)
    assert signed_in(people.staff).get(f"{index_of(model)}?{query}").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "state=accepted", "type__exact=OPENAI", "type__exact=OPENAI&type__exact=AWS", "state=deleted", "state=junk",
        "state=due&_facets=1", "state=unavailable&type__exact=OPENAI",
        "created_at__year=2026", "created_at__year=2026&created_at__month=11",
        "created_at__year=2026&created_at__month=11&created_at__day=23",
        "created_at__gte=2026-01-01 00:00:00%2B00:00&created_at__lt=2027-01-01 00:00:00%2B00:00",
    ],
)  # fmt: skip
def test_the_offered_filters_work(people: People, signed_in: Callable[[User], Client], query: str) -> None:
    configuration(people)
    assert signed_in(people.staff).get(f"{index_of(AiLlm)}?{query}").status_code == 200


@pytest.mark.parametrize(("query", "chosen"), [("", "All"), ("?revoked_at__isempty=1", "Not revoked")])
def test_what_filters_moments_says_so_in_words(
    people: People, signed_in: Callable[[User], Client], query: str, chosen: str
) -> None:
    page = signed_in(people.staff).get(f"{index_of(AiApiKey)}{query}").content.decode()
    offered = re.findall(r'<a href="\?[^"]*">(All|Not revoked|Revoked|Empty|Not empty)</a>', page)
    assert offered[-3:] == ["All", "Not revoked", "Revoked"]
    assert re.search(rf'class="selected">\s*<a href="\?[^"]*">{chosen}</a>', page)


@pytest.mark.parametrize(
    ("model", "query"),
    [
        (AiLlm, "type__regex=("),
        (AiLlm, "type__iregex=("),
        (AiLlm, "verdict__in=accepted"),
        (AiLlm, "state__in=accepted"),
        (AiLlm, "created_at__week_day=1"),
        (AiLlm, "deleted_at__year=9999"),
        (User, "is_active__contains=1"),
        (User, "organization_role__in=1"),
        (User, "organization_role__regex=("),
        (Event, "object_kind__year=1"),
        (Event, "at__regex=("),
        (Organization, "created_at__date=x"),
    ],
)
def test_only_the_kinds_of_comparison_that_the_page_offers_are_taken(
    people: People, signed_in: Callable[[User], Client], model: type[Any], query: str
) -> None:
    assert signed_in(people.staff).get(f"{index_of(model)}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("model", "query"),
    [
        (Organization, "created_at__year=9999"),
        (Organization, "created_at__year=99999999999999999999"),
        (Organization, "created_at__year=2026&created_at__month=99999999999999999999"),
        (Organization, "created_at__year=9999&created_at__month=12&created_at__day=31"),
        (Organization, "created_at__gte=%00"),
        (User, "joined_at__year=9999"),
        (User, "is_active__exact=%00"),
        (Event, "at__year=9999"),
        (Event, "object_kind__exact=%00"),
        (Check, "at__year=9999&at__month=12"),
        (Check, "verdict__exact=%00"),
        (Membership, "role__exact=%00"),
        (AiLlm, "type__exact=%00"),
        (AiLlm, "type__exact=OPENAI&type__exact=a%00b"),
        (AiLlm, "verdict__in=%00"),
        (AiLlm, "state=%00"),
        (User, "is_active__contains=%00"),
        (AiLlm, "%00=1"),
    ],
)
def test_a_filter_that_cannot_be_right_leads_to_the_whole_list(
    people: People, signed_in: Callable[[User], Client], model: type[Any], query: str
) -> None:
    client, path = signed_in(people.staff), index_of(model)
    response = client.get(f"{path}?{query}")
    assert (response.status_code, response.headers["Location"]) == (302, f"{path}?e=1")
    assert client.get(f"{path}?e=1").status_code == 200
    assert client.get(f"{path}?e=1&{query}").status_code == 200


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("text", ["acme", "6543", CANARY, "a\0b", "%_'\"", "é" * 400, "a " * 3000, '"' * 200])
def test_searching_is_safe_and_never_over_secrets(
    people: People, signed_in: Callable[[User], Client], model: type[Any], text: str
) -> None:
    configuration(people)
    response = signed_in(people.staff).get(index_of(model), {"q": text})
    assert response.status_code == 200
    if text in {"6543", CANARY}:
        assert response.context["cl"].result_count == 0


@pytest.mark.parametrize(("query", "found"), [("acme " * 7 + "other", 0), ("acme " * 8 + "other", 1)])
def test_a_search_is_for_eight_words_at_most(
    people: People, signed_in: Callable[[User], Client], query: str, found: int
) -> None:
    response = signed_in(people.staff).get(index_of(Organization), {"q": query})
    assert response.context["cl"].result_count == found


def test_looking_something_up_for_a_field_takes_any_term(people: People, signed_in: Callable[[User], Client]) -> None:
    query = {"app_label": "ai_llm", "model_name": "aillm", "field_name": "workspace"}
    for term in ("\0", "a " * 3000):
        assert signed_in(people.staff).get("/admin/autocomplete/", {**query, "term": term}).status_code == 200


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "key",
    ["%00", "a%00b", "%FF%FE", "%ED%A0%80", "x" * 5000, "9" * 40, "9" * 5000, "_5F", "_5F00", "_00", "_0A", "%0A"],
)
def test_a_row_that_cannot_be_there_is_not_there(
    people: People, signed_in: Callable[[User], Client], model: type[Any], key: str
) -> None:
    client = signed_in(people.staff)
    for ending in ("/change/", "/history/", "/"):
        response = client.get(f"{index_of(model)}{key}{ending}")
        assert (ending, response.status_code) in {(ending, 302), (ending, 404)}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("query", "status"), [("_to_field=", 200), ("_to_field=x", 400), ("_to_field=email", 400)])
def test_a_row_is_found_by_its_key_only(
    people: People, signed_in: Callable[[User], Client], model: type[Any], query: str, status: int
) -> None:
    row = configuration(people)
    page = page_of(row if model is AiLlm else model.objects.first() or row)
    assert signed_in(people.staff).get(f"{page}?{query}").status_code == status


@pytest.mark.parametrize("path", ["r/1/abc/", "r/1/1/", "r/99999999999999999999999/1/"])
def test_no_address_leads_from_any_row_to_a_page_elsewhere(
    people: People, signed_in: Callable[[User], Client], path: str
) -> None:
    assert signed_in(people.staff).get(f"/admin/{path}").status_code == 404


@pytest.mark.parametrize("model", MODELS)
def test_the_number_of_queries_does_not_grow_with_the_rows(
    people: People, signed_in: Callable[[User], Client], model: type[Any]
) -> None:
    client, path = signed_in(people.staff), index_of(model)
    configuration(people)
    client.get(path)
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(path)
    for _ in range(5):
        configuration(people)
        organization = build.organization()
        build.person(organization, member_of=build.workspace(organization))
    client.get(path)  # that staff looked at these is recorded once
    with CaptureQueriesContext(connection) as many:
        client.get(path)
    assert len(many) == len(few)
    assert len(many) <= 12


# --- People -----------------------------------------------------------------------------------------------------------


def test_who_may_be_here_is_changed_by_somebody_who_has_just_shown_who_they_are(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client = stale(signed_in(people.staff))
    assert client.get(page_of(people.reader)).status_code == 200
    asked = client.post(page_of(people.reader), {"is_staff": "on"})
    assert (asked.status_code, hidden(asked)) == (422, {"is_staff": "on"})
    assert not User.objects.get(pk=people.reader.pk).is_staff
    answer = client.post(page_of(people.reader), {"is_staff": "on", "confirm-password": build.PASSWORD})
    assert answer.status_code == 302
    assert User.objects.get(pk=people.reader.pk).is_staff


def test_a_superuser_switches_somebody_off_and_it_is_recorded(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    reader = signed_in(people.reader)
    response = signed_in(people.staff).post(page_of(people.reader), {"is_staff": "on"})
    assert response.status_code == 302
    person = User.objects.get(pk=people.reader.pk)
    assert (person.is_active, person.is_staff, list(person.groups.all())) == (
        False,
        True,
        [Group.objects.get(name=SUPPORT)],
    )
    event = Event.objects.get(action="person.standing_changed")
    assert (event.actor_id, event.object_id, event.organization_id) == (
        people.staff.pk, str(people.reader.pk), people.organization.pk,
    )  # fmt: skip
    assert event.details == {"active": [True, False], "staff": [False, True]}
    assert reader.get("/account").status_code == 302


def test_the_last_owner_is_not_switched_off_and_the_form_says_why(
    people: People, signed_in: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, refusal = signed_in(people.staff), verbs.LAST_OWNER.format(person="Olivia Owner")
    refused = client.post(page_of(people.owner), {"is_staff": "on"})
    assert (refused.status_code, refused.context["errors"]) == (200, [[refusal]])
    assert re.search(r'name="is_staff"[^>]* checked', refused.text)
    # The other owner went between the form and the verb.
    monkeypatch.setattr("workspaces.admin.StandingForm.clean_is_active", lambda form: False)
    again = client.post(page_of(people.owner), {"is_staff": "on"}, follow=True)
    assert (again.redirect_chain, refusal in again.text) == ([(page_of(people.owner), 302)], True)
    owner = User.objects.get(pk=people.owner.pk)
    assert (owner.is_active, owner.is_staff) == (True, False)
    assert not Event.objects.filter(action="person.standing_changed").exists()


def test_no_list_page_and_no_address_of_the_admin_site_removes_an_owner(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client, chosen = signed_in(people.staff), {"_selected_action": [str(people.owner.pk)], "post": "yes"}
    for action in ("delete_selected", "deactivate", ""):
        client.post(index_of(User), {**chosen, "action": action})
    assert client.post(f"{page_of(people.owner).removesuffix('change/')}delete/", {"post": "yes"}).status_code == 403
    client.post(page_of(people.owner), {"is_active": "on", "organization_role": "0", "organization": ""})
    owner = User.objects.get(pk=people.owner.pk)
    assert (owner.is_active, owner.organization_role, owner.organization_id) == (True, 255, people.organization.pk)


def test_nothing_else_of_a_person_can_be_changed(people: People, signed_in: Callable[[User], Client]) -> None:
    before = User.objects.filter(pk=people.reader.pk).values().get()
    form = {
        "is_active": "on", "is_superuser": "on", "email": "evil@example.com", "organization_role": "255",
        "password": "x", "organization": str(people.strange_workspace.organization_id), "groups": "1",
        "user_permissions": "1",
    }  # fmt: skip
    signed_in(people.staff).post(page_of(people.reader), form)
    assert User.objects.filter(pk=people.reader.pk).values().get() == before
    assert Event.objects.count() == 0


def test_nobody_changes_their_own_standing(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.staff)
    assert client.get(page_of(people.staff)).status_code == 200
    assert client.post(page_of(people.staff), {}).status_code == 403
    with pytest.raises(Denied):
        verbs.set_standing(people.staff, people.staff, active=False, staff=True)


def test_only_a_superuser_changes_anybody_s_standing(people: People, support: User) -> None:
    for actor in (people.owner, people.reader, support):
        with pytest.raises(Denied):
            verbs.set_standing(actor, people.reader, active=False, staff=False)


def test_taking_the_admin_site_away_takes_the_group_away(people: People, support: User) -> None:
    verbs.set_standing(people.staff, support, active=True, staff=False)
    assert list(support.groups.all()) == []


# --- Support ----------------------------------------------------------------------------------------------------------


def test_support_sees_everything_and_changes_nobody(
    people: People, support: User, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(support)
    for path in pages(people):
        assert (client.get(path).status_code, path) == (200, path)
    assert client.post(page_of(people.reader), {"is_staff": "on"}).status_code == 403
    assert client.get(page_of(people.reader)).text.count('name="is_staff"') == 0


def test_staff_without_the_group_see_nothing(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(build.person(None, is_staff=True))
    assert client.get("/admin/").status_code == 200
    assert [client.get(index_of(model)).status_code for model in MODELS] == [403] * len(MODELS)


def test_the_group_is_made_with_the_tables_and_may_look_at_what_is_there() -> None:
    permissions = Group.objects.get(name=SUPPORT).permissions
    looks = {f"view_{model._meta.model_name}" for model in MODELS}
    assert set(permissions.values_list("codename", flat=True)) == {*looks, "validate_aillm", "disable_aillm"}


def test_migrating_again_brings_a_lost_group_back() -> None:
    Group.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert Group.objects.get(name=SUPPORT).permissions.count() == len(MODELS) + 2
