"""The wizard, step by step, as a browser without scripts would walk it."""

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client

from ai_llm.models import AiLlm, Type
from tests import build
from tests.conftest import People
from workspaces.models import User

ENDPOINT = "https://api.openai.com/v1"
CONFIGURATION = {"name": "prod-openai-gateway", "endpoint": ENDPOINT}


@pytest.fixture
def client(people: People, signed_in: Callable[[User], Client]) -> Client:
    return signed_in(people.writer)


@pytest.fixture
def new(people: People) -> str:
    return f"/w/{people.workspace.slug}/ai/llm/new"


def text(response: HttpResponse) -> str:
    return unescape(response.content.decode())


def value(response: HttpResponse, name: str) -> str | None:
    """The value of the input `name`, or None when it has none."""
    field = re.search(rf'<input[^>]*name="{name}"[^>]*>', response.content.decode())
    assert field, f"there is no input {name}"
    found = re.search(r'value="([^"]*)"', field.group())
    return unescape(found.group(1)) if found else None


def third_step(client: Client, new: str, **configuration: str) -> tuple[str, str]:
    """Walk to the credentials; return the address and the signed row id."""
    answer = client.post(f"{new}?type=OPENAI", {**CONFIGURATION, **configuration})
    assert answer.status_code == 303, text(answer)
    page = client.get(answer["Location"])
    return answer["Location"], value(page, "row") or ""


def test_the_first_step_offers_the_five_types_as_links(client: Client, new: str) -> None:
    page = text(client.get(new))
    for type_ in Type:
        assert f"type={type_.value}" in page
        assert type_.label in page


def test_an_unknown_type_leads_back_to_the_choice(client: Client, new: str) -> None:
    answer = client.get(f"{new}?type=<b>MISTRAL")
    assert answer.status_code == 404
    assert "There is no AI LLM type" in text(answer)
    assert "<b>MISTRAL" not in answer.content.decode()


@pytest.mark.parametrize(
    ("type_", "endpoint"),
    [
        ("OPENAI", "https://api.openai.com/v1"),
        ("GOOGLE", "https://generativelanguage.googleapis.com/v1beta"),
        ("ANTHROPIC", "https://api.anthropic.com"),
        ("AWS", "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ("OTHER", ""),
    ],
)
def test_the_endpoint_is_prefilled_for_each_type(type_: str, endpoint: str, client: Client, new: str) -> None:
    assert (value(client.get(f"{new}?type={type_}"), "endpoint") or "") == endpoint


def test_right_answers_travel_in_the_address_and_the_secret_does_not(client: Client, new: str) -> None:
    address, row = third_step(client, new)
    assert parse_qs(urlsplit(address).query) == {
        "type": ["OPENAI"],
        "name": [CONFIGURATION["name"]],
        "endpoint": [ENDPOINT],
    }
    answer = client.post(address, {"row": row, "secret": build.SECRET, "action": "create"})
    found = AiLlm.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, new.removesuffix("new") + str(found.pk))
    page = text(client.get(answer["Location"]))
    assert CONFIGURATION["name"] in page
    assert build.SECRET not in page


def test_a_deep_link_with_all_answers_opens_the_credentials(client: Client, new: str) -> None:
    page = text(client.get(f"{new}?type=OPENAI&name=deep&endpoint={ENDPOINT}"))
    assert "Create configuration" in page


@pytest.mark.parametrize(
    ("type_", "endpoint", "says", "way", "leads"),
    [
        ("OPENAI", "https://llm.example.com/x", "no version path", "Use https://llm.example.com/x/v1",
         {"type": ["OPENAI"], "endpoint": ["https://llm.example.com/x/v1"]}),
        ("OPENAI", "https://api.anthropic.com", "This is the address of Anthropic", "Choose ANTHROPIC",
         {"type": ["ANTHROPIC"], "endpoint": ["https://api.anthropic.com"]}),
    ],
)  # fmt: skip
def test_what_is_doubtful_about_the_endpoint_is_said_again_in_the_review_with_a_way_out(
    type_: str, endpoint: str, says: str, way: str, leads: dict[str, list[str]], client: Client, new: str
) -> None:
    page = text(client.get(f"{new}?type={type_}&name=n&endpoint={endpoint}"))
    assert says in page
    link = re.search(rf'<a class="button small" href="([^"]+)">{re.escape(way)}</a>', page)
    assert link
    assert parse_qs(urlsplit(unescape(link[1])).query) == {**leads, "name": ["n"]}
    better = text(client.get(unescape(link[1])))
    assert says not in better
    assert "Review what you chose" in better


def test_a_deep_link_with_a_wrong_answer_opens_its_step_with_the_message(client: Client, new: str) -> None:
    answer = client.get(f"{new}?type=OPENAI&name=deep&endpoint=http://api.openai.com")
    assert answer.status_code == 422
    assert "Create configuration" not in text(answer)
    assert value(answer, "name") == "deep"


WRONG_ENDPOINTS = [
    "api.openai.com/v1",
    "https://me:password@api.openai.com/v1",
    "https://api.openai.com/v1?key=abc",
    "https://api.openai.com/v1#top",
    "https://api openai.com/v1",
    "https://api.openai.com/v1/chat/completions",
    "http://api.openai.com/v1",
    "https://127.0.0.1/v1",
    "https://10.0.0.1/v1",
    "https://169.254.169.254/latest",
    "https://[::1]/v1",
    "ftp://api.openai.com",
    "https://",
    "https://api.openai.com:99999/v1",
    "https://api.openai.com\\@evil.example/v1",
    "javascript:alert(1)",
    "https://" + "a" * 3000 + ".example/v1",
    "https://api.openai.com/\u202ev1",
    "   ",
]


@pytest.mark.parametrize("endpoint", WRONG_ENDPOINTS)
def test_a_wrong_endpoint_is_explained_and_nothing_typed_is_lost(endpoint: str, client: Client, new: str) -> None:
    answer = client.post(f"{new}?type=OPENAI", {"name": "kept", "endpoint": endpoint})
    assert answer.status_code == 422
    assert (value(answer, "name"), value(answer, "endpoint") or "") == ("kept", endpoint)
    assert 'aria-invalid="true"' in answer.content.decode()


def test_what_is_wrong_with_an_endpoint_is_said_in_the_summary_and_beside_the_field(client: Client, new: str) -> None:
    words, endpoint = "belongs to a single call", f"{ENDPOINT}/chat/completions"
    answer = client.post(f"{new}?type=OPENAI", {"name": "kept", "endpoint": endpoint})
    assert answer.content.decode().count(words) == 2
    piece = client.post(f"{new}/examine", {"type": "OPENAI", "endpoint": endpoint}, headers={"HX-Request": "true"})
    assert piece.content.decode().count(words) == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 300, "invoice\u202egnp.exe", "a\u0000b"])
def test_a_wrong_name_is_explained_and_the_endpoint_is_kept(name: str, client: Client, new: str) -> None:
    answer = client.post(f"{new}?type=OPENAI", {"name": name, "endpoint": ENDPOINT})
    assert (answer.status_code, value(answer, "endpoint")) == (422, ENDPOINT)


def test_a_fix_is_one_click_without_scripts(client: Client, new: str) -> None:
    page = client.post(f"{new}?type=OPENAI", {"name": "kept", "endpoint": "api.openai.com/v1"})
    fix = re.search(r'name="fix"\s+value="([^"]+)"', page.content.decode())
    assert fix
    fixed = client.post(f"{new}?type=OPENAI", {"name": "kept", "endpoint": "api.openai.com/v1", "fix": fix.group(1)})
    assert (value(fixed, "name"), value(fixed, "endpoint")) == ("kept", ENDPOINT)


WRONG_SECRETS = [
    "",
    "short",
    "sk with blanks inside it 1234567890",
    "line\nbreak-in-the-middle-1234567890",
    '"sk-quoted-1234567890abcdef"',
    "Bearer sk-1234567890abcdef",
    "sk-proj-****************abcd",
    "sk-proj-…abcd1234567",
    "sk-ünïcode-1234567890abcdef",
    "nul\0nul-1234567890abcdef",
    "x" * 4097,
]


@pytest.mark.parametrize("secret", WRONG_SECRETS, ids=range(len(WRONG_SECRETS)))
def test_a_wrong_secret_is_explained_and_never_sent_back(secret: str, client: Client, new: str) -> None:
    address, row = third_step(client, new)
    answer = client.post(address, {"row": row, "secret": secret, "key": "my-organization", "action": "create"})
    assert answer.status_code == 422
    assert (value(answer, "secret"), value(answer, "key"), value(answer, "row")) == (None, None, row)
    if len(secret) > 5:
        assert secret not in text(answer)
    assert not AiLlm.objects.exists()


def test_blanks_around_a_pasted_secret_are_no_fault(client: Client, new: str) -> None:
    address, row = third_step(client, new)
    answer = client.post(address, {"row": row, "secret": f"  {build.SECRET}\n", "action": "create"})
    assert answer.status_code == 303


def test_a_double_submit_lands_on_the_same_row(client: Client, new: str) -> None:
    address, row = third_step(client, new)
    sent = {"row": row, "secret": build.SECRET, "action": "create"}
    assert client.post(address, sent)["Location"] == client.post(address, sent)["Location"]
    assert AiLlm.objects.count() == 1


def test_a_second_submit_with_another_secret_says_already_created(client: Client, new: str) -> None:
    address, row = third_step(client, new)
    client.post(address, {"row": row, "secret": build.SECRET, "action": "create"})
    again = client.post(address, {"row": row, "secret": "another-secret-of-24-signs", "action": "create"})
    assert again.status_code == 409
    assert "Already created" in text(again)
    assert "Replace its secret here" in text(again)


@pytest.mark.parametrize("row", ["", "junk", "WyJhIl0:1abc:def"])
def test_a_form_that_was_tampered_with_makes_nothing(row: str, client: Client, new: str) -> None:
    address, _ = third_step(client, new)
    answer = client.post(address, {"row": row, "secret": build.SECRET, "action": "create"})
    assert answer.status_code == 422
    assert not AiLlm.objects.exists()


def test_a_form_made_for_another_person_makes_nothing(
    client: Client, new: str, people: People, signed_in: Callable[[User], Client]
) -> None:
    address, row = third_step(client, new)
    answer = signed_in(people.admin).post(address, {"row": row, "secret": build.SECRET, "action": "create"})
    assert answer.status_code == 422
    assert "Start again with Add AI LLM" in text(answer)


def test_the_form_of_a_deleted_row_says_so(client: Client, new: str) -> None:
    address, row = third_step(client, new)
    client.post(address, {"row": row, "secret": build.SECRET, "action": "create"})
    client.post(f"{new.removesuffix('new')}{AiLlm.objects.get().pk}/delete", {"name": CONFIGURATION["name"]})
    again = client.post(address, {"row": row, "secret": build.SECRET, "action": "create"})
    assert again.status_code == 409
    assert "was deleted" in text(again)


def test_a_name_taken_since_leads_back_to_its_field(client: Client, new: str, people: People) -> None:
    address, row = third_step(client, new)
    build.ai_llm(people.admin, people.workspace, name=CONFIGURATION["name"])
    answer = client.post(address, {"row": row, "secret": build.SECRET, "action": "create"})
    assert answer.status_code == 422
    assert "already has an AI LLM with this name" in text(answer)
    assert value(answer, "name") == CONFIGURATION["name"]


def test_two_tabs_do_not_meet(client: Client, new: str) -> None:
    first, first_row = third_step(client, new, name="first")
    second, second_row = third_step(client, new, name="second")
    client.post(second, {"row": second_row, "secret": build.SECRET, "action": "create"})
    client.post(first, {"row": first_row, "secret": build.SECRET, "action": "create"})
    assert set(AiLlm.objects.values_list("name", flat=True)) == {"first", "second"}


def test_nothing_of_the_wizard_is_kept_in_the_session(client: Client, new: str) -> None:
    before = dict(client.session.items())
    address, row = third_step(client, new)
    client.post(address, {"row": row, "secret": "short", "action": "create"})
    kept = {k: v for k, v in client.session.items() if k not in before}
    assert build.SECRET not in repr(kept)
    assert CONFIGURATION["name"] not in repr(kept)


def test_an_expired_login_in_the_middle_comes_back_to_the_step(client: Client, new: str) -> None:
    address, row = third_step(client, new)
    client.logout()
    answer = client.post(address, {"row": row, "secret": build.SECRET, "action": "create"})
    assert answer.status_code == 302
    assert urlsplit(answer["Location"]).path == "/account/login"
    assert parse_qs(urlsplit(answer["Location"]).query)["next"] == [address]


def test_an_expired_login_never_lands_inside_a_page(client: Client, new: str) -> None:
    client.logout()
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{new}?type=OPENAI"}
    answer = client.get(new, headers=headers)
    assert answer.status_code == 401
    assert (
        answer["HX-Redirect"] == "/account/login?next=%2Fw%2F" + new.split("/")[2] + "%2Fai%2Fllm%2Fnew%3Ftype%3DOPENAI"
    )
    assert answer.content == b""


def test_one_address_serves_page_and_fragment(client: Client, new: str) -> None:
    page, fragment = client.get(new), client.get(new, headers={"HX-Request": "true"})
    assert "<html" in text(page)
    assert "<html" not in text(fragment)
    assert "HX-Request" in page["Vary"]
    restored = client.get(new, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in text(restored)
