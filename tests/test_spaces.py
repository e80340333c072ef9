"""Workspaces: creating, renaming, the slug in the address, old addresses, switching, and who may."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from flashback.errors import Conflict, Denied, Invalid
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces import spaces
from workspaces.access import OrganizationRole
from workspaces.models import Event, FormerSlug, Membership, User, Workspace

SignIn = Callable[[User], Client]


def main(response: HttpResponse) -> str:
    found = re.search(r"<main.*</main>", response.content.decode(), re.DOTALL)
    assert found is not None
    return found.group()


def last_event() -> tuple[str, str, str, dict[str, object]]:
    event = Event.objects.order_by("id").last()
    assert event is not None
    return event.action, event.actor_label, event.object_label, event.details


@pytest.fixture
def main_workspace(people: People) -> Workspace:
    return spaces.create(people.owner, people.organization, name="Platform")


# --- Creating ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", list(OrganizationRole))
def test_the_role_workspaces_and_higher_may_create_one(role: OrganizationRole, people: People) -> None:
    person = build.person(people.organization, role=role)
    if role < OrganizationRole.WORKSPACES:
        with pytest.raises(Denied, match="organization role Workspaces"):
            spaces.create(person, people.organization, name="New")
        assert not Workspace.objects.filter(name="New").exists()
    else:
        assert spaces.create(person, people.organization, name="New").slug == "new"


def test_whoever_creates_a_workspace_becomes_its_admin(people: People) -> None:
    person = build.person(people.organization, role=OrganizationRole.WORKSPACES)
    made = spaces.create(person, people.organization, name="  New \n one ")
    assert list(Membership.objects.filter(workspace=made).values_list("user", "role")) == [(person.pk, "ADMIN")]
    assert last_event() == ("workspace.created", person.email, "New one", {})


def test_nobody_creates_one_in_a_foreign_organization(people: People) -> None:
    with pytest.raises(Denied):
        spaces.create(people.stranger, people.organization, name="New")


@pytest.mark.parametrize("name", ["Platform", "PLATFORM", " platform", "Ｐｌａｔｆｏｒｍ"])
def test_names_are_unique_in_an_organization(name: str, people: People, main_workspace: Workspace) -> None:
    with pytest.raises(Invalid) as refused:
        spaces.create(people.owner, people.organization, name=name)
    assert refused.value.errors == {"name": spaces.SAME_NAME}
    assert spaces.create(people.stranger, people.strange_workspace.organization, name=name)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Platform", "platform"),
        ("Team Änderung & Co.", "team-anderung-co"),
        ("a" * 120, "a" * 50),
        ("東京", "workspace-[0-9a-f]{4}"),
        ("!!!", "workspace-[0-9a-f]{4}"),
        ("_-_", "workspace-[0-9a-f]{4}"),
        ("members", "members"),
    ],
)
def test_the_slug_comes_from_the_name(name: str, slug: str, people: People) -> None:
    assert re.fullmatch(slug, spaces.create(people.owner, people.organization, name=name).slug)


def test_names_with_the_same_slug_get_a_number(people: People) -> None:
    made = [spaces.create(people.owner, people.organization, name=name).slug for name in ("A b", "A-b", "a b!", "A")]
    assert made == ["a-b", "a-b-2", "a-b-3", "a"]


# --- Renaming ---------------------------------------------------------------------------------------------------------


def test_a_new_name_brings_a_new_slug_and_the_old_one_is_kept_for_redirects(
    people: People, main_workspace: Workspace
) -> None:
    row = spaces.rename(people.owner, main_workspace, name="Research")
    row.refresh_from_db()
    assert (row.name, row.name_key, row.slug) == ("Research", "research", "research")
    assert list(FormerSlug.objects.values_list("organization", "workspace", "slug")) == [
        (people.organization.pk, row.pk, "platform")
    ]
    changed = {"name": ["Platform", "Research"], "slug": ["platform", "research"]}
    assert last_event() == ("workspace.renamed", people.owner.email, "Research", changed)


def test_the_slug_can_stay(people: People, main_workspace: Workspace) -> None:
    row = spaces.rename(people.owner, main_workspace, name="Research", keep_slug=True)
    assert (row.name, row.slug, FormerSlug.objects.count()) == ("Research", "platform", 0)
    assert last_event()[3] == {"name": ["Platform", "Research"]}


def test_nothing_to_change_records_nothing(people: People, main_workspace: Workspace) -> None:
    before = Event.objects.count()
    for keep in (True, False):
        assert spaces.rename(people.owner, main_workspace, name=" Platform ", keep_slug=keep).slug == "platform"
    assert (Event.objects.count(), FormerSlug.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    ("names", "slugs"),
    [
        (["Platform", "PLATFORM"], ["platform", "platform"]),
        (["東京", "大阪", "Osaka", "東京"], ["workspace-x", "workspace-x", "osaka", "workspace-y"]),
        (["A", "B", "A"], ["a", "b", "a"]),
        (["A-b", "A b"], ["a-b", "a-b"]),
    ],
)
def test_the_slug_changes_only_when_the_name_leads_elsewhere(
    names: list[str], slugs: list[str], people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = iter("xy")
    monkeypatch.setattr("workspaces.spaces.secrets.token_hex", lambda _: next(words))
    row = spaces.create(people.owner, people.organization, name=names[0])
    made = [row.slug]
    for name in names[1:]:
        row = spaces.rename(people.owner, row, name=name)
        made.append(row.slug)
    assert made == slugs
    former = set(FormerSlug.objects.values_list("slug", flat=True))
    assert former == set(slugs) - {slugs[-1]}


def test_a_numbered_slug_stays_when_nothing_else_changes(people: People) -> None:
    spaces.create(people.owner, people.organization, name="A b")
    second = spaces.create(people.owner, people.organization, name="A-b")
    assert spaces.rename(people.owner, second, name="A-B").slug == "a-b-2"


def test_a_slug_that_redirects_is_never_given_away(people: People, main_workspace: Workspace) -> None:
    spaces.rename(people.owner, main_workspace, name="Research")
    assert spaces.create(people.owner, people.organization, name="Platform").slug == "platform-2"
    third = spaces.create(people.owner, people.organization, name="Third")
    assert spaces.rename(people.owner, third, name="Platform!").slug == "platform-3"
    assert spaces.create(people.stranger, people.strange_workspace.organization, name="Platform").slug == "platform"


@pytest.mark.parametrize("who", ["writer", "reader", "outsider", "stranger", "staff"])
def test_only_an_admin_renames(who: str, people: People) -> None:
    with pytest.raises(Denied):
        spaces.rename(getattr(people, who), people.workspace, name="Mine")
    people.workspace.refresh_from_db()
    assert people.workspace.name == "Main"


def test_a_name_of_another_workspace_is_refused(people: People, main_workspace: Workspace) -> None:
    with pytest.raises(Invalid) as refused:
        spaces.rename(people.owner, main_workspace, name="MAIN")
    assert refused.value.errors == {"name": spaces.SAME_NAME}


def test_of_two_who_rename_at_once_the_second_is_told(people: People, main_workspace: Workspace) -> None:
    spaces.rename(people.owner, main_workspace, name="Research", was="Platform")
    with pytest.raises(Conflict, match="renamed this workspace to Research"):
        spaces.rename(people.owner, main_workspace, name="Ops", was="Platform")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_at_the_same_moment_no_slug_is_given_twice(people: People) -> None:
    def create(number: int) -> str:
        try:
            return spaces.create(people.owner, people.organization, name="A" + "!" * number).slug
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        slugs = sorted(pool.map(create, range(4)))
    assert slugs == ["a", "a-2", "a-3", "a-4"]


# --- The old address --------------------------------------------------------------------------------------------------


@pytest.fixture
def renamed(people: People) -> str:
    """The slug that the workspace had before; it is called research now."""
    before = people.workspace.slug
    people.workspace.name = spaces.rename(people.owner, people.workspace, name="Research").name
    return before


@pytest.mark.parametrize("rest", ["ai", "ai/llm?q=a%20b&type=OPENAI&page=2", "members", "settings"])
def test_an_old_address_leads_to_the_same_page(rest: str, people: People, renamed: str, signed_in: SignIn) -> None:
    answer = signed_in(people.reader).get(f"/w/{renamed}/{rest}")
    assert (answer.status_code, answer["Location"]) == (308, f"/w/research/{rest}")
    assert "no-store" in answer["Cache-Control"]


def test_an_old_address_of_one_row_leads_to_the_row(people: People, renamed: str, signed_in: SignIn) -> None:
    found = build.ai_llm(people.owner, Workspace.objects.get(slug="research"))
    answer = signed_in(people.reader).get(f"/w/{renamed}/ai/llm/{found.pk}", follow=True)
    assert answer.redirect_chain == [(f"/w/research/ai/llm/{found.pk}", 308)]
    assert answer.status_code == 200


@pytest.mark.parametrize("who", ["outsider", "stranger", "staff"])
def test_an_old_address_says_nothing_to_others(who: str, people: People, renamed: str, signed_in: SignIn) -> None:
    client = signed_in(getattr(people, who))
    answers = [client.get(f"/w/{slug}/ai") for slug in (renamed, "research", "never-existed")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert main(answers[0]) == main(answers[1]) == main(answers[2])


def test_a_form_that_was_open_during_the_renaming_arrives(people: People, renamed: str, signed_in: SignIn) -> None:
    answer = signed_in(people.admin).post(f"/w/{renamed}/settings", {"name": "Ops"}, follow=True)
    assert answer.redirect_chain == [("/w/research/settings", 308), ("/w/ops/settings", 303)]
    assert Workspace.objects.get(slug="ops").name == "Ops"


def test_every_old_address_leads_to_the_newest(people: People, renamed: str, signed_in: SignIn) -> None:
    spaces.rename(people.owner, Workspace.objects.get(slug="research"), name="Ops")
    for slug in (renamed, "research"):
        assert signed_in(people.reader).get(f"/w/{slug}/ai")["Location"] == "/w/ops/ai"


def test_a_workspace_can_take_its_old_address_back(people: People, signed_in: SignIn) -> None:
    row = spaces.create(people.owner, people.organization, name="A")
    for name in ("B", "A"):
        row = spaces.rename(people.owner, row, name=name)
    client = signed_in(people.owner)
    assert client.get("/w/a/ai").status_code == 200
    assert client.get("/w/b/ai")["Location"] == "/w/a/ai"


def test_with_htmx_an_old_address_redirects_too(people: People, renamed: str, signed_in: SignIn) -> None:
    answer = signed_in(people.reader).get(f"/w/{renamed}/ai", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["Location"]) == (308, "/w/research/ai")


# --- The pages --------------------------------------------------------------------------------------------------------


def test_creating_leads_into_the_new_workspace(people: People, signed_in: SignIn) -> None:
    client = signed_in(people.owner)
    answer = client.post("/organization/workspaces/new", {"name": "Platform"}, follow=True)
    assert answer.redirect_chain == [("/w/platform/ai", 303)]
    assert "The workspace Platform is there, and you are its ADMIN." in text(answer)
    assert client.get("/").headers["Location"] == "/w/platform/ai"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "Enter a workspace name"),
        ("main", "already has a workspace with this name"),
        ("x" * 300, "has 300 characters; at most 120"),
        ("a\u202eb", "U+202E"),
        ("a\0b", "Null characters"),
    ],
)
def test_a_refused_name_comes_back_with_what_to_do(name: str, says: str, people: People, signed_in: SignIn) -> None:
    client = signed_in(people.owner)
    for path in ("/organization/workspaces/new", f"/w/{build.workspace(people.organization).slug}/settings"):
        answer = client.post(path, {"name": name})
        assert (answer.status_code, says in text(answer)) == (422, True)
        assert answer.context["form"]["name"].value() == name


def test_renaming_leads_to_the_new_address(people: People, signed_in: SignIn) -> None:
    client, slug = signed_in(people.admin), people.workspace.slug
    page = client.get(f"/w/{slug}/settings").content.decode()
    assert '<input type="hidden" name="was" value="Main">' in page
    answer = client.post(f"/w/{slug}/settings", {"name": "Ops", "was": "Main"}, follow=True)
    assert answer.redirect_chain == [("/w/ops/settings", 303)]
    assert f"/w/{slug}" in text(answer)
    answer = client.post("/w/ops/settings", {"name": "Research", "keep_slug": "on", "was": "Ops"}, follow=True)
    assert answer.redirect_chain == [("/w/ops/settings", 303)]


def test_a_slug_that_was_kept_stays_unless_one_says_otherwise(people: People, signed_in: SignIn) -> None:
    row = spaces.create(people.owner, people.organization, name="A")
    client = signed_in(people.owner)
    assert client.get("/w/a/settings").context["form"]["keep_slug"].value() is False
    spaces.rename(people.owner, row, name="B", keep_slug=True)
    assert client.get("/w/a/settings").context["form"]["keep_slug"].value() is True


def test_whoever_was_slower_sees_the_new_name_and_can_save_again(people: People, signed_in: SignIn) -> None:
    spaces.rename(people.owner, people.workspace, name="Research", keep_slug=True)
    client, path = signed_in(people.admin), f"/w/{people.workspace.slug}/settings"
    answer = client.post(path, {"name": "Ops", "was": "Main"})
    assert answer.status_code == 422
    assert "Somebody else renamed this workspace to Research" in text(answer)
    assert '<input type="hidden" name="was" value="Research">' in answer.content.decode()
    assert client.post(path, {"name": "Ops", "was": "Research"}).status_code == 303


def test_a_reader_sees_the_settings_without_the_form(people: People, signed_in: SignIn) -> None:
    page = signed_in(people.reader).get(f"/w/{people.workspace.slug}/settings")
    assert "An ADMIN of this workspace can rename it." in text(page)
    assert "<form" not in main(page)


def test_the_list_shows_what_one_may_see_and_the_own_role(people: People, signed_in: SignIn) -> None:
    hidden = spaces.create(people.owner, people.organization, name="Hidden")
    build.person(people.organization, member_of=hidden)

    def shown(who: User) -> list[tuple[str, str, int]]:
        rows = signed_in(who).get("/organization/workspaces").context["page"].object_list
        return [(row.name, row.own_role, row.people) for row in rows]

    assert shown(people.reader) == [("Main", "READ", 3)]
    assert shown(people.owner) == [("Hidden", "ADMIN", 2), ("Main", "", 3)]
    assert shown(people.outsider) == []


def test_who_has_no_workspace_is_told_what_to_do(people: People, signed_in: SignIn) -> None:
    manager = build.person(people.organization, role=OrganizationRole.WORKSPACES)
    for path in ("/", "/organization/workspaces"):
        assert "/organization/workspaces/new" in main(signed_in(manager).get(path))
        page = signed_in(people.outsider).get(path)
        assert "/organization/workspaces/new" not in page.content.decode()
        assert "can add you" in text(page)


def test_only_who_may_create_sees_the_way(people: People, signed_in: SignIn) -> None:
    path = f"/w/{people.workspace.slug}/ai"
    shown = {who: "New workspace" in text(signed_in(getattr(people, who)).get(path)) for who in ("owner", "admin")}
    assert shown == {"owner": True, "admin": False}


def test_the_menu_stays_on_pages_without_a_workspace_in_their_address(people: People, signed_in: SignIn) -> None:
    client, menu = signed_in(people.reader), f'href="/w/{people.workspace.slug}/members"'
    assert menu not in client.get("/account").content.decode()
    client.get(f"/w/{people.workspace.slug}/ai")
    for path in ("/account", "/organization/workspaces", "/w/never-existed/ai"):
        assert menu in client.get(path).content.decode()
    Membership.objects.filter(user=people.reader).delete()
    assert menu not in client.get("/account").content.decode()


def test_switching_is_a_link_and_is_remembered(people: People, signed_in: SignIn) -> None:
    client, slug = signed_in(people.owner), people.workspace.slug
    second = spaces.create(people.owner, people.organization, name="Second")
    assert f'href="/w/{second.slug}/ai"' in client.get(f"/w/{slug}/ai").content.decode()
    client.get(f"/w/{second.slug}/ai")
    assert client.get("/")["Location"] == "/w/second/ai"


def test_the_list_costs_the_same_with_many_workspaces(people: People, signed_in: SignIn) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/organization/workspaces").status_code == 200
        return len(captured)

    client = signed_in(people.owner)
    client.get("/organization/workspaces")
    one = queries()
    for number in range(5):
        spaces.create(people.owner, people.organization, name=f"Workspace {number}")
    assert queries() == one <= 8
