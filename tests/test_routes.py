"""What holds for every route there is: a look changes nothing, and a form without its token changes nothing."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.conf import settings as django_settings
from django.test import Client

from tests import build
from tests.conftest import People
from tests.routes import IDS, Places, Route, every_route, own_routes, stored
from workspaces.models import User

FORM = "application/x-www-form-urlencoded"
WORDS = "This page was open for too long or came from another site."
ROUTES = pytest.mark.parametrize("route", every_route(), ids=lambda route: route.name)


@pytest.fixture
def places(people: People) -> Places:
    return Places.around(people, build.ai_llm(people.writer, people.workspace))


def strict(person: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person, backend=django_settings.AUTHENTICATION_BACKENDS[0])
    return client


@ROUTES
def test_a_look_changes_nothing(
    route: Route, places: Places, people: People, signed_in: Callable[[User], Client]
) -> None:
    clients = [Client(), signed_in(people.owner), signed_in(people.staff)]
    address, before = route.address(places.of(route)), stored()
    for client in clients:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert client.generic(method, address).status_code < 500
        assert client.get(address, {"action": "delete", "_method": "POST", "confirm": "1"}).status_code < 500
        assert client.get(address, headers={"X-HTTP-Method-Override": "POST"}).status_code < 500
    assert stored() == before


@ROUTES
def test_a_form_without_its_token_changes_nothing(route: Route, places: Places, people: People) -> None:
    fields = urlencode({"name": "x", "secret": build.SECRET, "login": people.reader.email, "password": build.PASSWORD})
    address, before = route.address(places.of(route)), stored()
    for client in (Client(enforce_csrf_checks=True), strict(people.owner), strict(people.staff)):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = client.generic(method, address, fields, FORM)
            assert answer.status_code == 403
            assert WORDS in answer.text
    assert stored() == before


def test_a_look_that_changed_something_would_be_seen(people: People) -> None:
    before = stored()
    User.objects.filter(pk=people.reader.pk).update(name="Changed")
    assert stored() != before


@pytest.mark.parametrize(
    "route", [one for one in own_routes() if one.name != "ai_llm_validate"], ids=lambda one: one.name
)
def test_no_page_of_our_own_is_ever_a_naked_piece(
    route: Route, places: Places, people: People, signed_in: Callable[[User], Client]
) -> None:
    """Without htmx an answer is a whole page, a way to one, or empty."""
    client, address = signed_in(people.owner), route.address(places.of(route))
    for method in ("GET", "POST"):
        answer = client.generic(method, address, "", FORM)
        assert answer.status_code in {301, 302, 303} or answer.text.lstrip().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("action", ["new", "edit", "rotate", "validate"])
def test_one_check_too_many_is_told_when_to_come_back(
    action: str, people: People, signed_in: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ai_llm.validation.CHECKS_A_MINUTE", 0)
    row, client = build.ai_llm(people.writer, people.workspace), signed_in(people.writer)
    query = urlencode({"type": row.type, "name": "new", "endpoint": row.endpoint})
    address = f"/w/{people.workspace.slug}/ai/llm/{f'new?{query}' if action == 'new' else f'{row.pk}/{action}'}"
    form = client.get(address).context
    typed = {"name": row.name, "endpoint": row.endpoint, "version": row.version, "secret": build.SECRET}
    if action == "new":
        typed["row"] = form["form"].initial["row"]
    answer = client.post(address, {**typed, "action": "test"})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_the_addresses_of_these_sweeps_lead_to_something(
    places: Places, people: People, signed_in: Callable[[User], Client]
) -> None:
    """Where they met no row, a sweep would have looked at nothing but the page that says so."""
    owner, staff = signed_in(people.owner), signed_in(people.staff)
    starts = (*IDS, "admin:ai_llm", "admin:repositories")
    routes = [route for route in every_route() if route.name.startswith(starts)]
    missed = []
    for route in routes:
        client = staff if route.pattern.startswith("admin/") else owner
        if client.get(route.address(places.of(route))).status_code == 404:
            missed.append(route.name)
    assert (missed, len(routes) > 60) == ([], True)
