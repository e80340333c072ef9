"""Support staff see state, history and diagnostics of every workspace, validate and disable, and see no secret."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from ai_llm import configs, lifecycle, rotation, support, validation
from ai_llm.models import STATES, AiLlm, Check, Credential
from flashback.errors import Denied
from flashback.web import CONTENT_SECURITY_POLICY
from tests import build
from tests.conftest import People
from tests.test_sealed import column, store
from workspaces import access, organizations
from workspaces import people as verbs
from workspaces.apps import MAY_SUPPORT, SUPPORT
from workspaces.management.commands import createstaff
from workspaces.models import Event, User, Workspace

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
LIST = "/admin/ai_llm/aillm/"
EXCERPT = "the provider said something about payments"


@pytest.fixture
def stella(db: None) -> User:
    """Somebody of the support staff, without an organization."""
    return verbs.enlist("stella@example.com", name="Stella Staff", password=build.PASSWORD)


@pytest.fixture
def row(people: People) -> AiLlm:
    """An AI LLM whose secret cannot be opened, so that validating it sends nothing; with one earlier check."""
    made = build.ai_llm(people.writer, people.workspace, name="prod")
    AiLlm.objects.filter(pk=made.pk).update(notes="ask Ada about the invoice")
    store(made.credential, column(made.credential)[:-8] + "AAAAAAA=")
    Credential.objects.filter(pk=made.credential_id).update(key_id="gone")
    Check.objects.create(
        ai_llm=made, by=people.writer, verdict="rejected", cause="key_rejected", url=made.endpoint, excerpt=EXCERPT
    )
    return made


def page(row: AiLlm, name: str = "change") -> str:
    return f"{LIST}{row.pk}/{name}/"


def words(html: str) -> str:
    return " ".join(html.split())


# --- Who may do what --------------------------------------------------------------------------------------------------

REQUESTS = [
    ("GET", "change"),
    ("GET", "diagnostics"),
    ("GET", "disable"),
    ("POST", "validate"),
    ("POST", "disable"),
    ("POST", "enable"),
]


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("support", [200, 200, 200, 303, 303, 303]),
        ("superuser", [200, 200, 200, 303, 303, 303]),
        ("staff without the group", [403] * 6),
        ("staff who may only look", [200, 200, 403, 403, 403, 403]),
        ("deactivated support", [302] * 6),
        ("owner", [302] * 6),
    ],
)
def test_who_may_do_what(
    who: str, expected: list[int], people: People, stella: User, row: AiLlm, signed_in: SignIn
) -> None:
    looking = build.person(None, is_staff=True)
    looking.user_permissions.add(Permission.objects.get(codename="view_aillm"))
    person = {
        "support": stella,
        "superuser": people.staff,
        "staff without the group": build.person(None, is_staff=True),
        "staff who may only look": looking,
        "deactivated support": stella,
        "owner": people.owner,
    }[who]
    client = signed_in(person)
    User.objects.filter(pk=stella.pk).update(is_active=who != "deactivated support")
    assert [client.generic(method, page(row, name)).status_code for method, name in REQUESTS] == expected


def test_the_group_holds_exactly_its_permissions() -> None:
    given = Group.objects.get(name=SUPPORT).permissions.values_list("content_type__app_label", "codename")
    assert sorted(given) == sorted((app, name) for app, names in MAY_SUPPORT.items() for name in names)


def test_what_the_group_got_beyond_that_is_taken_back_by_the_next_migrate() -> None:
    group = Group.objects.get(name=SUPPORT)
    group.permissions.add(Permission.objects.get(codename="delete_aillm"))
    group.permissions.remove(Permission.objects.get(codename="disable_aillm"))
    call_command("migrate", verbosity=0)
    test_the_group_holds_exactly_its_permissions()


def test_a_permission_counts_for_nobody_who_is_not_staff(people: People, stella: User, row: AiLlm) -> None:
    people.stranger.groups.add(Group.objects.get(name=SUPPORT))
    for verb in (lifecycle.disable, validation.validate):
        with pytest.raises(Denied):
            verb(people.stranger, row)
    assert access.supports(stella, "ai_llm.disable_aillm")


@pytest.mark.parametrize(
    "verb",
    [
        lambda actor, row: configs.replace_secret(actor, row, secret="sk-another-one-0123456789"),
        lambda actor, row: configs.delete(actor, row),
        lambda actor, row: rotation.retire(actor, row),
        lambda actor, row: configs.schedule(actor, row, included=False),
        lambda actor, row: validation.test(
            actor, row.workspace, type=row.type, endpoint=row.endpoint, secret="sk-another-one-0123456789"
        ),
    ],
)  # fmt: skip
def test_every_other_verb_refuses_support(verb: Callable[[User, AiLlm], object], stella: User, row: AiLlm) -> None:
    with pytest.raises(Denied):
        verb(stella, row)


def test_the_console_stays_closed_to_support(people: People, stella: User, row: AiLlm, signed_in: SignIn) -> None:
    client, address = signed_in(stella), f"/w/{people.workspace.slug}/ai/llm/{row.pk}"
    assert [client.get(address).status_code, client.post(f"{address}/validate").status_code] == [404, 404]
    assert list(Workspace.objects.visible_to(stella)) == list(AiLlm.objects.visible_to(stella)) == []
    assert access.of(stella, people.workspace) is None


def test_support_who_only_read_a_workspace_write_nothing_in_its_console(
    people: People, row: AiLlm, signed_in: SignIn
) -> None:
    people.reader.is_staff = True
    people.reader.save()
    people.reader.groups.add(Group.objects.get(name=SUPPORT))
    address = f"/w/{people.workspace.slug}/ai/llm/{row.pk}"
    assert signed_in(people.reader).post(f"{address}/disable").status_code == 403


def test_the_start_page_lists_what_a_ticket_is_about_first(people: People, stella: User, signed_in: SignIn) -> None:
    start = signed_in(stella).get("/admin/")
    assert "Flashback support" in start.text
    listed = {app["app_label"]: [model["object_name"] for model in app["models"]] for app in start.context["app_list"]}
    assert list(listed) == ["ai_llm", "repositories", "workspaces"]
    assert listed["workspaces"] == ["Organization", "Workspace", "Membership", "User", "Event"]
    assert signed_in(build.person(None, is_staff=True)).get("/admin/").context["app_list"] == []


def test_the_page_of_the_keys_names_no_tenant_to_staff_without_the_group(
    people: People, row: AiLlm, stella: User, signed_in: SignIn
) -> None:
    shown = {who: signed_in(who).get("/admin/keys/").text for who in (stella, build.person(None, is_staff=True))}
    assert ["prod" in text and "Acme" in text for text in shown.values()] == [True, False]


# --- What is recorded -------------------------------------------------------------------------------------------------


def test_each_look_is_recorded_and_the_owner_reads_who_looked(
    people: People, stella: User, row: AiLlm, signed_in: SignIn
) -> None:
    client = signed_in(stella)
    for path in (
        LIST,
        page(row),
        page(row, "diagnostics"),
        page(row),
        f"/admin/ai_llm/check/{row.checks.get().pk}/change/",
    ):
        assert client.get(path).status_code == 200
    looks = Event.objects.filter(action="staff.looked").order_by("id")
    assert [(look.object_kind, look.details["page"]) for look in looks] == [
        ("workspace", "list"),
        ("aillm", "change"),
        ("aillm", "diagnostics"),
        ("check", "change"),
    ]
    assert {(look.actor_label, look.actor_kind, look.via, look.workspace_id) for look in looks} == {
        ("stella@example.com", "staff", "admin site", people.workspace.pk)
    }
    log = words(signed_in(people.owner).get(f"/w/{people.workspace.slug}/audit").text)
    assert "<strong>prod</strong> looked at by staff" in log
    assert "<strong>prod</strong> had its diagnostics looked at by staff" in log
    assert "is a check that staff looked at" in log
    assert log.count("stella@<wbr>example.<wbr>com") == 4


def test_looking_at_a_key_of_an_application_is_recorded_in_its_workspace(
    people: People, stella: User, row: AiLlm, signed_in: SignIn
) -> None:
    made = build.key(people.writer, build.repository(people.writer, people.workspace, row)).key
    assert signed_in(stella).get(f"/admin/repositories/aiapikey/{made.pk}/change/").status_code == 200
    assert Event.objects.get(action="staff.looked").workspace_id == people.workspace.pk


def test_validating_is_recorded_with_the_name_of_the_person(
    people: People, stella: User, row: AiLlm, signed_in: SignIn
) -> None:
    answer = signed_in(stella).post(page(row, "validate"), follow=True)
    assert "Not decided: " in words(answer.text)
    check = row.checks.order_by("-at")[0]
    assert (check.by, check.cause) == (stella, "secret_unavailable")
    event = Event.objects.get(action="ai_llm.validated")
    assert (event.actor_label, event.actor_kind, event.via) == ("stella@example.com", "staff", "admin site")
    assert event.organization_id == people.organization.pk
    detail = signed_in(people.reader).get(f"/w/{people.workspace.slug}/ai/llm/{row.pk}")
    assert "Stella Staff" in detail.text


def test_disabling_asks_first_and_both_ways_are_recorded(
    people: People, stella: User, row: AiLlm, signed_in: SignIn
) -> None:
    build.key(people.writer, build.repository(people.writer, people.workspace, row))
    client = signed_in(stella)
    asked = words(client.get(page(row, "disable")).text)
    assert "It is in 1 repository; 1 AI API key of applications leads there now." in asked
    row.refresh_from_db()
    assert row.disabled_at is None
    assert "Disabled: prod." in client.post(page(row, "disable"), follow=True).text
    row.refresh_from_db()
    assert row.state == "disabled"
    client.post(page(row, "disable"))  # once more changes and records nothing
    assert "Enabled again: prod." in client.post(page(row, "enable"), follow=True).text
    told = Event.objects.filter(action__in=["ai_llm.disabled", "ai_llm.enabled"]).order_by("id")
    assert [(event.action, event.actor_label, event.actor_kind) for event in told] == [
        ("ai_llm.disabled", "stella@example.com", "staff"),
        ("ai_llm.enabled", "stella@example.com", "staff"),
    ]


def test_support_with_a_role_in_the_workspace_act_as_staff_in_the_admin_site(
    people: People, row: AiLlm, signed_in: SignIn
) -> None:
    verbs.set_standing(people.staff, people.writer, active=True, staff=True)
    signed_in(people.writer).post(page(row, "disable"))
    event = Event.objects.get(action="ai_llm.disabled")
    assert (event.actor_kind, event.via) == ("staff", "admin site")


def test_what_a_verb_refuses_is_said_on_the_page(
    people: People, stella: User, row: AiLlm, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(stella)
    monkeypatch.setattr("ai_llm.validation.CHECKS_A_MINUTE", 0)
    assert "within a minute" in client.post(page(row, "validate"), follow=True).text
    configs.delete(people.writer, row)
    shown = words(client.post(page(row, "disable"), follow=True).text)
    assert "This AI LLM was deleted in the meantime." in shown
    assert "Deleted" in shown
    assert ">Validate<" not in shown
    assert client.get(f"{LIST}{people.reader.pk}/diagnostics/").status_code == 404


# --- What is shown ----------------------------------------------------------------------------------------------------


def test_the_page_tells_state_checks_and_events_in_words(
    people: People, stella: User, row: AiLlm, signed_in: SignIn
) -> None:
    lifecycle.disable(people.writer, row)
    lifecycle.enable(people.writer, row)
    shown = words(signed_in(stella).get(page(row)).text)
    for told in (
        "Needs its secret again",
        "Rejected",
        "The secret is not accepted.",
        "<strong>prod</strong> disabled",
        escape("People of the workspace see in their audit log that you opened this page, and what you do here."),
        ">Validate<",
        "Disable…",
    ):
        assert told in shown


def states(people: People) -> dict[str, AiLlm]:
    """One AI LLM in every state that there is a filter for."""
    made = {name: build.ai_llm(people.writer, people.workspace, name=name) for name in support.FILTERS}
    for verdict in ("accepted", "limited", "rejected", "undecided"):
        AiLlm.objects.filter(pk=made[verdict].pk).update(verdict=verdict)
    AiLlm.objects.filter(pk=made["due"].pk).update(verdict="accepted", due_at=timezone.now() + timedelta(days=3))
    Credential.objects.filter(pk=made["unavailable"].credential_id).update(key_id="gone")
    lifecycle.disable(people.writer, made["disabled"])
    configs.delete(people.writer, made["deleted"])
    return made


def test_the_list_finds_every_state(people: People, stella: User, signed_in: SignIn) -> None:
    made, client = states(people), signed_in(stella)
    bare, keyless = (build.ai_llm(people.writer, people.workspace, name=name) for name in ("bare", "keyless"))
    AiLlm.objects.filter(pk__in=[bare.pk, keyless.pk]).update(credential=None)
    AiLlm.objects.filter(pk=keyless.pk).update(keyless=True)
    also = {"accepted": {"due"}, "unavailable": {"bare"}, "never": {"keyless"}}
    for state in support.FILTERS:
        listed = client.get(LIST, {"state": state}).context["cl"].result_list
        assert {found.name for found in listed} == {state} | also.get(state, set())
    for state in STATES:
        found = AiLlm.objects.select_related("credential").get(pk=made[state].pk)
        assert (found.state, support.state_of(found)) == (state, state)


@pytest.mark.parametrize("term", ["prod", "api.openai", "Main", "acme"])
def test_an_ai_llm_is_found_by_name_endpoint_workspace_and_organization(
    term: str, stella: User, row: AiLlm, signed_in: SignIn
) -> None:
    assert list(signed_in(stella).get(LIST, {"q": term}).context["cl"].result_list) == [row]
    assert list(signed_in(stella).get(LIST, {"q": "elsewhere"}).context["cl"].result_list) == []


def test_the_way_to_the_console_is_for_those_who_see_the_workspace_there(
    people: People, stella: User, row: AiLlm, signed_in: SignIn
) -> None:
    verbs.set_standing(people.staff, people.reader, active=True, staff=True)
    link = f'href="/w/{people.workspace.slug}/ai/llm/{row.pk}"'
    assert [link in signed_in(who).get(page(row)).text for who in (stella, people.reader)] == [False, True]
    place, link = f"/admin/workspaces/workspace/{people.workspace.pk}/change/", f'href="/w/{people.workspace.slug}/ai"'
    assert [link in signed_in(who).get(place).text for who in (stella, people.reader)] == [False, True]


def test_the_bundle_is_there_as_a_page_as_text_and_as_json(stella: User, row: AiLlm, signed_in: SignIn) -> None:
    client, address = signed_in(stella), page(row, "diagnostics")
    shown = client.get(address)
    assert shown.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "Diagnostics of prod" in shown.text
    text = client.get(address, {"format": "txt"})
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    given = client.get(address, {"format": "json"})
    assert given.headers["Content-Disposition"] == f'attachment; filename="diagnostics-{row.pk}.json"'
    bundle = json.loads(given.content)
    assert bundle["ai_llm"]["state"] == "Needs its secret again"
    assert bundle["credential"]["state"] == "no key of this installation opens it"
    assert [check["cause"] for check in bundle["checks"]] == ["key_rejected"]


# --- No secret --------------------------------------------------------------------------------------------------------


def everything(people: People, row: AiLlm) -> Iterator[str]:
    yield "/admin/"
    yield "/admin/keys/"
    yield from (page(row), page(row, "history"), page(row, "disable"))
    yield from (f"{page(row, 'diagnostics')}{query}" for query in ("", "?format=json", "?format=txt"))
    for model, key in (
        ("ai_llm/check", row.checks.all()[0].pk),
        ("workspaces/user", people.writer.pk),
        ("workspaces/workspace", people.workspace.pk),
        ("workspaces/organization", people.organization.pk),
        ("workspaces/membership", people.workspace.memberships.all()[0].pk),
        ("workspaces/event", Event.objects.all()[0].pk),
    ):
        yield from (f"/admin/{model}/", f"/admin/{model}/{key}/change/")
    yield from (f"{LIST}?state={state}" for state in support.FILTERS)


def test_no_page_shows_a_secret_a_hash_provider_text_or_notes(
    people: People, stella: User, row: AiLlm, signed_in: SignIn
) -> None:
    held = Credential.objects.get(pk=row.credential_id)
    envelope = column(held)
    client = signed_in(stella)
    for path in everything(people, row):
        answer = client.get(path)
        assert (answer.status_code, path) == (200, path)
        text = answer.content.decode()
        hidden = (build.SECRET, build.SECRET[:12], envelope[:40], held.fingerprint, people.writer.password, EXCERPT)
        assert [secret for secret in (*hidden, "ask Ada", "gAAAA", "md5$") if secret in text] == [], path


def test_no_page_of_tenants_even_reads_them(people: People, stella: User, row: AiLlm, signed_in: SignIn) -> None:
    client = signed_in(stella)
    for path in everything(people, row):
        if path == "/admin/keys/":  # it has to tell an empty column from a full one
            continue
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        asked = [query["sql"].partition(" FROM ")[0] for query in queries if query["sql"].startswith("SELECT")]
        sealed = ('credential"."secret"', 'credential"."key"', '"excerpt"', '"notes"')
        assert [sql for sql in asked if any(f in sql for f in sealed)] == [], path


def test_nothing_is_set_through_any_of_the_pages(people: People, stella: User, row: AiLlm, signed_in: SignIn) -> None:
    client, before = signed_in(stella), Credential.objects.values().get()
    given = {"secret": "sk-planted-0123456789abcdef", "key": "x", "credential": "", "endpoint": "https://evil.example"}
    for name in ("change", "delete", "history", "validate", "disable", "enable", "diagnostics"):
        client.post(page(row, name), given)
    client.post(f"{LIST}add/", given)
    row.refresh_from_db()
    assert (Credential.objects.values().get(), row.endpoint) == (before, "https://api.openai.com/v1")


# --- The command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder of this test's own, no terminal, and a password in the environment."""
    settings.DATA_DIR, settings.KEYS_PENDING = tmp_path / "data", []
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    monkeypatch.setenv(createstaff.VARIABLE, build.PASSWORD)


def createstaff_says(**given: str) -> str:
    told = io.StringIO()
    call_command("createstaff", stdout=told, **given)
    return told.getvalue()


def test_the_command_makes_support_staff_who_can_sign_in(folder: None) -> None:
    said = createstaff_says(email="Sue@Example.com ", name="Sue Support")
    assert said == f"sue@example.com belongs to Support. Sign in at {django_settings.PUBLIC_URL}/admin/\n"
    sue = User.objects.get()
    assert (sue.is_staff, sue.is_superuser, sue.organization, sue.name) == (True, False, None, "Sue Support")
    assert sue.check_password(build.PASSWORD)
    event = Event.objects.get()
    assert (event.action, event.actor_kind, event.details) == ("person.created", "command", {"role": "Support"})
    client = Client()
    assert client.post("/account/login", {"login": sue.email, "password": build.PASSWORD}).status_code == 303
    assert client.get(LIST).status_code == 200


def test_the_command_adds_somebody_who_is_there_and_asks_for_no_password(
    people: People, folder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(createstaff.VARIABLE)
    for _ in range(2):
        assert "belongs to Support" in createstaff_says(email=people.reader.email)
    reader = User.objects.get(pk=people.reader.pk)
    assert (reader.is_staff, reader.password) == (True, people.reader.password)
    event = Event.objects.get()
    assert (event.action, event.organization_id) == ("person.standing_changed", people.organization.pk)
    assert event.details == {"staff": [False, True], "group": "Support"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"email": "no address"}, "--email: Enter an e-mail address"),
        ({"email": "sue@example.com", "name": "x" * 200}, "--name: "),
        ({"email": "off@example.com"}, "off@example.com is not active."),
    ],
)
def test_the_command_changes_nothing_and_says_why(given: dict[str, str], said: str, folder: None) -> None:
    User.objects.create_user("off@example.com", build.PASSWORD, is_active=False)
    with pytest.raises(CommandError, match=said):
        createstaff_says(**given)
    assert (User.objects.count(), Event.objects.count()) == (1, 0)


def test_the_command_refuses_a_weak_password(folder: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(createstaff.VARIABLE, "tiny")
    with pytest.raises(CommandError, match="Nothing was changed"):
        createstaff_says(email="sue@example.com")
    assert not User.objects.exists()


def test_an_owner_stays_one_when_they_join_support(folder: None) -> None:
    owner = organizations.found(
        organization="Acme", workspace="Main", email="o@example.com", name="", password=build.PASSWORD
    )
    createstaff_says(email="o@example.com")
    assert access.of(User.objects.get(), owner.last_workspace) == access.Access.ADMIN
