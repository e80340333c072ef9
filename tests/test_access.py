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
from tests.test_sealed import column, store
from workspaces import access, events, invitations, rights, tokens
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


def staffed(method: str, path: str, status: int) -> tuple[str, str, dict[str, int]]:
    """For who manages people of this organization: here its owner alone. The stranger manages another one."""
    return row(method, path, SIGN_IN, status, 403, 403, 403, 403, 404, 403)


def belongs(method: str, path: str, status: int) -> tuple[str, str, dict[str, int]]:
    """For everybody in an organization."""
    return row(method, path, SIGN_IN, status, status, status, status, status, status, 403)


def administers(method: str, path: str, status: int) -> tuple[str, str, dict[str, int]]:
    """Of one's own organization: the owners of both have theirs."""
    return row(method, path, SIGN_IN, status, 403, 403, 403, 403, status, 403)


def public(method: str, path: str, status: int, *signed_in: int) -> tuple[str, str, dict[str, int]]:
    return row(method, path, status, *(signed_in or [status] * 7))


REPOSITORY = "/w/{slug}/repositories/{repository}"
KEY = REPOSITORY + "/keys/{api_key}"
PERSON = "/organization/people/{reader}"
INVITATION = "/organization/invitations/{invitation}"
TABLE = {
    "home": [row("GET", "/", SIGN_IN, 302, 302, 302, 302, 200, 302, 200)],
    "metrics": [public("GET", "/metrics", 404)],
    "help": [same("GET", "/help", 200)],
    "help_section": [same("GET", "/help/troubleshooting", 200), same("GET", "/help/nothing", 404)],
    "account": [same("GET", "/account", 200), same("POST", "/account", 422)],
    "account_theme": [same("POST", "/account/theme", 422)],
    "email_change": [same("GET", "/account/email", 200), same("POST", "/account/email", 422)],
    "email_confirm": [public("GET", "/account/email/confirm/none", 410)],
    "account_sessions": [same("GET", "/account/sessions", 200)],
    "account_sessions_end": [same("POST", "/account/sessions/end", 303)],
    "account_session_end": [same("POST", "/account/sessions/none/end", 303)],
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
    "mfa_index": [same("GET", "/account/2fa", 200)],
    "mfa_authenticate": [public("GET", "/account/2fa/authenticate", 302)],
    "mfa_reauthenticate": [same("GET", "/account/2fa/reauthenticate", 302)],
    "mfa_activate_totp": [
        same("GET", "/account/2fa/totp/activate", 200),
        same("POST", "/account/2fa/totp/activate", 422),
    ],
    "mfa_deactivate_totp": [
        same("GET", "/account/2fa/totp/deactivate", 200),
        same("POST", "/account/2fa/totp/deactivate", 422),
    ],
    "mfa_generate_recovery_codes": [
        same("GET", "/account/2fa/recovery-codes/generate", 200),
        same("POST", "/account/2fa/recovery-codes/generate", 409),
    ],
    "mfa_download_recovery_codes": [same("POST", "/account/2fa/recovery-codes/download", 303)],
    "organization_security": [
        administers("GET", "/organization/security", 200),
        administers("POST", "/organization/security", 422),
    ],
    "setup": [public("GET", "/setup/none", 410)],
    "invitation": [public("GET", "/invitation/none", 404)],
    "organization": [belongs("GET", "/organization", 200), administers("POST", "/organization", 422)],
    "roles": [belongs("GET", "/organization/roles", 200)],
    "people": [administers("GET", "/organization/people", 200)],
    "person": [staffed("GET", f"{PERSON}", 200)],
    "person_name": [staffed("GET", f"{PERSON}/name", 303), staffed("POST", f"{PERSON}/name", 303)],
    "person_role": [staffed("GET", f"{PERSON}/role", 303), staffed("POST", f"{PERSON}/role", 422)],
    "person_deactivate": [staffed("GET", f"{PERSON}/deactivate", 200)],
    "person_reactivate": [staffed("GET", f"{PERSON}/reactivate", 303), staffed("POST", f"{PERSON}/reactivate", 303)],
    "person_ownership": [staffed("GET", f"{PERSON}/ownership", 200)],
    "invitations": [administers("GET", "/organization/invitations", 200)],
    "invitation_new": [
        administers("GET", "/organization/invitations/new", 200),
        administers("POST", "/organization/invitations/new", 422),
    ],
    "invitation_detail": [staffed("GET", INVITATION, 200)],
    "invitation_resend": [staffed("GET", f"{INVITATION}/resend", 303), staffed("POST", f"{INVITATION}/resend", 200)],
    "invitation_withdraw": [
        staffed("GET", f"{INVITATION}/withdraw", 303),
        staffed("POST", f"{INVITATION}/withdraw", 303),
    ],
    "workspace_delete": [manages("GET", "/w/{slug}/delete", 200), manages("POST", "/w/{slug}/delete", 422)],
    "admin": [same("GET", "/admin", 302)],
    "admin:ai_llm_aillm_validate": [
        row("POST", "/admin/ai_llm/aillm/{unreadable}/validate/", *[SIGN_IN] * 7, 303),
        row("GET", "/admin/ai_llm/aillm/{unreadable}/validate/", *[SIGN_IN] * 7, 405),
    ],
    "admin:ai_llm_aillm_disable": [
        row("GET", "/admin/ai_llm/aillm/{id}/disable/", *[SIGN_IN] * 7, 200),
        row("POST", "/admin/ai_llm/aillm/{id}/disable/", *[SIGN_IN] * 7, 303),
    ],
    "admin:ai_llm_aillm_enable": [row("POST", "/admin/ai_llm/aillm/{id}/enable/", *[SIGN_IN] * 7, 303)],
    "admin:ai_llm_aillm_diagnostics": [row("GET", "/admin/ai_llm/aillm/{id}/diagnostics/", *[SIGN_IN] * 7, 200)],
    "operator_keys": [row("GET", "/admin/keys/", *[SIGN_IN] * 7, 200)],
    "api_tokens": [same("GET", "/account/tokens", 200)],
    "api_token_new": [same("GET", "/account/tokens/new", 200), same("POST", "/account/tokens/new", 422)],
    "api_token_revoke": [
        row("GET", "/account/tokens/{api_token}/revoke", SIGN_IN, 404, 200, *[404] * 5),
        row("POST", "/account/tokens/{api_token}/revoke", SIGN_IN, 404, 303, *[404] * 5),
    ],
    "workspace_tokens": [manages("GET", "/w/{slug}/tokens", 200)],
    "workspace_token_new": [
        manages("GET", "/w/{slug}/tokens/new", 200),
        manages("POST", "/w/{slug}/tokens/new", 422),
    ],
    "workspace_token_revoke": [
        manages("GET", "/w/{slug}/tokens/{workspace_token}/revoke", 200),
        manages("POST", "/w/{slug}/tokens/{workspace_token}/revoke", 303),
        manages("POST", "/w/{slug}/tokens/{api_token}/revoke", 404),
    ],
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
    "activity": [reads("GET", "/w/{slug}/ai/activity?about={id}", 302)],
    "audit": [reads("GET", "/w/{slug}/audit?object={id}")],
    "audit_event": [reads("GET", "/w/{slug}/audit/{event}")],
    "audit_export": [
        manages("POST", "/w/{slug}/audit/export", 422),
        row("GET", "/w/{slug}/audit/export", SIGN_IN, *[405] * 7),
    ],
    "organization_audit": [administers("GET", "/organization/audit", 200)],
    "organization_audit_event": [
        row("GET", "/organization/audit/{event}", SIGN_IN, 200, 403, 403, 403, 403, 404, 403),
    ],
    "organization_audit_export": [
        administers("POST", "/organization/audit/export", 422),
        row("GET", "/organization/audit/export", SIGN_IN, *[405] * 7),
    ],
    "ai_llms": [reads("GET", "/w/{slug}/ai/llm")],
    "ai_llms_validate": [
        writes("GET", "/w/{slug}/ai/llm/validate?ids={id}", 200),
        writes("POST", "/w/{slug}/ai/llm/validate?ids={unreadable}", 303),
    ],
    "ai_llms_change": [
        writes("GET", "/w/{slug}/ai/llm/selected/disable?ids={id}", 200),
        writes("POST", "/w/{slug}/ai/llm/selected/delete?ids={id}", 200),
        writes("GET", "/w/{slug}/ai/llm/selected/explode", 404),
    ],
    "provider_keys": [reads("GET", "/w/{slug}/ai/keys")],
    "provider_key_new": [writes("GET", "/w/{slug}/ai/keys/new", 200), writes("POST", "/w/{slug}/ai/keys/new", 422)],
    "provider_key_edit": [
        writes("GET", "/w/{slug}/ai/keys/{provider_key}", 200),
        writes("POST", "/w/{slug}/ai/keys/{provider_key}", 422),
        writes("GET", "/w/{slug}/ai/keys/{id}", 404),
    ],
    "provider_key_delete": [
        writes("GET", "/w/{slug}/ai/keys/{provider_key}/delete", 200),
        writes("POST", "/w/{slug}/ai/keys/{used_key}/delete", 409),
    ],
    "ai_llm_new": [
        writes("GET", "/w/{slug}/ai/llm/new", 200),
        writes("GET", "/w/{slug}/ai/llm/new?type=OPENAI", 200),
        writes("POST", "/w/{slug}/ai/llm/new?type=OPENAI", 422),
    ],
    "ai_llm_examine": [writes("POST", "/w/{slug}/ai/llm/new/examine", 422)],
    "ai_llm_hints": [writes("POST", "/w/{slug}/ai/llm/new/hints", 422)],
    "ai_llm": [reads("GET", "/w/{slug}/ai/llm/{id}")],
    "ai_llm_edit": [
        writes("GET", "/w/{slug}/ai/llm/{id}/edit", 200),
        writes("POST", "/w/{slug}/ai/llm/{id}/edit", 422),
    ],
    "ai_llm_rotate": [
        writes("GET", "/w/{slug}/ai/llm/{id}/rotate", 200),
        writes("POST", "/w/{slug}/ai/llm/{id}/rotate", 422),
    ],
    "ai_llm_waiting": [writes("POST", "/w/{slug}/ai/llm/{id}/rotate/waiting", 422)],
    "ai_llm_former": [writes("POST", "/w/{slug}/ai/llm/{id}/rotate/former", 422)],
    "ai_llm_validate": [writes("POST", "/w/{slug}/ai/llm/{unreadable}/validate", 303)],
    "ai_llm_message": [
        writes("GET", "/w/{slug}/ai/llm/{id}/message", 200),
        writes("POST", "/w/{slug}/ai/llm/{unreadable}/message", 422),
    ],
    "ai_llm_disable": [
        writes("GET", "/w/{slug}/ai/llm/{id}/disable", 200),
        writes("POST", "/w/{slug}/ai/llm/{id}/disable", 303),
    ],
    "ai_llm_enable": [writes("POST", "/w/{slug}/ai/llm/{id}/enable", 303)],
    "ai_llm_diagnostics": [
        reads("GET", "/w/{slug}/ai/llm/{id}/diagnostics"),
        reads("GET", "/w/{slug}/ai/llm/{id}/diagnostics?format=json"),
    ],
    "ai_llm_delete": [
        writes("GET", "/w/{slug}/ai/llm/{id}/delete", 200),
        writes("POST", "/w/{slug}/ai/llm/{id}/delete", 422),
    ],
    "repositories": [reads("GET", "/w/{slug}/repositories")],
    "repository_inventory": [reads("GET", "/w/{slug}/repositories/inventory")],
    "ai_api_keys": [reads("GET", "/w/{slug}/repositories/keys")],
    "repository_new": [
        writes("GET", "/w/{slug}/repositories/new", 200),
        writes("POST", "/w/{slug}/repositories/new", 422),
    ],
    "repository": [reads("GET", REPOSITORY)],
    "repository_models": [reads("GET", f"{REPOSITORY}/models")],
    "repository_edit": [writes("GET", f"{REPOSITORY}/edit", 200), writes("POST", f"{REPOSITORY}/edit", 422)],
    "repository_disable": [writes("GET", f"{REPOSITORY}/disable", 200), writes("POST", f"{REPOSITORY}/disable", 303)],
    "repository_enable": [writes("POST", f"{REPOSITORY}/enable", 303)],
    "repository_delete": [writes("GET", f"{REPOSITORY}/delete", 200), writes("POST", f"{REPOSITORY}/delete", 422)],
    "repository_attach": [writes("GET", f"{REPOSITORY}/attach", 200), writes("POST", f"{REPOSITORY}/attach", 422)],
    "repository_order": [writes("POST", f"{REPOSITORY}/order", 422)],
    "repository_detach": [writes("POST", f"{REPOSITORY}/detach", 422)],
    "repository_attachment": [
        writes("GET", f"{REPOSITORY}/ai-llm/{{id}}", 200),
        writes("POST", f"{REPOSITORY}/ai-llm/{{id}}", 422),
        writes("GET", f"{REPOSITORY}/ai-llm/{{unreadable}}", 404),
    ],
    "ai_api_key_new": [writes("GET", f"{REPOSITORY}/keys/new", 200), writes("POST", f"{REPOSITORY}/keys/new", 422)],
    "ai_api_key": [reads("GET", KEY)],
    "ai_api_key_edit": [writes("GET", f"{KEY}/edit", 200), writes("POST", f"{KEY}/edit", 422)],
    "ai_api_key_rotate": [writes("GET", f"{KEY}/rotate", 200), writes("POST", f"{KEY}/rotate", 422)],
    "ai_api_key_end_former": [writes("POST", f"{KEY}/end-former", 303)],
    "ai_api_key_revoke": [writes("GET", f"{KEY}/revoke", 200), writes("POST", f"{KEY}/revoke", 303)],
    "ai_llm_attach": [
        writes("GET", "/w/{slug}/ai/llm/{id}/attach", 200),
        writes("POST", "/w/{slug}/ai/llm/{id}/attach", 422),
    ],
    "ai_llm_move": [
        writes("GET", "/w/{slug}/ai/llm/{id}/move", 200),
        writes("POST", "/w/{slug}/ai/llm/{id}/move", 422),
    ],
}
# What Django brings for the admin site has its own table in test_admin.py, and the API in test_api_access.py.
ELSEWHERE = ("admin:", "api:", "api_nothing")


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
    own = {f"admin:ai_llm_aillm_{page}" for page in ("validate", "disable", "enable", "diagnostics")}
    assert names | own == set(TABLE)


CASES = [(name, *case) for name, cases in TABLE.items() for case in cases]


@pytest.fixture
def unreadable(people: People) -> AiLlm:
    """A row whose secret cannot be opened: validating it sends nothing, so the table needs no provider."""
    found = build.ai_llm(people.writer, people.workspace, name="unreadable")
    store(found.credential, column(found.credential)[:-8] + "AAAAAAA=")
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
    members["event"] = events.of_object(found)[0].pk
    repository = build.repository(people.writer, people.workspace, found)
    members |= {"repository": repository.pk, "api_key": build.key(people.writer, repository).key.pk}
    used = build.provider_key(people.writer, people.workspace)
    build.ai_llm(people.writer, people.workspace, secret="", provider_key=used)
    members |= {"provider_key": build.provider_key(people.writer, people.workspace).pk, "used_key": used.pk}
    members["invitation"] = invitations.create(people.owner, email="new@example.com").invitation.pk
    members["api_token"] = tokens.create(people.admin, name="own", scope="read").token.pk
    of_workspace = tokens.create(people.admin, workspace=people.workspace, name="of it", scope="read").token
    members["workspace_token"] = of_workspace.pk
    address = path.format(slug=people.workspace.slug, id=found.pk, unreadable=unreadable.pk, **members)
    got = {}
    for who in PEOPLE:
        client = Client() if who == "anonymous" else signed_in(getattr(people, who))
        got[who] = client.generic(method, address, content_type="application/x-www-form-urlencoded").status_code
    assert got == expected


BY_ROLE = {"owner": 255, "admin": 0, "writer": 0, "reader": 0, "outsider": 0}
IN_WORKSPACE = {"owner": 3, "admin": 3, "writer": 2, "reader": 1, "outsider": 0}


def test_what_the_page_about_roles_says_is_what_every_route_answers() -> None:
    for name, method, path, expected in CASES:
        if expected["owner"] in {403, 404, 405} or {403, 404}.isdisjoint(map(expected.get, BY_ROLE)):
            continue  # nobody's, or everybody's: no role decides
        right = rights.of_route(name, method)
        assert right is not None, f"{name}: no right on the page about roles names this route"
        held = IN_WORKSPACE if isinstance(right.needed, Access) else BY_ROLE
        allowed = {who: expected[who] not in {403, 404} for who in held}
        assert allowed == {who: level >= right.needed for who, level in held.items()}, f"{method} {path}: {right.words}"


def test_every_right_with_routes_is_in_the_table() -> None:
    used = {rights.of_route(name, method) for name, method, *_ in CASES}
    unused = [right.words for right in (*rights.IN_WORKSPACE, *rights.IN_ORGANIZATION) if right.routes]
    assert [words for words in unused if words not in {right.words for right in used if right}] == []


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
