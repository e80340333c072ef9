"""Queries that are put together once: they answer what is stored now, for the values of this call."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai_llm import api_reads, listing, summary
from flashback.prepared import LONGEST, PLANS, padded, prepared
from tests import build
from tests.conftest import People
from workspaces import spaces
from workspaces.models import User, Workspace


@prepared
def named(organization: UUID, name: str) -> "QuerySet[Workspace]":
    return Workspace.objects.filter(organization=organization, name=name).select_related("organization")


@prepared
def joined(*ids: UUID) -> "QuerySet[User, Any]":
    return User.objects.filter(pk__in=ids).order_by("email").values_list("email", "joined_at")


@prepared
def counted(organization: UUID) -> "list[QuerySet[Any, Any]]":
    people = User.objects.filter(organization=organization)
    return [
        people.filter(email__startswith="ada").values_list("email"),
        Workspace.objects.filter(organization=organization).values_list("name"),
    ]


@prepared
def longest(name: str) -> "QuerySet[Workspace, Any]":
    return Workspace.objects.filter(name__contains=name).values_list("name")


def test_each_call_has_its_own_values(people: People) -> None:
    organization = people.workspace.organization_id
    assert [row.pk for row in named(organization, people.workspace.name)] == [people.workspace.pk]
    assert named(organization, "no such name") == []
    assert named(people.strange_workspace.organization_id, people.workspace.name) == []


def test_what_was_changed_is_there_at_the_next_call(people: People) -> None:
    organization = people.workspace.organization_id
    assert len(named(organization, people.workspace.name)) == 1
    Workspace.objects.filter(pk=people.workspace.pk).update(name="Another")
    assert named(organization, people.workspace.name) == []
    assert [row.name for row in named(organization, "Another")] == ["Another"]


def test_objects_are_those_of_a_queryset_with_what_is_joined_to_them(people: People) -> None:
    found = named(people.workspace.organization_id, people.workspace.name)[0]
    with CaptureQueriesContext(connection) as queries:
        assert found.organization == people.organization
        assert (found.slug, found.created_at) == (people.workspace.slug, people.workspace.created_at)
    assert len(queries) == 0


def test_columns_come_as_values_of_python(people: People) -> None:
    assert [tuple(row) for row in joined(people.owner.pk)] == [(people.owner.email, people.owner.joined_at)]


def test_ids_are_filled_up_to_a_few_sizes(people: People) -> None:
    ids = [people.owner.pk, people.reader.pk]
    assert padded(ids, 3, 10) == [*ids, ids[-1]]
    assert padded(ids * 6, 3, 10) == ids * 6
    assert sorted(row[0] for row in joined(*padded(ids, 3))) == sorted([people.owner.email, people.reader.email])


def test_what_is_hardly_asked_again_is_not_kept(people: People) -> None:
    joined(people.owner.pk)
    kept = len(vars(connections["default"])[PLANS])
    for number in range(LONGEST + 1, LONGEST + 6):
        assert [email for email, _ in joined(*[people.owner.pk] * number)] == [people.owner.email]
    for start in range(1, 6):
        api_reads.page(people.owner, people.workspace.pk, order="newest", start=start, stop=start + 1)
    api_reads.page(people.owner, people.workspace.pk, order="newest", start=0, stop=1)
    assert len(vars(connections["default"])[PLANS]) <= kept + 2


def test_several_reads_are_one_statement_and_each_row_says_which(people: People) -> None:
    organization = people.workspace.organization_id
    counted(organization)
    with CaptureQueriesContext(connection) as queries:
        found = [tuple(row) for row in counted(organization)]
    assert len(queries) == 1
    assert {part for part, _ in found} == {0, 1}
    assert (1, people.workspace.name) in found


def test_a_query_that_changes_an_argument_is_refused(db: None) -> None:
    with pytest.raises(TypeError, match="does not compare a column with each of its arguments as it is"):
        longest("main")


def test_the_switcher_offers_what_is_visible(people: People) -> None:
    build.workspace(people.organization, name="Second")
    for person in (people.owner, people.reader, people.outsider, people.stranger):
        visible = list(Workspace.objects.visible_to(person).order_by("name_key"))
        assert spaces.offered(person) == visible


def test_the_overview_costs_two_queries_however_much_is_in_the_workspace(people: People) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            summary.of(people.workspace)
        return len(captured)

    for number in range(12):
        build.ai_llm(people.writer, people.workspace, name=f"row-{number:02}")
    summary.of(people.workspace)
    assert queries() == 2
    found = summary.of(people.workspace)
    assert (found.counts["never"], len(found.attention)) == (12, summary.SHOWN)
    assert listing.rows_of([]) == []


def test_a_moment_is_compared_as_a_moment(people: People) -> None:
    now = timezone.now()
    assert [tuple(row) for row in since(now - timedelta(days=1))] != []
    assert since(now + timedelta(days=1)) == []


@prepared
def since(moment: Any) -> "QuerySet[Workspace, Any]":
    return Workspace.objects.filter(created_at__gt=moment).values_list("name")
