"""The table: every route times every kind of person. A route that is missing from it fails the suite."""

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from ai_llm.models import AiLlm
from tests import build
from tests.conftest import People
from workspaces import access
from workspaces.access import Access, OrganizationRole
from workspaces.models import User, Workspace

PEOPLE = ("anonymous", "owner", "admin", "writer", "reader", "outsider", "stranger", "staff")
SIGN_IN = 302  # anonymous people are led to the sign-in page


def row(method: str, path: str, *statuses: int) -> tuple[str, str, dict[str, int]]:
    return method, path, dict(zip(PEOPLE, statuses, strict=True))


def same(method: str, path: str, signed_in: int, anonymous: int = SIGN_IN) -> tuple[str, str, dict[str, int]]:
    return row(method, path, anonymous, *[signed_in] * 7)


def reads(method: str, path: str, status: int = 200) -> tuple[str, str, dict[str, int]]:
    return row(method, path, SIGN_IN, status, status, status, status, 404, 404, 404)


def writes(method: str, path: str, status: int) -> tuple[str, str, dict[str, int]]:
    return row(method, path, SIGN_IN, status, status, status, 403, 404, 404, 404)


def manages(method: str, path: str, status: int) -> tuple[str, str, dict[str, int]]:
    return row(method, path, SIGN_IN, status, status, 403, 403, 404, 404, 404)


def public(method: str, path: str, status: int, *signed_in: int) -> tuple[str, str, dict[str, int]]:
    return row(method, path, status, *(signed_in or [status] * 7))


TABLE = {
    "home": [row("GET", "/", SIGN_IN, 302, 302, 302, 302, 200, 302, 200)],
    "account": [same("GET", "/account", 200)],
    "account_login": [public("GET", "/account/login", 200, *[302] * 7)],
    "account_logout": [public("GET", "/account/logout", 302, *[200] * 7)],
    "account_inactive": [public("GET", "/account/inactive", 200)],
    "account_reauthenticate": [same("GET", "/account/reauthenticate", 200)],
    "account_change_password": [same("GET", "/account/password/change", 200)],
    "account_set_password": [same("GET", "/account/password/set", 302)],
    "account_reset_password": [public("GET", "/account/password/reset", 200)],
    "account_reset_password_done": [public("GET", "/account/password/reset/done", 200)],
    "account_reset_password_from_key": [public("GET", "/account/password/reset/key/1-abc", 200)],
    "account_reset_password_from_key_done": [public("GET", "/account/password/reset/key/done", 200)],
    "setup": [public("GET", "/setup/none", 410)],
    "admin": [same("GET", "/admin", 302)],
    "workspaces": [same("GET", "/organization/workspaces", 200)],
    "workspace_new": [
        row("GET", "/organization/workspaces/new", SIGN_IN, 200, 403, 403, 403, 403, 200, 403),
        row("POST", "/organization/workspaces/new", SIGN_IN, 422, 403, 403, 403, 403, 422, 403),
    ],
    "workspace_settings": [reads("GET", "/w/{slug}/settings"), manages("POST", "/w/{slug}/settings", 422)],
    "members": [reads("GET", "/w/{slug}/members")],
    "member_add": [
        manages("GET", "/w/{slug}/members/add", 200),
        manages("POST", "/w/{slug}/members/add", 422),
    ],
    "member_role": [
        manages("GET", "/w/{slug}/members/{reader}/role", 303),
        manages("POST", "/w/{slug}/members/{reader}/role", 422),
        manages("POST", "/w/{slug}/members/{outsider}/role", 404),
    ],
    "member_remove": [
        manages("GET", "/w/{slug}/members/{reader}/remove", 200),
        manages("POST", "/w/{slug}/members/{only_admin}/remove", 422),
        manages("POST", "/w/{slug}/members/{outsider}/remove", 404),
    ],
    "overview": [reads("GET", "/w/{slug}/ai")],
    "activity": [reads("GET", "/w/{slug}/ai/activity?about={id}")],
    "ai_llms": [reads("GET", "/w/{slug}/ai/llm")],
    "ai_llms_validate": [
        writes("GET", "/w/{slug}/ai/llm/validate?ids={id}", 200),
        writes("POST", "/w/{slug}/ai/llm/validate?ids={unreadable}", 303),
    ],
    "ai_llm_new": [
        writes("GET", "/w/{slug}/ai/llm/new", 200),
        writes("GET", "/w/{slug}/ai/llm/new?type=OPENAI", 200),
        writes("POST", "/w/{slug}/ai/llm/new?type=OPENAI", 422),
    ],
    "ai_llm_examine": [writes("POST", "/w/{slug}/ai/llm/new/examine", 422)],
    "ai_llm": [reads("GET", "/w/{slug}/ai/llm/{id}")],
    "ai_llm_edit": [
        writes("GET", "/w/{slug}/ai/llm/{id}/edit", 200),
        writes("POST", "/w/{slug}/ai/llm/{id}/edit", 422),
    ],
    "ai_llm_rotate": [
        writes("GET", "/w/{slug}/ai/llm/{id}/rotate", 200),
        writes("POST", "/w/{slug}/ai/llm/{id}/rotate", 422),
    ],
    "ai_llm_validate": [writes("POST", "/w/{slug}/ai/llm/{unreadable}/validate", 303)],
    "ai_llm_delete": [
        writes("GET", "/w/{slug}/ai/llm/{id}/delete", 200),
        writes("POST", "/w/{slug}/ai/llm/{id}/delete", 422),
    ],
}
ELSEWHERE = ("admin:",)  # the admin site has its own table in test_admin.py


def route_names(patterns: list[URLPattern | URLResolver], prefix: str = "") -> list[str]:
    names: list[str] = []
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            space = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            names += route_names(pattern.url_patterns, space)
        else:
            names.append(f"{prefix}{pattern.name or pattern.pattern}")
    return names


def test_every_route_is_in_the_table() -> None:
    names = {name for name in route_names(get_resolver().url_patterns) if not name.startswith(ELSEWHERE)}
    assert names == set(TABLE)


CASES = [(name, *case) for name, cases in TABLE.items() for case in cases]


@pytest.fixture
def unreadable(people: People) -> AiLlm:
    """A row whose secret cannot be opened: validating it sends nothing, so the table needs no provider."""
    found = build.ai_llm(people.writer, people.workspace, name="unreadable")
    type(found.credential).objects.filter(pk=found.credential_id).update(key_id="gone")
    return found


@pytest.mark.parametrize(("name", "method", "path", "expected"), CASES, ids=[f"{c[1]} {c[2]}" for c in CASES])
def test_the_table(
    name: str,
    method: str,
    path: str,
    expected: dict[str, int],
    people: People,
    unreadable: AiLlm,
    signed_in: Callable[[User], Client],
) -> None:
    found = build.ai_llm(people.writer, people.workspace)
    members = {"reader": people.reader.pk, "outsider": people.outsider.pk, "only_admin": people.admin.pk}
    address = path.format(slug=people.workspace.slug, id=found.pk, unreadable=unreadable.pk, **members)
    got = {}
    for who in PEOPLE:
        client = Client() if who == "anonymous" else signed_in(getattr(people, who))
        got[who] = client.generic(method, address, content_type="application/x-www-form-urlencoded").status_code
    assert got == expected


def test_foreign_and_never_existed_read_the_same(people: People, signed_in: Callable[[User], Client]) -> None:
    foreign = build.ai_llm(people.stranger, people.strange_workspace)
    client = signed_in(people.writer)
    answers = [
        client.get(f"/w/{people.workspace.slug}/ai/llm/{foreign.pk}"),
        client.get(f"/w/{people.workspace.slug}/ai/llm/{uuid4()}"),
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    pages = [re.sub(r'(csrfmiddlewaretoken" value|X-CSRFToken&quot;: ?)\S+', "", a.content.decode()) for a in answers]
    assert (
        re.findall(r"<main.*</main>", pages[0], re.DOTALL) == re.findall(r"<main.*</main>", pages[1], re.DOTALL) != []
    )


def test_a_row_is_only_found_under_its_own_workspace(people: People, signed_in: Callable[[User], Client]) -> None:
    second = build.workspace(people.organization, "Second")
    found = build.ai_llm(people.owner, second)
    assert signed_in(people.owner).get(f"/w/{people.workspace.slug}/ai/llm/{found.pk}").status_code == 404


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("owner", Access.ADMIN),
        ("admin", Access.ADMIN),
        ("writer", Access.WRITE),
        ("reader", Access.READ),
        ("outsider", None),
        ("stranger", None),
        ("staff", None),
    ],
)
def test_what_each_person_may_do(who: str, expected: Access | None, people: People) -> None:
    assert access.of(getattr(people, who), people.workspace) == expected


@pytest.mark.parametrize("role", list(OrganizationRole))
def test_only_administrators_and_owners_are_admin_everywhere(role: OrganizationRole, people: People) -> None:
    person = build.person(people.organization, role=role)
    everywhere = role >= OrganizationRole.ADMINISTRATOR
    assert access.of(person, people.workspace) == (Access.ADMIN if everywhere else None)
    assert list(Workspace.objects.visible_to(person)) == ([people.workspace] if everywhere else [])


def test_a_deactivated_person_sees_nothing(people: People) -> None:
    people.owner.is_active = False
    assert access.of(people.owner, people.workspace) is None
    assert list(Workspace.objects.visible_to(people.owner)) == []
    assert list(AiLlm.objects.visible_to(people.owner)) == []


def test_a_changed_role_counts_at_the_next_request(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.writer)
    address = f"/w/{people.workspace.slug}/ai/llm/new"
    assert client.get(address).status_code == 200
    people.writer.memberships.update(role="READ")
    assert client.get(address).status_code == 403
    people.writer.memberships.all().delete()
    assert client.get(address).status_code == 404
