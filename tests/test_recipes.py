"""Recipes: every known host has its own free check, and the sandbox provider plays each of them over a real socket."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ai_llm import causes, doctor, key_shapes, probing
from ai_llm.outcomes import Result
from ai_llm.providers import PROVIDERS, control, practice, recipes
from ai_llm.providers.facts import Recipe
from ai_llm.sandbox import FAULTS, HOSTED, PERSONALITIES, SECRETS, TRIALS, Sandbox, Trial, certificate
from flashback.outbound import Answer, Failure, Fault, Request, check_shape

FIELDS = st.sampled_from(
    ("data", "models", "error", "errors", "message", "code", "valid", "balance", "name", "label",
     "limit_remaining", "acls", "is_available", "functions", "auth", "accessToken", "role", "fineGrained", "global",
     "scoped", "pollenBudget", "owned_by", "id", "error_description", "team_blocked", "publisherModels", "object")
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(also_tls=certificate.untrusted()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox, settings: object) -> Sandbox:
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{server.port}"]
    server.requests.clear()
    return server


def check(sandbox: Sandbox, path: str, secret: str = SECRETS.openai, type_: str = "OTHER", key: str = "") -> Result:
    return probing.run(type_, sandbox.url(path), secret, key, slot="workspace")


# --- What each host says of a right secret, a wrong one, and each trouble ---------------------------------------------


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.path}-{trial.cause}-{trial.secret[:22]}")
def test_a_host_is_judged_as_the_sandbox_provider_announces(sandbox: Sandbox, trial: Trial) -> None:
    result = check(sandbox, trial.path, trial.secret, trial.type)
    assert result.cause == trial.cause
    assert {request.path.split("/")[1] for request in sandbox.requests} <= {trial.path.split("/")[1]}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_a_fault_is_judged_as_the_sandbox_provider_announces(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, fault: object
) -> None:
    monkeypatch.setattr(probing, "TOTAL_SECONDS", 0.8)
    assert check(sandbox, f"/{fault.name}/v1").cause == fault.cause


def test_a_certificate_that_nobody_trusts_is_named(sandbox: Sandbox) -> None:
    result = probing.run("OTHER", f"https://127.0.0.1:{sandbox.port}/openai/v1", SECRETS.openai, "", slot="workspace")
    assert (result.cause, sandbox.requests) == ("certificate_untrusted", [])
    assert check(sandbox, "/openai/v1").cause == "accepted"


def test_the_secret_is_asked_about_at_the_hosts_own_address(sandbox: Sandbox) -> None:
    check(sandbox, "/cohere/compatibility/v1")
    assert [(request.method, request.path) for request in sandbox.requests] == [
        ("POST", "/cohere/v1/check-api-key"),
        ("POST", "/cohere/v1/check-api-key"),
        ("GET", "/cohere/v1/models"),
    ]


def test_the_older_address_of_azure_is_asked_with_its_version(sandbox: Sandbox) -> None:
    assert check(sandbox, "/azure/openai").url == sandbox.url("/azure/openai/models?api-version=2024-10-21")
    assert sandbox.requests[0].header("api-key") == SECRETS.openai
    assert sandbox.requests[0].header("Authorization") == ""


def test_models_are_listed_after_the_key_was_proven(sandbox: Sandbox) -> None:
    assert check(sandbox, "/cohere/compatibility/v1").models_found == ["command-a-03-2025"]
    assert check(sandbox, "/openrouter/api/v1").models_found[:2] == ["gpt-4.1", "gpt-4.1-mini"]
    assert check(sandbox, "/ollama/api", "any-secret-will-do-here").models_found == ["llama3.2:3b", "qwen2.5:7b"]


@pytest.mark.parametrize("listed", [Answer(500, {}, b""), Answer(200, {}, b"{}"), Failure(Fault.READ_TIMEOUT)])
def test_a_proven_key_stays_proven_without_a_list(monkeypatch: pytest.MonkeyPatch, listed: Answer | Failure) -> None:
    def send(request: Request, **_: object) -> Answer:
        if request.url.endswith("/key"):
            return Answer(200, {}, b'{"data": {"label": "k"}}')
        if isinstance(listed, Failure):
            raise listed
        return listed

    monkeypatch.setattr(probing.outbound, "send", send)
    result = probing.run("OTHER", "https://openrouter.ai/api/v1", SECRETS.openai, "", slot="w")
    assert (result.verdict, result.cause, result.models_found) == ("accepted", "accepted_without_list", [])


# --- No secret at all -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "verdict", "cause", "action"),
    [
        ("/keyless/v1", "accepted", "no_key_needed", "retry"),
        ("/ollama/v1", "accepted", "no_key_needed", "retry"),
        ("/lm-studio/v1", "accepted", "no_key_needed", "retry"),
        ("/llama-cpp/v1", "undecided", "no_key_unproven", "message"),
        ("/kilo/api/gateway", "undecided", "no_key_unproven", "message"),
        ("/vllm/v1", "undecided", "secret_needed", "replace-secret"),
        ("/openai/v1", "undecided", "secret_needed", "replace-secret"),
        ("/openrouter/api/v1", "undecided", "secret_needed", "replace-secret"),
        ("/html/v1", "undecided", "web_page", "edit-endpoint"),
        ("/region/v1", "undecided", "region_refused", "ask-operator"),
        ("/status-402/v1", "undecided", "secret_needed", "replace-secret"),
        ("/status-429/v1", "undecided", "slow_down", "retry"),
    ],
)
def test_without_a_secret_nothing_is_claimed_about_one(
    sandbox: Sandbox, path: str, verdict: str, cause: str, action: str
) -> None:
    result = check(sandbox, path, "")
    assert (result.verdict, result.cause) == (verdict, cause)
    assert causes.action(cause, result.facts).kind == action
    assert [request.header("Authorization") for request in sandbox.requests] == [""]


def test_a_key_without_a_secret_is_proven_by_a_made_up_key(sandbox: Sandbox) -> None:
    assert check(sandbox, "/public-list/v1", "", key="gateway-key-0123456789").cause == "public_list"
    first, second = (request.header("x-api-key") for request in sandbox.requests)
    assert first == "gateway-key-0123456789"
    assert (second != first, len(second)) == (True, len(first))


def test_only_other_may_do_without_a_secret() -> None:
    assert [row.type.value for row in PROVIDERS.values() if row.may_be_keyless] == ["OTHER"]
    assert probing.run("OPENAI", "https://api.openai.com/v1", "", "", slot="w").cause == "secret_missing"


# --- The registry -----------------------------------------------------------------------------------------------------


def test_each_row_has_a_slug_and_hosts_of_its_own() -> None:
    slugs, hosts = [row.slug for row in recipes.RECIPES], [host for row in recipes.RECIPES for host in row.hosts]
    assert len(slugs) == len(set(slugs))
    assert len(hosts) == len(set(hosts))
    assert all(slug.replace("-", "").isalnum() and slug == slug.lower() for slug in slugs)


@pytest.mark.parametrize("row", recipes.RECIPES, ids=lambda row: row.slug)
class TestEveryRecipe:
    def test_is_at_home_at_its_base(self, row: Recipe) -> None:
        if row.base:
            assert recipes.pick(row.base) is row
            assert PROVIDERS["OTHER"].recipe(row.base) is row

    def test_says_in_a_line_what_it_is(self, row: Recipe) -> None:
        assert 10 <= len(row.about) <= 100
        assert row.about.endswith(".")
        assert row.note == "" or row.note.endswith(".")

    def test_reads_a_proof_only_where_it_has_one(self, row: Recipe) -> None:
        assert bool(row.proof) or row.told is None
        assert row.keyless <= (not row.checks_keys)

    def test_is_played_by_the_sandbox_provider(self, row: Recipe) -> None:
        played = {*(host.name for host in HOSTED), *(person.name for person in PERSONALITIES)}
        assert row.slug in played

    def test_moves_to_loopback_whole(self, row: Recipe) -> None:
        endpoint = f"http://127.0.0.1:9099/{row.slug}/v1"
        moved = recipes.pick(endpoint)
        assert moved is not None
        assert (moved.practice, moved.checks_keys, moved.name) == (True, False, f"{row.name} sandbox")
        for url in (moved.base, moved.proof, moved.listing(endpoint) if moved.listing else ""):
            assert url == "" or url.startswith(f"http://127.0.0.1:9099/{row.slug}")
        assert set(PROVIDERS["OTHER"].origins(endpoint)) <= {"http://127.0.0.1:9099"}


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://llm.example.com/openai/v1",
        "http://10.0.0.1/openrouter/api/v1",
        "http://127.0.0.1.example.com/openrouter/api/v1",
        "http://127.0.0.1:9099/v1/openrouter",
        "http://127.0.0.1:9099/openrouterx/api/v1",
    ],
)
def test_only_loopback_and_only_the_first_part_of_the_path_play_a_host(endpoint: str) -> None:
    assert practice.slug_of(endpoint) in {"", "v1", "openrouterx"}
    assert recipes.pick(endpoint) is None


def test_a_server_inside_is_known_by_its_usual_port_and_one_outside_is_not() -> None:
    assert recipes.pick("http://10.1.2.3:11434/v1") is recipes.pick("http://localhost:11434")
    assert recipes.pick("http://gpu.lan:1234/v1") is recipes.pick("http://localhost:1234")
    assert recipes.pick("https://llm.example.com:11434/v1") is None


def test_adding_a_host_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    (tmp_path / "arrived.py").write_text(
        "from ai_llm.providers.facts import Recipe\n"
        "ORDER = 5\n"
        "RECIPES = (Recipe('Arrived', 'bare-array', ('api.arrived.example',), ('https://docs.arrived.example',),\n"
        "                  about='It has just arrived.', base='https://api.arrived.example/v1'),)\n"
    )
    monkeypatch.setattr(recipes, "__path__", [*recipes.__path__, str(tmp_path)])
    rows = recipes.collected()
    monkeypatch.delitem(sys.modules, f"{recipes.__name__}.arrived")
    monkeypatch.setattr(recipes, "RECIPES", rows)
    monkeypatch.setattr(recipes, "INDEX", recipes.Index(rows))
    assert recipes.presets()[-1].name == "Arrived"
    assert doctor.examine("https://api.arrived.example", "OTHER").recipe == "Arrived"
    result = check(sandbox, "/bare-array/v1")
    assert (result.cause, result.facts["provider"]) == ("accepted", "Arrived sandbox")


# --- Presets, and the doctor ------------------------------------------------------------------------------------------


def test_the_presets_begin_at_home_and_leave_out_what_has_a_type_of_its_own() -> None:
    names = [row.name for row in recipes.presets()]
    assert names[:4] == ["Ollama", "LM Studio", "vLLM", "llama.cpp"]
    assert names[-1] == "Azure OpenAI"
    assert {"OpenAI", "Gemini (OpenAI form)"}.isdisjoint(names)
    assert [row.name for row in recipes.presets() if not row.needs_secret] == names[:4]
    assert [row.name for row in recipes.presets() if not row.complete] == ["Azure OpenAI"]


@pytest.mark.parametrize("preset", recipes.presets(), ids=lambda row: row.slug)
def test_a_preset_needs_no_fix_and_picks_its_own_row(preset: recipes.Preset, settings: object) -> None:
    settings.OUTBOUND_ALLOW = [f"localhost:{port}" for port in (11434, 1234, 8000, 8080)]
    assert check_shape(preset.endpoint) == preset.endpoint
    examination = doctor.examine(preset.endpoint, "OTHER")
    assert (examination.normal, examination.recipe) == (preset.endpoint, preset.name)
    assert (examination.confirmed, examination.needs_secret) == (preset.confirmed, preset.needs_secret)
    assert {finding.code for finding in examination.findings} <= {"local"}


def test_what_nobody_documented_is_said_to_be_unconfirmed() -> None:
    assert [row.slug for row in recipes.RECIPES if not row.confirmed] == [
        "cerebras",
        "fireworks",
        "nvidia",
        "github-models",
        "kilo",
    ]
    assert not doctor.examine("https://integrate.api.nvidia.com/v1", "OTHER").confirmed


def test_the_doctor_says_which_row_it_picked() -> None:
    known, unknown = (
        doctor.examine(url, "OTHER") for url in ("https://api.mistral.ai/v1", "https://llm.example.com/v1")
    )
    assert (known.recipe, known.note) == (
        "Mistral",
        "A key for codestral.mistral.ai is another kind and is refused here.",
    )
    assert (unknown.recipe, unknown.confirmed, unknown.note, unknown.needs_secret) == ("", True, "", True)


def test_a_practised_host_has_no_key_shape() -> None:
    pair = SECRETS.aws_secret_access_key, SECRETS.aws_access_key_id
    assert key_shapes.warnings("AWS", "http://127.0.0.1:9099/bedrock/us-east-1", *pair) == []
    assert key_shapes.warnings("OTHER", "http://127.0.0.1:9099/groq/openai/v1", SECRETS.openai, "") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@examples(deadline=None, max_examples=80)
@given(st.dictionaries(FIELDS, JSON, max_size=6), st.sampled_from((200, 400, 401, 402, 403, 404, 429, 500)))
def test_no_answer_of_any_form_breaks_a_judge(body: dict[str, object], status: int) -> None:
    answer = Answer(status, {}, json.dumps(body).encode())
    for row in recipes.RECIPES:
        endpoint = row.base or row.preset
        assert PROVIDERS["OTHER"].judge(answer, endpoint).cause in causes.CAUSES
        assert (
            control.without_secret(PROVIDERS["OTHER"].judge(answer, endpoint), answer, row, endpoint) in causes.CAUSES
        )
