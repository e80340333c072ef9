"""The pages about the organization, its people, invitations and roles, and the deletion of a workspace."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai_llm.templatetags.activity import event_words
from flashback.errors import Conflict, Denied, Invalid
from flashback.mail import CONSOLE
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces import access, invitations, rights, spaces
from workspaces import people as verbs
from workspaces.access import OrganizationRole
from workspaces.account_models import Session
from workspaces.invitation_models import Invitation
from workspaces.models import Event, User, Workspace

SignIn = Callable[[User], Client]
NEW = "nia@example.com"
BASE = "/organization"


def menu(response: HttpResponse) -> list[str]:
    found = re.search(r">Organization</p>\s*<ul>(.*?)</ul>", response.content.decode(), re.DOTALL)
    return re.sub(r"<[^>]+>|\s+", " ", found[1]).split() if found else []


def link(response: HttpResponse) -> str:
    found = re.search(r'id="link"[^>]*>([^<]+)<', response.content.decode())
    assert found
    return found[1].partition("//")[2].partition("/")[2].join(["/", ""])


# --- Menu and profile -------------------------------------------------------------------------------------------------


def test_the_menu_shows_what_a_role_may_open(people: People, signed_in: SignIn) -> None:
    everybody = ["Profile", "Workspaces", "Roles"]
    assert menu(signed_in(people.reader).get(BASE)) == everybody
    manager = build.person(people.organization, role=OrganizationRole.WORKSPACES)
    assert menu(signed_in(manager).get(BASE)) == ["Profile", "People", "Invitations", "Workspaces", "Roles"]
    whole = "Profile People Invitations Workspaces Roles Security of the organization Audit log of the organization"
    assert " ".join(menu(signed_in(people.owner).get(BASE))) == whole


def test_the_profile_is_saved_or_says_what_is_wrong(people: People, signed_in: SignIn) -> None:
    client = signed_in(people.owner)
    answer = client.post(BASE, {"name": "Acme", "city": "Berlin", "website": "acme.example", "is_business": "on"})
    assert answer.status_code == 303
    page = client.get(BASE)
    assert 'value="https://acme.example"' in page.content.decode()
    refused = client.post(BASE, {"name": "Other", "domain": "no domain"})
    assert refused.status_code == 422
    assert 'value="no domain"' in refused.content.decode()
    again = client.post(BASE, {"name": "Other", "domain": ""})
    assert (again.status_code, "already an organization with this name" in text(again)) == (422, True)
    reading = signed_in(people.reader).get(BASE)
    assert "Berlin" in text(reading)
    assert "<form" not in re.sub(r".*<main", "", reading.content.decode(), flags=re.DOTALL)


# --- People -----------------------------------------------------------------------------------------------------------


def test_the_list_is_searched_and_filtered(people: People, signed_in: SignIn) -> None:
    client = signed_in(people.owner)
    verbs.deactivate(people.owner, people.reader)
    waiting = verbs.create(people.owner, email=NEW, name="Nia", last_name="New")

    def shown(query: str) -> set[str]:
        return {person.label for person in client.get(f"{BASE}/people?{query}").context["page"].object_list}

    assert len(shown("")) == 6
    assert shown("q=will") == {"Will Writer"}
    assert shown("q=NIA@") == {"Nia New"}
    assert shown("q=new") == {"Nia New"}
    assert shown("role=255") == {"Olivia Owner"}
    assert shown("state=inactive") == {"Rita Reader"}
    assert shown("state=waiting") == {waiting.label}
    assert shown("q=%00&role=x&state=y&page=99") == shown("")
    assert "Nobody matches" in text(client.get(f"{BASE}/people?q=zzz"))


def test_the_list_costs_the_same_with_many_people(people: People, signed_in: SignIn) -> None:
    client = signed_in(people.owner)
    client.get(f"{BASE}/people")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"{BASE}/people").status_code == 200
        return len(captured)

    one = queries()
    for _ in range(5):
        build.person(people.organization, member_of=people.workspace)
    assert queries() == one <= 9


def test_one_person_with_role_and_workspaces(people: People, signed_in: SignIn) -> None:
    page = text(signed_in(people.owner).get(f"{BASE}/people/{people.writer.pk}"))
    for words in ("Will Writer", people.writer.email, "WRITE, since", "Main", "Deactivate", "Hand over the ownership"):
        assert words in page
    own = text(signed_in(people.owner).get(f"{BASE}/people/{people.owner.pk}"))
    assert "Deactivate" not in own


def test_when_somebody_was_last_seen_is_their_last_page_or_sign_in(people: People, signed_in: SignIn) -> None:
    def shown() -> str:
        return re.sub(r".*Last seen", "", text(signed_in(people.owner).get(f"{BASE}/people/{people.writer.pk}")))[:12]

    assert shown().strip().startswith("never")
    signed_in(people.writer).get("/account")
    assert shown().strip().startswith("just now")
    User.objects.filter(pk=people.writer.pk).update(last_login=timezone.now() - timedelta(days=3))
    assert shown().strip().startswith("just now")
    Session.objects.filter(user_id=people.writer.pk).delete()
    assert shown().strip().startswith("3 days ago")


@pytest.mark.django_db(transaction=True)
def test_a_workspace_that_went_in_this_moment_is_said_so(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = spaces.create(people.owner, people.organization, name="Gone")
    kept, require = Workspace.objects.get(pk=gone.pk), access.require

    def after_it_went(*arguments: object, **keywords: object) -> None:
        require(*arguments, **keywords)
        monkeypatch.setattr(access, "require", require)
        if Workspace.objects.filter(pk=gone.pk).exists():
            spaces.delete(people.owner, gone, confirmed="Gone")

    for make in (lambda: build.ai_llm(people.owner, kept), lambda: build.repository(people.owner, kept)):
        monkeypatch.setattr(access, "require", after_it_went)
        with pytest.raises(Conflict, match=spaces.GONE):
            make()


def test_somebody_above_is_shown_with_who_can_change_them(people: People, signed_in: SignIn) -> None:
    manager = build.person(people.organization, role=OrganizationRole.WORKSPACES)
    page = signed_in(manager).get(f"{BASE}/people/{people.owner.pk}")
    assert "Olivia Owner has the organization role Owner, which is above yours. Olivia Owner can change" in text(page)
    assert signed_in(manager).post(f"{BASE}/people/{people.owner.pk}/role", {"role": "0"}).status_code == 403
    offered = signed_in(manager).get(f"{BASE}/people/{people.reader.pk}").context["role_form"].fields["role"].choices
    assert [value for value, _ in offered] == [0, 1, 2]
    assert signed_in(manager).post(f"{BASE}/people/{people.reader.pk}/role", {"role": "254"}).status_code == 422


def test_role_and_name_change_from_the_page(people: People, signed_in: SignIn) -> None:
    client, path = signed_in(people.owner), f"{BASE}/people/{people.reader.pk}"
    assert client.post(f"{path}/role", {"role": "2"}, follow=True).redirect_chain == [(path, 303)]
    assert client.post(f"{path}/name", {"name": "Rita", "last_name": "R"}).status_code == 303
    people.reader.refresh_from_db()
    assert (people.reader.label, people.reader.organization_role) == ("Rita R", 2)
    refused = client.post(f"{path}/name", {"name": "a\u202eb"})
    assert (refused.status_code, "invisible character" in text(refused)) == (422, True)


def test_the_last_owner_is_told_beside_the_role(people: People, signed_in: SignIn) -> None:
    answer = signed_in(people.owner).post(f"{BASE}/people/{people.owner.pk}/role", {"role": "0"})
    assert answer.status_code == 422
    assert "Olivia Owner is the last owner who can sign in" in text(answer)
    assert 'aria-invalid="true"' in answer.content.decode()


def test_who_lowers_themselves_is_led_to_where_they_still_can_be(people: People, signed_in: SignIn) -> None:
    manager = build.person(people.organization, role=OrganizationRole.WORKSPACES)
    answer = signed_in(manager).post(f"{BASE}/people/{manager.pk}/role", {"role": "0"})
    assert (answer.status_code, answer["Location"]) == (303, "/")


def test_deactivating_asks_first_and_reactivating_brings_back(people: People, signed_in: SignIn) -> None:
    client, path = signed_in(people.owner), f"{BASE}/people/{people.reader.pk}"
    theirs = signed_in(people.reader)
    assert "ends at once" in text(client.get(f"{path}/deactivate"))
    assert theirs.get("/account").status_code == 200
    client.post(f"{path}/deactivate")
    assert theirs.get("/account").status_code == 302
    assert "cannot sign in" in text(client.get(path))
    client.post(f"{path}/reactivate")
    assert signed_in(User.objects.get(pk=people.reader.pk)).get("/account").status_code == 200
    own = client.post(f"{BASE}/people/{people.owner.pk}/deactivate")
    assert own.status_code == 403


def test_ownership_is_handed_over(people: People, signed_in: SignIn) -> None:
    client, path = signed_in(people.owner), f"{BASE}/people/{people.reader.pk}/ownership"
    assert "You become an administrator" in text(client.get(path))
    answer = client.post(path, follow=True)
    assert "Rita Reader owns the organization now" in text(answer)
    assert client.get(path).status_code == 403


def test_people_of_elsewhere_do_not_exist(people: People, signed_in: SignIn) -> None:
    client = signed_in(people.owner)
    for rest in ("", "/role", "/name", "/deactivate", "/reactivate", "/ownership"):
        assert client.get(f"{BASE}/people/{people.stranger.pk}{rest}").status_code == 404


# --- Invitations ------------------------------------------------------------------------------------------------------


def test_inviting_by_mail(people: People, signed_in: SignIn) -> None:
    client = signed_in(people.owner)
    given = {"email": NEW, "role": "0", f"workspace-{people.workspace.pk}": "WRITE", "way": "mail"}
    answer = client.post(f"{BASE}/invitations/new", given, follow=True)
    assert f"The invitation is on its way to {NEW}." in text(answer)
    assert "Main (WRITE)" in text(answer)
    assert len(mail.outbox) == 1
    listed = text(client.get(f"{BASE}/invitations"))
    assert NEW in listed
    assert "Open" in listed


def test_a_link_to_copy_is_shown_once_and_not_kept(people: People, signed_in: SignIn) -> None:
    client = signed_in(people.owner)
    made = client.post(f"{BASE}/invitations/new", {"email": NEW, "role": "0", "way": "link"})
    assert made.status_code == 200
    assert made["Cache-Control"] == "no-store, private"
    token = link(made).rpartition("/")[2]
    row = Invitation.objects.get()
    for path in (f"{BASE}/invitations", f"{BASE}/invitations/{row.pk}", f"{BASE}/audit"):
        assert token not in client.get(path).content.decode()
    assert Client().get(link(made)).status_code == 200


def test_a_mail_that_cannot_be_sent_shows_the_link(people: People, signed_in: SignIn, settings: object) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    made = signed_in(people.owner).post(f"{BASE}/invitations/new", {"email": NEW, "role": "0", "way": "mail"})
    assert "The mail could not be sent" in text(made)
    assert Client().get(link(made)).status_code == 200


def test_without_a_mail_server_the_link_is_handed_over(people: People, signed_in: SignIn, settings: object) -> None:
    settings.EMAIL_BACKEND = CONSOLE
    client = signed_in(people.owner)
    form = client.get(f"{BASE}/invitations/new")
    assert form.context["form"]["way"].initial == "link"
    assert "No mail server is configured: hand the link over yourself." in text(form)
    for way in ("link", "mail"):
        made = client.post(f"{BASE}/invitations/new", {"email": f"{way}@example.com", "role": "0", "way": way})
        assert "No mail server is configured: hand the link over yourself." in text(made)
        assert Client().get(link(made)).status_code == 200
    for row in Invitation.objects.all():
        page = text(client.get(f"{BASE}/invitations/{row.pk}"))
        assert ("sent by mail" in page, "Send again by mail" in page) == (False, False)


def test_the_workspace_last_used_is_chosen_and_none_at_all_is_said(people: People, signed_in: SignIn) -> None:
    client = signed_in(people.owner)
    User.objects.filter(pk=people.owner.pk).update(last_workspace=people.workspace)
    form = client.get(f"{BASE}/invitations/new").context["form"]
    assert [field.initial for field in form.place_fields if field.label == "Main"] == ["READ"]
    place = f"workspace-{people.workspace.pk}"
    for number, (given, said) in enumerate(
        [
            ({"role": "0"}, True),
            ({"role": "0", place: "READ"}, False),
            ({"role": str(OrganizationRole.ADMINISTRATOR.value)}, False),
        ]
    ):
        email = f"n{number}@example.com"
        made = client.post(f"{BASE}/invitations/new", {"email": email, "way": "link", **given})
        page = client.get(f"{BASE}/invitations/{Invitation.objects.get(email=email).pk}")
        assert ["No workspace goes with it." in text(answer) for answer in (made, page)] == [said, said]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"email": "none"}, "Enter an e-mail address"),
        ({"email": ""}, "Enter an e-mail address"),
        ({"email": "{reader}"}, "Rita Reader is in your organization already"),
        ({"role": "77"}, "Choose a role from the list."),
        ({"way": "pigeon"}, "Choose one from the list."),
        ({"{workspace}": "OWNER"}, "Choose a role from the list."),
    ],
)
def test_what_cannot_be_invited_says_why_and_keeps_what_was_typed(
    given: dict[str, str], message: str, people: People, signed_in: SignIn
) -> None:
    words = {"reader": people.reader.email, "workspace": f"workspace-{people.workspace.pk}"}
    filled = {"email": NEW, "role": "0", "way": "link"}
    filled |= {name.format(**words): value.format(**words) for name, value in given.items()}
    answer = signed_in(people.owner).post(f"{BASE}/invitations/new", filled)
    assert (answer.status_code, message in text(answer)) == (422, True)
    assert filled["email"] in answer.content.decode()
    assert Invitation.objects.count() == 0


def test_a_manager_offers_only_what_they_may_give(people: People, signed_in: SignIn) -> None:
    manager = build.person(people.organization, role=OrganizationRole.WORKSPACES, member_of=people.workspace)
    form = signed_in(manager).get(f"{BASE}/invitations/new").context["form"]
    assert [value for value, _ in form.fields["role"].choices] == [0, 1, 2]
    assert form.place_fields == []
    manager.memberships.update(role="ADMIN")
    form = signed_in(manager).get(f"{BASE}/invitations/new").context["form"]
    assert [field.label for field in form.place_fields] == ["Main"]


def test_a_workspace_that_went_while_the_form_was_open_is_said_and_nobody_is_invited(
    people: People, signed_in: SignIn
) -> None:
    second, client = build.workspace(people.organization, "Second"), signed_in(people.owner)
    field = f"workspace-{second.pk}"
    typed = {"email": NEW, "role": "0", "way": "link", field: "READ"}
    second.delete()
    page = client.post(f"{BASE}/invitations/new", typed)
    assert (page.status_code, Invitation.objects.count()) == (422, 0)
    assert "A workspace that you chose was deleted" in page.text
    assert f'value="{NEW}"' in page.text
    assert client.post(f"{BASE}/invitations/new", {**typed, field: ""}).status_code == 200


def test_a_new_link_and_withdrawing_from_the_page(people: People, signed_in: SignIn) -> None:
    client = signed_in(people.owner)
    first = link(client.post(f"{BASE}/invitations/new", {"email": NEW, "role": "0", "way": "link"}))
    path = f"{BASE}/invitations/{Invitation.objects.get().pk}"
    second = link(client.post(f"{path}/resend", {"way": "link"}))
    assert [Client().get(address).status_code for address in (first, second)] == [404, 200]
    assert client.post(f"{path}/withdraw", follow=True).redirect_chain == [(path, 303)]
    assert Client().get(second).status_code == 410
    assert client.post(f"{path}/resend", {"way": "mail"}, follow=True).status_code == 200
    assert mail.outbox == []


@pytest.mark.parametrize("state", ["open", "accepted", "withdrawn", "expired", "", "junk"])
def test_the_list_by_state(state: str, people: People, signed_in: SignIn) -> None:
    made = {
        name: invitations.create(people.owner, email=f"{name}@example.com")
        for name in ("open", "accepted", "withdrawn", "expired")
    }
    invitations.accept(made["accepted"].link.rpartition("/")[2], password=build.PASSWORD)
    invitations.withdraw(people.owner, made["withdrawn"].invitation)
    Invitation.objects.filter(email="expired@example.com").update(expires_at=timezone.now() - timedelta(days=1))
    page = signed_in(people.owner).get(f"{BASE}/invitations?state={state}").context["page"]
    assert {row.state for row in page.object_list} == ({state} if state in made else set(made))


# --- Accepting --------------------------------------------------------------------------------------------------------


@pytest.fixture
def address(people: People) -> str:
    made = invitations.create(people.owner, email=NEW, workspaces={people.workspace: "WRITE"})
    return "/invitation/" + made.link.rpartition("/")[2]


GIVEN = {"name": "Nia", "last_name": "New", "password": build.PASSWORD}


def test_accepting_signs_in_and_leads_to_the_workspace(people: People, address: str) -> None:
    client = Client()
    page = client.get(address)
    for words in ("Join Acme", "Olivia Owner invites you", NEW, "Main (WRITE)"):
        assert words in text(page)
    assert client.get(address).status_code == 200  # looking uses nothing up
    answer = client.post(address, GIVEN, follow=True)
    assert answer.redirect_chain[-1][0] == f"/w/{people.workspace.slug}/ai"
    assert "Nia New" in [person.label for person in User.objects.all()]


def test_the_token_is_in_no_referrer(address: str) -> None:
    client = Client()
    for answer in (client.get(address), client.post(address, {}), client.get("/invitation/none")):
        assert answer["Referrer-Policy"] == "strict-origin"
        assert answer["Cache-Control"] == "no-store, private"


def test_what_is_wrong_is_said_and_the_password_not_sent_back(address: str) -> None:
    answer = Client().post(address, {"name": "Nia", "password": "short"})
    page = answer.content.decode()
    assert (answer.status_code, 'value="Nia"' in page, "short" in re.sub("too short", "", page)) == (422, True, False)
    assert not User.objects.filter(email=NEW).exists()


def refuse(client: Client, address: str, status: int, words: str) -> None:
    before = (User.objects.count(), Event.objects.count())
    for answer in (client.get(address), client.post(address, GIVEN)):
        assert (answer.status_code, words in text(answer)) == (status, True)
    assert (User.objects.count(), Event.objects.count()) == before


def test_a_used_link(address: str) -> None:
    client = Client()
    client.post(address, GIVEN)
    refuse(Client(), address, 410, "accepted already")
    refuse(client, address, 410, "You have your account already")
    assert "sign in if you have" not in text(client.get(address))


def test_an_expired_link(address: str) -> None:
    Invitation.objects.update(expires_at=timezone.now())
    refuse(Client(), address, 410, "has expired")


def test_a_withdrawn_link(people: People, address: str) -> None:
    invitations.withdraw(people.owner, Invitation.objects.get())
    refuse(Client(), address, 410, "was withdrawn")


def test_a_tampered_link(address: str) -> None:
    refuse(Client(), address[:-1], 404, "This link is no invitation")


def test_another_address_signed_in(people: People, address: str, signed_in: SignIn) -> None:
    refuse(signed_in(people.reader), address, 409, f"You are signed in as {people.reader.email}")
    assert Client().get(address).status_code == 200


def test_an_address_that_got_an_account_meanwhile(people: People, address: str) -> None:
    verbs.create(people.owner, email=NEW, password=build.PASSWORD)
    refuse(Client(), address, 410, "There is an account with this e-mail address already")


def test_an_inviter_who_was_kept_out_meanwhile(people: People, address: str) -> None:
    User.objects.filter(pk=people.owner.pk).update(is_active=False)
    refuse(Client(), address, 410, "may no longer grant")


# --- Roles and refusals -----------------------------------------------------------------------------------------------


def test_the_page_about_roles_has_every_right(people: People, signed_in: SignIn) -> None:
    page = text(signed_in(people.reader).get(f"{BASE}/roles"))
    for right in (*rights.IN_WORKSPACE, *rights.IN_ORGANIZATION):
        assert right.words in page
    assert "Olivia Owner" in page


def test_every_refusal_names_the_role_and_who_can_grant_it(people: People, signed_in: SignIn) -> None:
    client = signed_in(people.reader)
    for path in ("people", "invitations", "invitations/new", "audit", "workspaces/new"):
        page = client.get(f"{BASE}/{path}")
        assert page.status_code == 403
        assert re.search(
            r"needs the organization role (Workspaces|Administrator)\. Olivia Owner can grant it\.", text(page)
        )
        assert f'href="{BASE}/roles"' in page.content.decode()
    page = client.get(f"/w/{people.workspace.slug}/members/add")
    assert "needs the role ADMIN in the workspace Main. Ada Admin or Olivia Owner can grant it." in text(page)


def test_every_empty_list_says_which_workspace_it_is_about(people: People, signed_in: SignIn) -> None:
    client, base = signed_in(people.owner), f"/w/{spaces.create(people.owner, people.organization, name='Second').slug}"
    for path in ("ai/llm", "repositories/inventory", "repositories/keys", "ai/llm?q=zzz", "audit?q=zzz"):
        page = client.get(f"{base}/{path}")
        assert "You are looking at the workspace Second" in text(page), path
        assert "/organization/workspaces" in page.content.decode()
    Workspace.objects.get(name="Second").memberships.all().delete()
    assert "You are looking at the workspace Second" in text(client.get(f"{base}/members"))


# --- Deleting a workspace ---------------------------------------------------------------------------------------------


def test_a_workspace_that_holds_something_stays_and_lists_it(people: People, signed_in: SignIn) -> None:
    ai_llm = build.ai_llm(people.writer, people.workspace, name="prod")
    build.repository(people.writer, people.workspace, ai_llm, name="shop")
    client, path = signed_in(people.admin), f"/w/{people.workspace.slug}/delete"
    page = client.get(path)
    assert "Main holds 1 AI LLM and 1 repository" in text(page)
    for name in ("prod", "shop"):
        assert re.search(rf'href="/w/{people.workspace.slug}/[^"]+">{name}<', page.content.decode())
    answer = client.post(path, {"name": "Main"})
    assert (answer.status_code, "cannot be deleted" in text(answer)) == (422, True)
    with pytest.raises(Conflict, match="holds 1 AI LLM and 1 repository"):
        spaces.delete(people.admin, people.workspace, confirmed="Main")


def test_an_empty_workspace_goes_with_its_name_typed(people: People, signed_in: SignIn) -> None:
    from ai_llm import configs

    configs.delete(people.writer, build.ai_llm(people.writer, people.workspace, name="old"))
    client, path = signed_in(people.admin), f"/w/{people.workspace.slug}/delete"
    assert client.post(path, {"name": "Mian"}).status_code == 422
    answer = client.post(path, {"name": " main "}, follow=True)
    assert "The workspace Main is deleted." in text(answer)
    assert client.get(f"/w/{people.workspace.slug}/ai").status_code == 404
    event = Event.objects.get(action="workspace.deleted")
    assert (event.object_label, event.organization_id) == ("Main", people.organization.pk)
    with pytest.raises(Conflict):
        spaces.rename(people.owner, people.workspace, name="Again")
    spaces.create(people.owner, people.organization, name="Main")


@pytest.mark.parametrize("who", ["writer", "reader", "outsider", "stranger"])
def test_only_an_admin_deletes_a_workspace(who: str, people: People) -> None:
    with pytest.raises(Denied):
        spaces.delete(getattr(people, who), people.workspace, confirmed="Main")
    with pytest.raises(Invalid):
        spaces.delete(people.admin, people.workspace, confirmed="")


# --- In the audit log -------------------------------------------------------------------------------------------------


def test_the_audit_log_says_it_in_words(people: People, address: str, signed_in: SignIn) -> None:
    Client().post(address, GIVEN)
    verbs.set_role(people.owner, people.reader, role=OrganizationRole.WORKSPACES)
    verbs.deactivate(people.owner, people.reader)
    said = " / ".join(re.sub(r"<[^>]+>", "", event_words(event)) for event in Event.objects.order_by("id"))
    for words in (
        f"{NEW} invited with the role User and to Main (WRITE)",
        f"{NEW} invitation accepted",
        f"{people.reader.email} role in the organization changed from User to Workspaces",
        f"{people.reader.email} deactivated",
    ):
        assert words in said
    assert "Main" in text(signed_in(people.owner).get(f"{BASE}/audit"))
