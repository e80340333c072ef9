"""What is drawn once and kept: pieces of plain values, forms for rows, addresses, and the frame around a page."""

from collections.abc import Callable

import pytest
from django.template import Context, Template
from django.test import Client
from django.urls import NoReverseMatch
from django.utils.safestring import SafeString

from flashback.templatetags import drawing
from tests.conftest import People
from workspaces.models import User
from workspaces.templatetags import shell

SCRIPT = "<script>1</script> 50% {{ x }}"


def drawn(source: str, **values: object) -> str:
    return Template(source).render(Context(values)).strip()


def test_the_same_values_give_the_same_piece_and_markup_is_no_text(db: None) -> None:
    notice = '{% drawn "ui/notice.html" tone="info" text=text %}'
    assert "<b>now</b>" in drawn(notice, text=SafeString("<b>now</b>"))
    assert "&lt;b&gt;now&lt;/b&gt;" in drawn(notice, text="<b>now</b>")
    assert drawn(notice, text="a") == drawn(notice, text="a") != drawn(notice, text="b")


def test_a_piece_sees_nothing_but_its_values(db: None) -> None:
    assert "secret" not in drawn('{% drawn "ui/notice.html" tone="info" %}', text="secret")


def test_texts_of_a_row_are_escaped_and_never_read_as_part_of_the_form(db: None) -> None:
    rows = [{"words": SCRIPT, "actor": "%(words)s", "at": SafeString("<time></time>")} for _ in range(2)]
    found = str(drawing.filled("ai_llm/_event.html", rows))
    assert found.count("&lt;script&gt;1&lt;/script&gt; 50% {{ x }}") == 2
    assert found.count("%(words)s, <time></time>") == 2
    assert drawing.filled("ai_llm/_event.html", []) == ""


def test_a_tag_with_constants_is_drawn_when_the_template_is_read() -> None:
    assert drawn('{% icon "plus" %}') == drawn("{% icon name %}", name="plus")
    assert drawn('{% icon "plus" 14 as small %}[{{ small }}]').startswith("[<svg")
    assert drawn('{% badge "accepted" "<Yes>" %}') == drawn("{% badge state words %}", state="accepted", words="<Yes>")


def test_addresses_are_those_of_django() -> None:
    assert drawn("{% url 'ai_llms' slug %}", slug="main") == "/w/main/ai/llm"
    assert drawn("{% url 'ai_llms' slug as there %}{{ there }}", slug="main") == "/w/main/ai/llm"
    assert drawn("{% url 'no_such_route' as there %}[{{ there }}]") == "[]"
    assert drawn("{% url 'admin:index' %}") == "/admin/"
    with pytest.raises(NoReverseMatch):
        drawn("{% url 'no_such_route' %}")


def test_the_frame_is_that_of_the_person_and_its_form_has_the_token_of_the_page(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    path = f"/w/{people.workspace.slug}/ai"
    first, second = (signed_in(person).get(path) for person in (people.owner, people.reader))
    for answer, person, other in ((first, people.owner, people.reader), (second, people.reader, people.owner)):
        page = answer.content.decode()
        assert person.email in page
        assert other.email not in page
        assert shell.TOKEN not in page
    assert 'href="/organization/audit"' in first.content.decode()
    assert 'href="/organization/audit"' not in second.content.decode()


def test_a_new_role_changes_the_frame_at_the_next_page(people: People, signed_in: Callable[[User], Client]) -> None:
    client, path = signed_in(people.reader), f"/w/{people.workspace.slug}/ai"
    assert 'href="/organization/audit"' not in client.get(path).content.decode()
    User.objects.filter(pk=people.reader.pk).update(organization_role=254)
    assert 'href="/organization/audit"' in client.get(path).content.decode()
