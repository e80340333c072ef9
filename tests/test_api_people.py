"""Organizations, people, workspaces and members over the API: the public shapes, and the console's verbs beneath."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.utils import timezone

from tests import build
from tests.api import Api
from tests.conftest import People
from workspaces import invitations, tokens
from workspaces.account_models import SecondFactorPolicy
from workspaces.models import Event, Organization, User
from workspaces.token_models import Login

ORG_USER = {
    "id", "email", "name", "lastName", "orgId", "orgRole", "validated", "deletedAt", "orgRoleDescription", "orgRoles",
}  # fmt: skip
NEW = {"email": "New@Example.com", "password": "quite a long passphrase", "firstName": "New", "lastName": "Person"}


def last() -> Event:
    return Event.objects.latest("id")


def test_my_organization_and_its_profile(people: People) -> None:
    path = f"/organization/{people.organization.pk}"
    answer = Api(people.reader).get(path).json()
    assert answer["success"] is True
    assert answer["data"]["name"] == "Acme"
    assert {"domain", "reposDisabled", "is_business", "mfaEnforced", "deletedAt"} <= set(answer["data"])
    assert Api(people.stranger).get(path).json() == {"success": False, "message": "Organization not found"}
    assert Api(people.admin).put(path, {"city": "Lyon"}).status_code == 403
    changed = Api(people.owner).put(path, {"city": "Lyon", "is_business": True}).json()
    assert (changed["data"]["city"], changed["data"]["is_business"], changed["data"]["name"]) == ("Lyon", True, "Acme")
    assert (last().action, last().details["city"]) == ("organization.updated", ["", "Lyon"])
    assert Api(people.owner).put(path, {"website": "javascript:alert(1)"}).json()["errors"].keys() == {"website"}


def test_a_second_factor_can_be_asked_of_everybody_after_signing_in_again(people: People) -> None:
    path, api = f"/organization/{people.owner.organization_id}", Api(people.owner)
    assert api.put(path, {"mfaEnforced": False}).json()["data"]["mfaEnforced"] is False
    assert api.put(path, {"mfaEnforced": True, "city": "Lyon"}).json()["data"]["mfaEnforced"] is True
    assert last().action == "organization.second_factor_changed"
    Login.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    assert api.put(path, {"mfaEnforced": True, "city": "Paris"}).status_code == 200
    refused = api.put(path, {"mfaEnforced": False, "city": "Nice"})
    assert (refused.status_code, refused.json()["error_code"]) == (403, "REAUTHENTICATION_REQUIRED")
    assert api.get(path).json()["data"]["city"] == "Paris"
    Organization.objects.update(second_factor=SecondFactorPolicy.ADMINISTRATORS)
    assert api.put(path, {"mfaEnforced": True}).status_code == 200
    assert Organization.objects.get(people=people.owner).second_factor == SecondFactorPolicy.ADMINISTRATORS


def test_the_people_of_my_organization(people: People) -> None:
    answer = Api(people.owner).get("/organization/users").json()
    assert answer["total"] == len(answer["data"]) == 5
    assert set(answer["data"][0]) == ORG_USER
    assert people.stranger.email not in str(answer)
    refused = Api(people.writer).get("/organization/users")
    assert (refused.status_code, refused.json()["success"]) == (403, False)


def test_one_person_comes_without_an_envelope(people: People) -> None:
    answer = Api(people.owner).get(f"/organization/users/{people.reader.pk}")
    assert set(answer.json()) == ORG_USER
    assert Api(people.reader).get(f"/organization/users/{people.reader.pk}").json()["id"] == str(people.reader.pk)
    assert Api(people.reader).get(f"/organization/users/{people.writer.pk}").status_code == 403
    for other in (people.stranger.pk, uuid4()):
        found = Api(people.owner).get(f"/organization/users/{other}")
        assert (found.status_code, found.json()) == (404, {"success": False, "message": "User not found"})


def test_an_account_is_created_changed_deactivated_and_brought_back(people: People) -> None:
    api = Api(people.owner)
    made = api.post("/organization/users", NEW).json()["data"]
    assert (made["email"], made["lastName"], made["orgRole"], made["validated"]) == (
        "new@example.com", "Person", 0, True,
    )  # fmt: skip
    path = f"/organization/users/{made['id']}"
    signed_in = Api().post("/user/login", {"email": made["email"], "password": NEW["password"]}).json()
    token = tokens.create(User.objects.get(pk=made["id"]), name="mine", scope="read").text
    changed = api.put(path, {"lastName": "Else", "orgRole": 2}).json()["data"]
    assert (changed["lastName"], changed["orgRole"], changed["orgRoles"]) == ("Else", 2, [0, 1, 2])
    assert api.delete(path).json()["success"] is True
    assert api.get(path).json()["deletedAt"].endswith("Z")
    assert Api(signed_in["accessToken"]).get("/user/profile").status_code == 401
    assert Api(token).get("/user/profile").status_code == 401
    assert api.post(f"{path}/activate").json()["success"] is True
    assert api.get(path).json()["deletedAt"] is None
    assert Api(signed_in["accessToken"]).get("/user/profile").status_code == 401
    assert Api(token).get("/user/profile").status_code == 401


def test_an_invited_person_gets_a_mail_and_another_one(people: People) -> None:
    body = {**NEW, "sendInvite": True, "authMethod": "LOCAL", "provider": "LOCAL"}
    made = Api(people.owner).post("/organization/users", body).json()["data"]
    assert made["validated"] is False
    assert [message.to for message in mail.outbox] == [["new@example.com"]]
    again = Api(people.owner).post(f"/organization/users/{made['id']}/resend-invitation")
    assert again.json()["success"] is True
    assert len(mail.outbox) == 2
    assert NEW["password"] not in str([message.body for message in mail.outbox])
    invitation = invitations.Invitation.objects.latest("created_at")
    invitations.withdraw(people.owner, invitation)
    assert Api(people.owner).post(f"/organization/users/{made['id']}/resend-invitation").status_code == 200
    refused = Api(people.owner).post(f"/organization/users/{people.reader.pk}/resend-invitation")
    assert refused.status_code == 409


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"email"}),
        ({"email": "new@example.com"}, {"password"}),
        ({**NEW, "password": "short"}, {"password"}),
        ({**NEW, "email": "nonsense"}, {"email"}),
        ({**NEW, "orgRole": 7}, {"orgRole"}),
        ({**NEW, "orgRole": True}, {"orgRole"}),
        ({**NEW, "authMethod": "GITHUB"}, {"authMethod"}),
        ({**NEW, "isStaff": True}, {"isStaff"}),
        ({**NEW, "firstName": "x" * 200}, {"firstName"}),
    ],
)
def test_what_cannot_be_created_is_named(body: dict, fields: set, people: People) -> None:
    answer = Api(people.owner).post("/organization/users", body)
    assert (answer.status_code, set(answer.json()["errors"])) == (400, fields)


def test_nobody_gives_more_than_they_have(people: People) -> None:
    manager = build.person(people.organization, role=2)
    assert Api(manager).post("/organization/users", {**NEW, "orgRole": 254}).status_code == 403
    assert Api(manager).put(f"/user/{people.owner.pk}/role", {"orgRole": 0}).status_code == 403
    assert Api(manager).delete(f"/organization/users/{people.owner.pk}").status_code == 403
    both = Api(manager).put(f"/organization/users/{people.reader.pk}", {"name": "Other", "orgRole": 255})
    assert both.status_code == 403
    assert User.objects.get(pk=people.reader.pk).name == people.reader.name


def test_roles_are_shown_and_changed(people: People) -> None:
    shown = Api(people.writer).get(f"/user/{people.reader.pk}").json()["data"]
    assert shown == {"userId": str(people.reader.pk), "orgRole": 0, "orgRoleDescription": "USER", "orgRoles": [0]}
    changed = Api(people.owner).put(f"/user/{people.reader.pk}/role", {"orgRole": 2}).json()["data"]
    assert (changed["previousRole"], changed["newRole"], changed["userId"]) == (0, 2, str(people.reader.pk))
    assert Api(people.writer).put(f"/user/{people.reader.pk}/role", {"orgRole": 0}).status_code == 403
    assert Api(people.stranger).get(f"/user/{people.reader.pk}").status_code == 404
    assert Api(people.owner).put(f"/user/{people.owner.pk}/role", {"orgRole": 0}).json()["errors"].keys() == {"orgRole"}


def test_my_own_name_and_password(people: People) -> None:
    path = f"/user/{people.writer.pk}"
    api = Api(people.writer)
    assert api.put(path, {"name": "Wilma", "lastName": "Writer"}).json()["success"] is True
    assert api.put(path, {"password": "short"}).json()["errors"].keys() == {"password"}
    assert Api(people.owner).put(path, {"password": "quite another passphrase"}).status_code == 403
    assert api.put(path, {"password": "quite another passphrase"}).json()["success"] is True
    assert last().action == "person.password_changed"
    assert api.get("/user/profile").status_code == 401
    body = {"email": people.writer.email, "password": "quite another passphrase"}
    assert Api().post("/user/login", body).status_code == 200


def test_a_password_changes_only_right_after_signing_in(people: People) -> None:
    api = Api(people.writer)
    people.writer.logins.update(created_at="2020-01-01T00:00:00Z")
    answer = api.put(f"/user/{people.writer.pk}", {"password": "quite another passphrase"})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "REAUTHENTICATION_REQUIRED")


def test_a_workspace_from_its_creation_to_its_deletion(people: People) -> None:
    api = Api(people.owner)
    made = api.post("/workspace", {"name": "Second"})
    assert made.status_code == 201
    row = made.json()["workspace"]
    assert row == {"id": row["id"], "name": "Second", "orgId": str(people.organization.pk)}
    shown = api.get(f"/workspace/{row['id']}").json()["workspace"]
    assert shown["users"] == [
        {
            "userId": str(people.owner.pk),
            "role": "ADMIN",
            "user": {
                "id": str(people.owner.pk),
                "name": "Olivia Owner",
                "lastName": "",
                "email": people.owner.email,
                "orgRole": 255,
            },
        }
    ]
    assert api.put(f"/workspace/{row['id']}", {"name": "Third"}).json()["workspace"]["name"] == "Third"
    assert last().action == "workspace.renamed"
    assert [one["name"] for one in api.get("/workspace").json()["workspaces"]] == ["Main", "Third"]
    assert api.delete(f"/workspace/{row['id']}").json()["success"] is True
    assert api.get(f"/workspace/{row['id']}").json() == {"success": False, "message": "Workspace not found"}


def test_a_workspace_that_holds_something_stays(people: People) -> None:
    build.ai_llm(people.writer, people.workspace)
    answer = Api(people.admin).delete(f"/workspace/{people.workspace.pk}")
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert "holds" in answer.json()["message"]
    assert "errors" not in answer.json()
    assert Api(people.writer).delete(f"/workspace/{people.workspace.pk}").status_code == 403


def test_members_come_change_and_go(people: People) -> None:
    api, path = Api(people.admin), f"/workspace/{people.workspace.pk}/users"
    person = f"{path}/{people.outsider.pk}"
    assert api.post(path, {"userId": str(people.outsider.pk), "role": "READ"}).json()["success"] is True
    assert api.post(path, {"userId": str(people.outsider.pk), "role": "READ"}).json()["errors"].keys() == {"userId"}
    assert api.put(person, {"role": "WRITE"}).json()["success"] is True
    assert people.outsider.memberships.get().role == "WRITE"
    assert api.delete(person).json()["success"] is True
    assert [e.action for e in Event.objects.order_by("-id")[:3]] == [
        "member.removed", "member.role_changed", "member.added",
    ]  # fmt: skip
    for answer in (api.delete(person), api.put(person, {"role": "READ"})):
        assert (answer.status_code, answer.json()["message"]) == (404, "Target user not found")
    for other in (people.stranger.pk, uuid4()):
        answer = api.post(path, {"userId": str(other), "role": "READ"})
        assert (answer.status_code, answer.json()["message"]) == (404, "Target user not found")
    for body in ({"userId": "x", "role": "READ"}, {"userId": str(uuid4()), "role": "OWNER"}, {"role": "READ"}):
        assert api.post(path, body).status_code == 400
    assert Api(people.writer).post(path, {"userId": str(people.outsider.pk), "role": "READ"}).status_code == 403
    assert Api(people.stranger).post(path, {"userId": str(people.outsider.pk), "role": "READ"}).status_code == 404
    last_admin = api.delete(f"{path}/{people.admin.pk}")
    assert (last_admin.status_code, last_admin.json()["errors"].keys()) == (400, {"role"})


def test_an_etag_guards_a_name(people: People) -> None:
    api, path = Api(people.admin), f"/workspace/{people.workspace.pk}"
    tag = api.get(path).headers["ETag"]
    assert api.put(path, {"name": "One"}, If_Match=tag).status_code == 200
    stale = api.put(path, {"name": "Two"}, If_Match=tag)
    assert (stale.status_code, stale.json()["success"]) == (412, False)
    assert api.delete(path, If_Match=tag).status_code == 412
    assert api.put(path, {"name": "Three"}, If_Match="*").status_code == 200
    assert api.put(path, {"name": "Four"}).status_code == 200


def test_an_api_token_sees_workspaces_and_no_people(people: People) -> None:
    token = Api(tokens.create(people.admin, workspace=people.workspace, name="t", scope="write").text)
    listed = token.get("/workspace").json()["workspaces"]
    assert [(one["name"], one["users"]) for one in listed] == [("Main", [])]
    assert token.get(f"/workspace/{people.workspace.pk}").json()["workspace"]["users"] == []
    for method, path in [
        ("GET", "/organization/users"),
        ("GET", f"/organization/users/{people.admin.pk}"),
        ("GET", f"/user/{people.reader.pk}"),
        ("POST", "/workspace"),
        ("PUT", f"/workspace/{people.workspace.pk}"),
        ("POST", f"/workspace/{people.workspace.pk}/users"),
        ("DELETE", f"/workspace/{people.workspace.pk}/users/{people.reader.pk}"),
        ("GET", "/token"),
    ]:
        answer = token(method, path, {} if method != "GET" else ...)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "INSUFFICIENT_SCOPE")


def test_the_list_of_workspaces_costs_the_same_for_many(people: People, django_assert_num_queries: object) -> None:
    for _ in range(3):
        made = build.workspace(people.organization)
        build.person(people.organization, member_of=made)
    api = Api(people.owner)
    with django_assert_num_queries(3):
        listed = api.get("/workspace").json()["workspaces"]
    assert [len(one["users"]) for one in listed] == [3, 1, 1, 1]


def test_health_needs_nobody(db: None) -> None:
    answer = Api().get("/health").json()
    assert (answer["success"], answer["status"]) == (True, "healthy")
