"""The operators' page about keys: counts and names, for staff alone, and nothing that could open anything."""

import re

import pytest
from django.core.management import CommandError, call_command

from ai_llm import configs, credentials, key_use
from ai_llm.models import AiLlm, Credential
from flashback import sealed
from flashback.keyring import new_field_key
from tests import build
from tests.test_sealed import column, store
from workspaces.models import Event

PAGE = "/admin/keys/"


def table(html, caption):
    """The rows of one table as lists of words."""
    part = html.partition(f"<caption>{caption}</caption>")[2].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part.partition("<tbody>")[2], re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in row] for row in cells]


@pytest.fixture
def page(people, signed_in):
    client = signed_in(people.staff)

    def get():
        answer = client.get(PAGE)
        assert answer.status_code == 200
        return answer.content.decode()

    return get


def test_it_shows_for_each_key_how_much_needs_it_and_what_to_do(people, page, ring, settings):
    build.ai_llm(people.writer, people.workspace)
    old = sealed.key_id()
    ring(new_field_key(), *settings.FIELD_ENCRYPTION_KEY)
    assert table(page(), "Keys") == [
        [sealed.key_id(), "Yes, first", "0", "0", "It seals now. Keep it."],
        [old, "Yes", "1", "1", "It is still needed. Run manage.py secrets rotate."],
    ]
    call_command("secrets", "rotate")
    assert table(page(), "Keys")[1] == [
        old, "Yes", "0", "0", "Nothing needs it any more. It can be removed, once manage.py secrets check is clean.",
    ]  # fmt: skip
    assert "moved 1 to the key that was first then" in page()


def test_a_lost_key_and_what_needs_it_are_named(people, page, ring):
    made = build.ai_llm(people.writer, people.workspace, name="production")
    lost = sealed.key_id()
    ring(new_field_key())
    html = page()
    assert [lost, "No", "1", "1", "It is missing. Put it back, or enter the secrets again that need it."] in table(
        html, "Keys"
    )
    assert table(html, "1 AI LLM") == [["production", "Main", "Acme", f"The key {lost} is missing from the keyring."]]
    assert f'<a href="/admin/ai_llm/aillm/{made.pk}/change/">production</a>' in html


def test_what_the_last_check_could_not_open_is_named_until_it_is_entered_again(people, page, capsys):
    made = build.ai_llm(people.writer, people.workspace, name="damaged")
    store(made.credential, column(made.credential)[:-8] + "AAAAAAA=")
    assert "Never." in page()
    with pytest.raises(CommandError):
        call_command("secrets", "check")
    assert table(page(), "1 AI LLM") == [["damaged", "Main", "Acme", "What is stored does not open (undecryptable)."]]
    credentials.overwrite(Credential.objects.get(), secret=build.SECRET, set_by=None)
    assert "None that is known of." in page()
    call_command("secrets", "check")
    assert "1 ok" in " ".join(page().split())


def test_a_row_without_any_secret_is_named_but_not_one_that_needs_none(people, page):
    build.ai_llm(people.writer, people.workspace, name="empty")
    AiLlm.objects.update(credential=None)
    assert table(page(), "1 AI LLM") == [["empty", "Main", "Acme", "No secret is stored."]]
    AiLlm.objects.update(keyless=True)
    assert "None that is known of." in page()


def test_a_deleted_row_needs_nothing(people, page):
    made = build.ai_llm(people.writer, people.workspace, name="gone")
    configs.delete(people.writer, made)
    assert "None that is known of." in page()


def test_no_key_and_nothing_sealed_is_on_it(people, page, settings):
    made = build.ai_llm(people.writer, people.workspace)
    Credential.objects.update(key_id="gone")
    html = page()
    held = Credential.objects.get()
    for hidden in (*settings.FIELD_ENCRYPTION_KEY, build.SECRET, column(held), "gAAAA", held.fingerprint, held.hint):
        assert hidden not in html
    assert made.name in html


def test_many_are_counted_and_the_first_are_shown(people, page, monkeypatch):
    for number in range(3):
        build.ai_llm(people.writer, people.workspace, name=f"n{number}")
    AiLlm.objects.update(credential=None)
    monkeypatch.setattr(key_use, "SHOWN", 2)
    html = page()
    assert ([row[0] for row in table(html, "3 AI LLMs")], "And 1 more." in html) == (["n0", "n1"], True)


def test_the_look_is_recorded_for_those_whose_rows_were_shown(people, page):
    build.ai_llm(people.writer, people.workspace)
    page()
    assert not Event.objects.filter(action="staff.looked").exists()
    AiLlm.objects.update(credential=None)
    page()
    assert Event.objects.get(action="staff.looked").workspace_id == people.workspace.pk


def test_the_start_of_the_admin_site_leads_to_it(people, signed_in):
    assert f'href="{PAGE}"' in signed_in(people.staff).get("/admin/").content.decode()
