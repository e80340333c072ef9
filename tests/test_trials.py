"""Test connection on every page that has it: values that are not saved, and where a stored secret may be used."""

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from django.test import Client

from ai_llm import configs, trials, validation
from ai_llm.models import AiLlm, Check, Credential
from ai_llm.sandbox import SECRETS, Sandbox
from flashback.errors import Conflict, Denied, Invalid
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces.models import Event, User

pytestmark = pytest.mark.django_db(transaction=True)

WRONG = "sandbox-openai-secret-that-is-wrong"
HTMX = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.fixture
def sandbox(server: Sandbox, settings: object) -> Sandbox:
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{server.port}"]
    server.requests.clear()
    return server


@pytest.fixture
def row(people: People, sandbox: Sandbox) -> AiLlm:
    return build.ai_llm(people.writer, people.workspace, endpoint=sandbox.url("/openai/v1"))


@pytest.fixture
def client(people: People, signed_in: Callable[[User], Client]) -> Client:
    return signed_in(people.writer)


@pytest.fixture
def page(people: People, row: AiLlm) -> str:
    return f"/w/{people.workspace.slug}/ai/llm/{row.pk}"


def sent(sandbox: Sandbox) -> set[str]:
    """The secrets that arrived, without those that the check made up."""
    arrived = {(request.header("authorization") or "").removeprefix("Bearer ") for request in sandbox.requests}
    return arrived & {SECRETS.openai, WRONG}


class TestTheVerbs:
    def test_an_edit_is_tested_with_the_stored_secret_when_the_destination_stays(
        self, people: People, row: AiLlm, sandbox: Sandbox
    ) -> None:
        for endpoint in (row.endpoint, f"{row.endpoint}/"):
            assert trials.of_edit(people.writer, row, endpoint=endpoint).verdict == "accepted"
        assert sent(sandbox) == {SECRETS.openai}

    @pytest.mark.parametrize("path", ["/quota/v1", "/openai/v1/tenant", "/openai/v2"])
    def test_another_destination_never_sees_the_stored_secret(
        self, path: str, people: People, row: AiLlm, sandbox: Sandbox
    ) -> None:
        with pytest.raises(Invalid) as refused:
            trials.of_edit(people.writer, row, endpoint=sandbox.url(path))
        assert refused.value.errors == {"secret": configs.SECRET_AGAIN}
        assert sandbox.requests == []

    def test_another_destination_is_tested_with_what_was_typed_for_it(
        self, people: People, row: AiLlm, sandbox: Sandbox
    ) -> None:
        result = trials.of_edit(people.writer, row, endpoint=sandbox.url("/quota/v1"), secret=SECRETS.openai)
        assert (result.verdict, result.cause) == ("limited", "quota_spent")

    def test_a_destination_that_another_editor_left_is_no_longer_the_stored_one(
        self, people: People, row: AiLlm, sandbox: Sandbox
    ) -> None:
        stale, before = AiLlm.objects.select_related("workspace").get(), row.endpoint
        moved = {"endpoint": sandbox.url("/vllm/v1"), "secret": SECRETS.openai, "version": row.version}
        configs.update(people.admin, row, name=row.name, **moved)
        with pytest.raises(Invalid) as refused:
            trials.of_edit(people.writer, stale, endpoint=before)
        assert refused.value.errors == {"secret": configs.SECRET_AGAIN}

    def test_a_credential_bound_elsewhere_is_not_opened(self, people: People, row: AiLlm, sandbox: Sandbox) -> None:
        Credential.objects.update(origin="https://elsewhere.example.com:443")
        with pytest.raises(Invalid):
            trials.of_edit(people.writer, row, endpoint=row.endpoint)
        assert sandbox.requests == []

    def test_a_secret_that_no_key_opens_is_asked_for(self, people: People, row: AiLlm) -> None:
        Credential.objects.update(secret=None)
        with pytest.raises(Invalid) as refused:
            trials.of_edit(people.writer, row, endpoint=row.endpoint)
        assert refused.value.errors == {"secret": trials.UNREADABLE}

    def test_a_new_secret_is_tested_and_the_stored_one_is_not(
        self, people: People, row: AiLlm, sandbox: Sandbox
    ) -> None:
        assert trials.of_new_secret(people.writer, row, secret=WRONG).verdict == "rejected"
        assert sent(sandbox) == {WRONG}

    def test_a_new_secret_is_tested_with_the_api_key_that_is_kept(self, people: People, sandbox: Sandbox) -> None:
        pair = {"secret": "wrong-secret-access-key-of-forty-letters", "key": SECRETS.aws_access_key_id}
        stored = build.ai_llm(
            people.writer, people.workspace, type="AWS", endpoint=sandbox.url("/bedrock/us-east-1"), **pair
        )
        found = trials.of_new_secret(people.writer, stored, secret=SECRETS.aws_secret_access_key)
        assert found.verdict == "accepted"
        alone = trials.of_new_secret(people.writer, stored, secret=SECRETS.aws_secret_access_key, remove_key=True)
        assert alone.verdict != "accepted"

    def test_going_without_a_secret_is_tested_without_one(self, people: People, sandbox: Sandbox) -> None:
        stored = build.ai_llm(people.writer, people.workspace, type="OTHER", endpoint=sandbox.url("/keyless/v1"))
        assert trials.of_new_secret(people.writer, stored, keyless=True).verdict == "accepted"
        assert sent(sandbox) == set()

    def test_nothing_is_stored_or_recorded(self, people: People, row: AiLlm) -> None:
        trials.of_edit(people.writer, row, endpoint=row.endpoint)
        trials.of_new_secret(people.writer, row, secret=WRONG)
        assert (Check.objects.count(), AiLlm.objects.get().verdict) == (0, "")
        assert list(Event.objects.values_list("action", flat=True)) == ["ai_llm.created"]

    @pytest.mark.parametrize("who", ["reader", "outsider", "stranger"])
    def test_people_without_write_test_nothing(self, who: str, people: People, row: AiLlm, sandbox: Sandbox) -> None:
        for run in (
            lambda: trials.of_edit(getattr(people, who), row, endpoint=row.endpoint),
            lambda: trials.of_new_secret(getattr(people, who), row, secret=WRONG),
        ):
            with pytest.raises(Denied):
                run()
        assert sandbox.requests == []

    def test_what_was_deleted_meanwhile_is_a_conflict(self, people: People, row: AiLlm) -> None:
        configs.delete(people.writer, row)
        with pytest.raises(Conflict):
            trials.of_edit(people.writer, row, endpoint=row.endpoint)


class TestThePages:
    @pytest.mark.parametrize("form", ["edit", "rotate"])
    def test_with_scripts_only_the_result_is_sent(self, form: str, client: Client, page: str, row: AiLlm) -> None:
        values = {"action": "test", "name": row.name, "endpoint": row.endpoint, "version": "1", "secret": WRONG}
        answer = client.post(f"{page}/{form}", values, headers=HTMX)
        assert answer.status_code == 200
        assert "Tested, not saved" in text(answer)
        assert "Rejected" in text(answer)
        assert "<form" not in answer.content.decode()
        assert WRONG not in answer.content.decode()

    def test_without_scripts_what_was_typed_is_kept_and_the_secret_asked_for_again(
        self, client: Client, page: str, sandbox: Sandbox
    ) -> None:
        typed = {"name": "renamed", "endpoint": sandbox.url("/quota/v1"), "version": "1", "secret": SECRETS.openai}
        answer = client.post(f"{page}/edit", {"action": "test", **typed})
        assert answer.status_code == 200
        assert "Quota used up" in text(answer)
        for kept in ("renamed", typed["endpoint"]):
            assert f'value="{kept}"' in answer.content.decode()
        assert re.search(r"<noscript>.*?type it again.*?</noscript>", answer.content.decode(), re.DOTALL)
        assert SECRETS.openai not in answer.content.decode()

    def test_an_edit_with_a_wrong_name_can_be_tested(self, client: Client, page: str, row: AiLlm) -> None:
        values = {"action": "test", "name": "", "endpoint": row.endpoint, "version": "1"}
        assert "Tested, not saved" in text(client.post(f"{page}/edit", values, headers=HTMX))

    def test_a_changed_destination_asks_for_the_secret_and_sends_nothing(
        self, client: Client, page: str, row: AiLlm, sandbox: Sandbox
    ) -> None:
        values = {"action": "test", "name": row.name, "endpoint": sandbox.url("/vllm/v1"), "version": "1"}
        piece = client.post(f"{page}/edit", values, headers=HTMX)
        assert piece.status_code == 422
        assert "Not tested, nothing was sent." in text(piece)
        assert '<a href="#id_secret">' in piece.content.decode()
        whole = client.post(f"{page}/edit", values)
        assert whole.status_code == 422
        assert re.search(
            r'id="id_secret_error".*?' + re.escape(configs.SECRET_AGAIN), whole.content.decode(), re.DOTALL
        )
        assert sandbox.requests == []

    def test_the_wizard_answers_a_refused_test_with_the_piece_alone(
        self, client: Client, people: People, sandbox: Sandbox
    ) -> None:
        new = f"/w/{people.workspace.slug}/ai/llm/new?type=OPENAI&name=x&endpoint={sandbox.url('/openai/v1')}"
        found = re.search(r'name="row"[^>]*value="([^"]+)"', client.get(new).content.decode())
        assert found
        answer = client.post(new, {"row": unescape(found[1]), "action": "test", "secret": ""}, headers=HTMX)
        assert answer.status_code == 422
        assert "<form" not in answer.content.decode()
        assert '<a href="#id_secret">' in answer.content.decode()

    @pytest.mark.parametrize("form", ["edit", "rotate"])
    def test_too_many_tests_lose_nothing_that_was_typed(
        self, form: str, client: Client, page: str, row: AiLlm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(validation, "CHECKS_A_MINUTE", 0)
        values = {"action": "test", "name": "typed", "endpoint": row.endpoint, "version": "1", "secret": WRONG}
        piece = client.post(f"{page}/{form}", values, headers=HTMX)
        assert piece.status_code == 200  # 429 would take the whole page away
        assert "Not tested. You have run" in text(piece)
        whole = client.post(f"{page}/{form}", values)
        assert (whole.status_code, "Not tested. You have run" in text(whole)) == (429, True)

    def test_a_fix_that_a_test_found_goes_into_the_form_and_leaves_the_secret_alone(
        self, client: Client, page: str, row: AiLlm, sandbox: Sandbox
    ) -> None:
        typed = {"name": row.name, "endpoint": sandbox.url("/redirect/v1"), "version": "1", "secret": SECRETS.openai}
        tested = client.post(f"{page}/edit", {"action": "test", **typed}, headers=HTMX).content.decode()
        fix = re.search(r'name="fix"\s+value="([^"]+)"', tested)
        assert fix
        assert unescape(fix[1]) == sandbox.url("/openai/v1")
        examine = f"{page.rsplit('/', 1)[0]}/new/examine"
        field = client.post(examine, {"type": "OPENAI", "fix": unescape(fix[1])}, headers=HTMX).content.decode()
        assert f'value="{unescape(fix[1])}"' in field
        assert re.search(r"<input[^>]*\sautofocus", field)
        assert "id_secret" not in field
        filled = client.post(f"{page}/edit", {**typed, "fix": unescape(fix[1])}).content.decode()
        assert f'value="{unescape(fix[1])}"' in filled
        assert AiLlm.objects.get().endpoint == row.endpoint

    def test_scheduled_checks_can_be_switched_off_and_on(self, client: Client, page: str, row: AiLlm) -> None:
        values = {"name": row.name, "endpoint": row.endpoint}
        assert re.search(r'name="scheduled"[^>]*checked', client.get(f"{page}/edit").content.decode())
        client.post(f"{page}/edit", {**values, "version": "1"})
        assert AiLlm.objects.get().scheduled is False
        version = str(AiLlm.objects.get().version)
        client.post(f"{page}/edit", {**values, "version": version, "scheduled": "on"})
        assert AiLlm.objects.get().scheduled is True
