"""Step 2 and 3 of the wizard: known providers to begin with, what is recognised, what can be permitted, key shapes."""

import io
import logging
import re
from collections.abc import Callable
from html import unescape

import pytest
from django.http import HttpResponse
from django.test import Client

from ai_llm import permits, trying
from ai_llm.doctor import examine
from ai_llm.providers import recipes, vertex
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces.models import User

HTMX = {"HX-Request": "true"}
PRESETS = {preset.slug: preset for preset in recipes.presets()}


@pytest.fixture
def client(people: People, signed_in: Callable[[User], Client]) -> Client:
    return signed_in(people.writer)


@pytest.fixture
def new(people: People) -> str:
    return f"/w/{people.workspace.slug}/ai/llm/new"


def value(response: HttpResponse, name: str) -> str:
    field = re.search(rf'<input[^>]*name="{name}"[^>]*>', response.content.decode())
    assert field, f"there is no input {name}"
    found = re.search(r'value="([^"]*)"', field.group())
    return unescape(found.group(1)) if found else ""


class TestPresets:
    @pytest.mark.parametrize("type_", ["OTHER", "OPENAI"])
    def test_all_are_offered_in_two_groups(self, type_: str, client: Client, new: str) -> None:
        page = client.get(f"{new}?type={type_}").content.decode()
        assert re.findall(r'<optgroup label="([^"]+)"', page) == ["On your own machines", "Hosted"]
        assert set(re.findall(r'<option value="([^"]+)"', page)) == set(PRESETS)

    @pytest.mark.parametrize("type_", ["ANTHROPIC", "AWS"])
    def test_types_with_one_provider_offer_none(self, type_: str, client: Client, new: str) -> None:
        assert 'name="preset"' not in client.get(f"{new}?type={type_}").content.decode()

    def test_google_offers_vertex_ai_beside_its_api_keys(self, client: Client, new: str) -> None:
        page = text(client.get(f"{new}?type=GOOGLE"))
        assert "Vertex AI is at https://REGION-aiplatform.googleapis.com" in page
        answer = client.post(f"{new}?type=GOOGLE", {"name": "", "preset": "vertex-ai", "action": "preset"})
        assert value(answer, "endpoint") == vertex.DEFAULT_ENDPOINT
        assert "Recognised: " in text(answer)

    @pytest.mark.parametrize("type_", ["OPENAI", "OTHER"])
    def test_the_sandbox_provider_leads_to_no_real_key(self, type_: str, client: Client, new: str) -> None:
        page = text(client.get(f"{new}?type={type_}&name=x&endpoint=http://127.0.0.1:9099/openai/v1"))
        assert trying.PRACTISED in page
        assert "Where to make" not in page
        assert "begins with sk-" not in page

    def test_the_button_fills_in_endpoint_and_name_and_complains_of_nothing(self, client: Client, new: str) -> None:
        answer = client.post(f"{new}?type=OTHER", {"name": "", "endpoint": "", "preset": "groq", "action": "preset"})
        assert answer.status_code == 200
        assert (value(answer, "name"), value(answer, "endpoint")) == ("groq", PRESETS["groq"].endpoint)
        assert "Recognised: Groq." in text(answer)
        assert 'id="errors"' not in answer.content.decode()

    def test_a_typed_name_is_kept(self, client: Client, new: str) -> None:
        sent = {"name": "mine", "endpoint": "https://x.example.com", "preset": "groq", "action": "preset"}
        answer = client.post(f"{new}?type=OTHER", sent)
        assert (value(answer, "name"), value(answer, "endpoint")) == ("mine", PRESETS["groq"].endpoint)

    def test_a_choice_without_its_button_counts_when_no_endpoint_was_typed(self, client: Client, new: str) -> None:
        for type_, endpoint in (("OTHER", ""), ("OPENAI", "https://api.openai.com/v1")):
            sent = {"name": f"by-choice-{type_}", "endpoint": endpoint, "preset": "groq"}
            answer = client.post(f"{new}?type={type_}", sent)
            assert (answer.status_code, "api.groq.com" in answer["Location"]) == (303, True)

    def test_a_typed_endpoint_wins_over_a_choice_without_its_button(self, client: Client, new: str) -> None:
        sent = {"name": "typed", "endpoint": "https://llm.example.com/v1", "preset": "groq"}
        assert "llm.example.com" in client.post(f"{new}?type=OTHER", sent)["Location"]

    @pytest.mark.parametrize("preset", ["", "junk", "\0", "<b>"])
    def test_an_unknown_choice_fills_in_nothing(self, preset: str, client: Client, new: str) -> None:
        sent = {"name": "x", "endpoint": "", "preset": preset, "action": "preset"}
        answer = client.post(f"{new}?type=OTHER", sent)
        assert (answer.status_code, value(answer, "endpoint")) == (200, "")

    @pytest.mark.parametrize("slug", sorted(PRESETS))
    def test_each_is_recognised_by_what_it_fills_in(self, slug: str, settings: object) -> None:
        settings.OUTBOUND_ALLOW = [f"localhost:{port}" for port in (11434, 1234, 8000, 8080)]
        preset = PRESETS[slug]
        if preset.complete:
            assert examine(preset.endpoint, "OTHER").recipe == preset.name


class TestRecognised:
    def test_an_unconfirmed_one_says_so_in_the_wizard_and_on_its_page(
        self, client: Client, new: str, people: People
    ) -> None:
        preset = next(preset for preset in PRESETS.values() if not preset.confirmed and preset.complete)
        typed = client.post(f"{new}/examine", {"type": "OTHER", "endpoint": preset.endpoint}, headers=HTMX)
        assert f"Recognised: {preset.name}." in text(typed)
        assert "Unconfirmed: nobody has documented" in text(typed)
        row = build.ai_llm(people.writer, people.workspace, type="OTHER", endpoint=preset.endpoint)
        assert "Unconfirmed: nobody has documented" in text(client.get(f"{new.removesuffix('new')}{row.pk}"))

    def test_a_confirmed_one_says_nothing_of_it(self, client: Client, new: str) -> None:
        typed = client.post(f"{new}/examine", {"type": "OTHER", "endpoint": PRESETS["groq"].endpoint}, headers=HTMX)
        assert "Recognised: Groq." in text(typed)
        assert "nconfirmed" not in text(typed)


class TestPermits:
    @pytest.mark.parametrize(
        ("endpoint", "line"),
        [
            ("http://10.1.2.3:8000/v1", "FLASHBACK_OUTBOUND_ALLOW=10.1.2.3:8000"),
            ("https://llm.internal/v1", "FLASHBACK_OUTBOUND_ALLOW=llm.internal:443"),
            ("http://localhost:8000/v1", "FLASHBACK_OUTBOUND_ALLOW=localhost:8000"),
            ("https://[fd00::1]:8443/v1", "FLASHBACK_OUTBOUND_ALLOW=[fd00::1]:8443"),
            ("https://api.example.com:8443/v1", "FLASHBACK_OUTBOUND_ALLOW=api.example.com:8443"),
            ("http://llm.example.com:8080/v1", "FLASHBACK_OUTBOUND_ALLOW=llm.example.com:8080"),
            ("http://llm.internal/v1", "FLASHBACK_OUTBOUND_ALLOW=llm.internal:80"),
            ("http://api.openai.com/v1", ""),
            ("http://api.openai.com:80/v1", ""),
            ("http://203.0.113.9/v1", "FLASHBACK_OUTBOUND_ALLOW=203.0.113.9:80"),
            ("http://8.8.8.8/v1", ""),
            ("https://api.example.com:0/v1", ""),
            ("https://api.example.com:99999/v1", ""),
            ("http://169.254.169.254/latest", ""),
            ("https://api.openai.com/v1", ""),
            ("https://user:pw@10.1.2.3/v1", ""),
            ("nonsense", ""),
            ("", ""),
        ],
    )
    def test_the_line_for_the_operator(self, endpoint: str, line: str) -> None:
        assert permits.for_endpoint(endpoint, examine(endpoint, "OTHER").findings) == line

    @pytest.mark.parametrize("line", ["10.1.2.3:8000", "[fd00::1]:8443", "llm.internal:443"])
    def test_the_operator_can_use_the_line_as_it_is(self, line: str, settings: object) -> None:
        settings.OUTBOUND_ALLOW = [line]
        examination = examine(f"https://{line}/v1", "OTHER")
        assert permits.for_endpoint(f"https://{line}/v1", examination.findings) == ""
        assert examination.normal

    def test_the_pages_offer_it_to_copy(self, client: Client, new: str) -> None:
        typed = client.post(f"{new}/examine", {"type": "OTHER", "endpoint": "http://10.1.2.3:8000/v1"}, headers=HTMX)
        sent = client.post(f"{new}?type=OTHER", {"name": "x", "endpoint": "http://10.1.2.3:8000/v1"})
        for page in (typed, sent):
            assert 'data-copy="FLASHBACK_OUTBOUND_ALLOW=10.1.2.3:8000"' in page.content.decode()


SLIPS = [
    ("https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/v1", "https://api.openai.com/v1"),
    ("https://api.openai.com", "https://api.openai.com/v1"),
    ("http://api.openai.com/v1", "https://api.openai.com/v1"),
    ("api.openai.com/v1", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
    ("https://me:pw@api.openai.com/v1", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1?key=abc", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1#top", "https://api.openai.com/v1"),
    ('"https://api.openai.com/v1"', "https://api.openai.com/v1"),
    ("https://api.openai .com/v1", "https://api.openai.com/v1"),
]


class TestTheDoctorOnPages:
    @pytest.mark.parametrize(("typed", "fixed"), SLIPS)
    def test_every_slip_has_its_fix_in_the_wizard_and_in_edit(
        self, typed: str, fixed: str, client: Client, new: str, people: People
    ) -> None:
        row = build.ai_llm(people.writer, people.workspace)
        edit = f"{new.removesuffix('new')}{row.pk}/edit"
        pages = [
            client.post(f"{new}/examine", {"type": "OPENAI", "endpoint": typed}, headers=HTMX),
            client.get(f"{new}?type=OPENAI&name=x&endpoint={typed}&step=configuration".replace("#", "%23")),
            client.get(f"{edit}?endpoint={typed}".replace("#", "%23")),
        ]
        for page in pages:
            assert re.search(rf'<button[^>]*name="fix"\s+value="{re.escape(fixed)}"', page.content.decode()), typed
        clicked = client.post(edit, {"name": "kept", "endpoint": typed, "version": "1", "fix": fixed})
        assert (value(clicked, "endpoint"), value(clicked, "name")) == (fixed, "kept")
        assert f"The check will call {fixed}/models" in text(clicked)

    def test_the_secret_fields_are_not_sent_along_while_the_endpoint_is_typed(
        self, client: Client, new: str, people: People
    ) -> None:
        row = build.ai_llm(people.writer, people.workspace)
        page = client.get(f"{new.removesuffix('new')}{row.pk}/edit").content.decode()
        field = re.search(r'<input[^>]*name="endpoint"[^>]*>', page)
        assert field
        assert 'hx-params="type,endpoint"' in field.group()


class TestKeyShapes:
    @pytest.mark.parametrize(
        ("type_", "endpoint", "secret", "says"),
        [
            ("OPENAI", "https://api.openai.com/v1", "sk-ant-api03-" + "a" * 93, "looks like a key of Anthropic"),
            ("OPENAI", "https://api.openai.com/v1", "Bearer sk-proj-" + "a" * 60, "begins with the word Bearer"),
            ("ANTHROPIC", "https://api.anthropic.com", "AIza" + "b" * 35, "looks like a key of Google"),
            ("OPENAI", "https://api.openai.com/v1", "sk-…cdef", "looks like a mask"),
        ],
    )
    def test_a_pasted_secret_is_looked_at_and_never_repeated(
        self, type_: str, endpoint: str, secret: str, says: str, client: Client, new: str
    ) -> None:
        answer = client.post(
            f"{new}/hints?type={type_}&endpoint={endpoint}", {"secret": secret, "key": ""}, headers=HTMX
        )
        assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store, private")
        assert says in text(answer)
        assert secret not in unescape(answer.content.decode())

    def test_nothing_of_it_reaches_the_log(self, client: Client, new: str) -> None:
        stream = io.StringIO()
        handler, root = logging.StreamHandler(stream), logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            client.post(f"{new}/hints?type=OPENAI", {"secret": build.SECRET, "key": "a-second-key"}, headers=HTMX)
            client.post(f"{new}/hints?type=EVIL", {"secret": build.SECRET}, headers=HTMX)
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
        assert build.SECRET not in stream.getvalue()

    def test_an_empty_field_has_no_hints(self, client: Client, new: str) -> None:
        answer = client.post(f"{new}/hints?type=OPENAI&endpoint=x", {"secret": "", "key": ""}, headers=HTMX)
        assert text(answer) == ""

    def test_a_warning_never_stops_anybody(self, client: Client, new: str) -> None:
        address = f"{new}?type=OPENAI&name=odd&endpoint=https://api.openai.com/v1"
        row = value(client.get(address), "row")
        answer = client.post(address, {"row": row, "secret": "sk-ant-api03-" + "a" * 95, "action": "create"})
        assert answer.status_code == 303

    @pytest.mark.parametrize("form", ["edit", "rotate"])
    def test_edit_and_replace_secret_look_too(self, form: str, client: Client, new: str, people: People) -> None:
        row = build.ai_llm(people.writer, people.workspace)
        page = client.get(f"{new.removesuffix('new')}{row.pk}/{form}").content.decode()
        for name in ("secret", "key"):
            field = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
            assert field
            assert f'hx-post="{new}/hints?' in field.group()
            assert 'hx-trigger="paste delay:100ms, input changed delay:600ms"' in field.group()
