"""What a provider is: facts with sources, pure functions, and secrets that only ever travel in headers."""

import re
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import pytest

from ai_llm import key_shapes, probing
from ai_llm.models import Type
from ai_llm.providers import (
    PROVIDERS,
    Judgement,
    Provider,
    Recipe,
    UnprovableError,
    bedrock,
    control,
    openai_form,
    recipes,
    rows,
    signature,
)
from ai_llm.sandbox import SECRETS, Sandbox
from flashback.outbound import Request, header_value_fits

SECRET = "sk-proj-" + "aB3" * 16
KEY = "AKIA" + "ABCDEFGH23456789"
OWN = "https://llm.example.com/v1"
PAIRS = [
    (provider, endpoint) for provider in PROVIDERS.values() for endpoint in (provider.default_endpoint, OWN) if endpoint
]


def described(provider: Provider, endpoint: str, secret: str = SECRET, key: str = "") -> tuple[Request, ...]:
    return provider.describe(endpoint, secret, key)


def test_there_is_one_provider_for_each_ai_llm_type() -> None:
    assert [(name, row.type) for name, row in PROVIDERS.items()] == [(kind.value, kind) for kind in Type]
    assert [row.label for row in PROVIDERS.values()] == [kind.label for kind in Type]


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda row: row.type)
class TestEveryProvider:
    def test_says_what_a_person_needs_to_know(self, provider: Provider) -> None:
        for text in (provider.summary, provider.key_help, provider.secret_help):
            assert re.fullmatch(r"[A-Z].{10,120}\.", text)
        assert provider.key_name
        assert provider.secret_name

    def test_cites_its_sources(self, provider: Provider) -> None:
        assert provider.sources
        assert all(source.startswith("https://") for source in provider.sources)
        assert provider.documentation_url.startswith("https://")

    def test_cannot_be_changed(self, provider: Provider) -> None:
        with pytest.raises(FrozenInstanceError):
            provider.label = "Other"

    def test_has_a_default_endpoint_that_its_own_recipe_knows(self, provider: Provider) -> None:
        known = provider.recipe(provider.default_endpoint) if provider.default_endpoint else None
        assert (known is None) == (provider.type is Type.OTHER)


@pytest.mark.parametrize(("provider", "endpoint"), PAIRS, ids=[f"{row.type}-{endpoint}" for row, endpoint in PAIRS])
class TestEveryRequest:
    def test_carries_the_secret_in_a_header_and_never_in_the_address(self, provider: Provider, endpoint: str) -> None:
        for request in described(provider, endpoint):
            assert any(SECRET in value for value in request.headers.values())
            assert SECRET not in request.url
            assert quote(SECRET, safe="") not in request.url
            assert SECRET not in repr(request)

    def test_costs_nothing(self, provider: Provider, endpoint: str) -> None:
        assert {(request.method, request.body) for request in described(provider, endpoint)} == {("GET", b"")}

    def test_goes_to_the_announced_address_first(self, provider: Provider, endpoint: str) -> None:
        assert described(provider, endpoint)[0].url == provider.address(endpoint)

    def test_goes_to_the_endpoint_or_to_a_declared_origin(self, provider: Provider, endpoint: str) -> None:
        own = f"https://{urlsplit(endpoint).hostname}:443"
        for request in described(provider, endpoint):
            assert f"https://{urlsplit(request.url).hostname}:443" in {own, *provider.origins(endpoint)}

    def test_has_headers_that_can_be_sent(self, provider: Provider, endpoint: str) -> None:
        for request in described(provider, endpoint):
            assert all(header_value_fits(value) for value in request.headers.values())


@pytest.mark.parametrize("recipe", recipes.RECIPES, ids=lambda row: row.name)
class TestEveryRecipe:
    def test_cites_its_sources(self, recipe: Recipe) -> None:
        assert recipe.sources
        assert all(source.startswith("https://") for source in recipe.sources)

    def test_is_found_by_its_hosts(self, recipe: Recipe) -> None:
        for host in recipe.hosts:
            name = {".": f"resource{host}", ":": f"server.lan{host}"}.get(host[0], host)
            assert recipes.pick(f"https://{name}/v1" if ":" not in name else f"http://{name}/v1") is recipe

    def test_is_not_found_by_a_host_that_only_looks_alike(self, recipe: Recipe) -> None:
        for host in recipe.hosts:
            assert recipes.pick(f"https://{host.lstrip('.:')}.example.com/v1") is None
            if not host.startswith(".") and ":" not in host:
                assert recipes.pick(f"https://x{host}/v1") is None

    def test_sends_a_secret_elsewhere_only_to_a_constant(self, recipe: Recipe) -> None:
        assert recipe.proof.startswith("https://") or recipe.proof == ""
        assert bool(recipe.proof) == bool(recipe.proof_field)
        assert all(
            url.startswith("https://") for url in (recipe.make_key_url, recipe.status_url, recipe.billing_url) if url
        )


ADDRESSES = [
    ("OPENAI", "https://api.openai.com/v1", "https://api.openai.com/v1/models"),
    ("OPENAI", "https://api.openai.com", "https://api.openai.com/v1/models"),
    ("OPENAI", "https://api.openai.com/v1/v1", "https://api.openai.com/v1/models"),
    ("OPENAI", "https://api.groq.com", "https://api.groq.com/openai/v1/models"),
    ("OPENAI", "https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/key"),
    ("OPENAI", "https://r.openai.azure.com", "https://r.openai.azure.com/openai/v1/models"),
    ("OPENAI", "https://api.deepseek.com", "https://api.deepseek.com/user/balance"),
    ("OPENAI", "https://api.x.ai", "https://api.x.ai/v1/api-key"),
    ("OTHER", "https://api.cohere.com", "https://api.cohere.com/v1/check-api-key"),
    ("OTHER", "https://r.openai.azure.com/openai", "https://r.openai.azure.com/openai/models?api-version=2024-10-21"),
    ("OTHER", "https://r.openai.azure.com/openai/deployments/d", "https://r.openai.azure.com/openai/models?api-version=2024-10-21"),
    ("OTHER", "https://r.cognitiveservices.azure.com", "https://r.cognitiveservices.azure.com/openai/v1/models"),
    ("OTHER", "https://r.services.ai.azure.com/models", "https://r.services.ai.azure.com/openai/v1/models"),
    ("OTHER", "https://models.github.ai/inference", "https://models.github.ai/catalog/models"),
    ("OTHER", "https://ai-gateway.vercel.sh/v1", "https://ai-gateway.vercel.sh/v1/credits"),
    ("OTHER", "http://localhost:11434/api", "http://localhost:11434/api/tags"),
    ("GOOGLE", "https://europe-west4-aiplatform.googleapis.com", "https://europe-west4-aiplatform.googleapis.com/v1beta1/publishers/google/models?pageSize=100"),
    ("GOOGLE", "https://aiplatform.googleapis.com", "https://aiplatform.googleapis.com/v1beta1/publishers/google/models?pageSize=100"),
    ("GOOGLE", "https://aiplatform.googleapis.com/v1/projects/p/locations/us-east5", "https://us-east5-aiplatform.googleapis.com/v1beta1/publishers/google/models?pageSize=100"),
    ("OTHER", "http://localhost:11434", "http://localhost:11434/v1/models"),
    ("OTHER", "https://llm.example.com/tenant", "https://llm.example.com/tenant/models"),
    ("OTHER", "https://llm.example.com/v1/account/gateway/openai", "https://llm.example.com/v1/account/gateway/openai/models"),
    ("GOOGLE", "https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta/models?pageSize=200"),
    ("GOOGLE", "https://generativelanguage.googleapis.com/v1beta/openai", "https://generativelanguage.googleapis.com/v1beta/openai/models"),
    ("ANTHROPIC", "https://api.anthropic.com", "https://api.anthropic.com/v1/models?limit=1000"),
    ("ANTHROPIC", "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/models?limit=1000"),
    ("AWS", "https://bedrock-runtime.us-east-1.amazonaws.com", "https://bedrock.us-east-1.amazonaws.com/foundation-models"),
    ("AWS", "https://bedrock.eu-central-1.amazonaws.com", "https://bedrock.eu-central-1.amazonaws.com/foundation-models"),
    ("AWS", "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "https://bedrock-fips.us-gov-west-1.amazonaws.com/foundation-models"),
    ("AWS", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "https://bedrock.cn-north-1.amazonaws.com.cn/foundation-models"),
    ("AWS", "https://proxy.example.com/bedrock", "https://proxy.example.com/bedrock/foundation-models"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "endpoint", "address"), ADDRESSES)
def test_the_check_calls_exactly_this_address(type_: str, endpoint: str, address: str) -> None:
    assert PROVIDERS[type_].address(endpoint) == address


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://bedrock-runtime.us-east-1.amazonaws.com.example.com",
        "https://xbedrock-runtime.us-east-1.amazonaws.com",
        "https://bedrock-runtime.evil.example#.us-east-1.amazonaws.com",
        "https://bedrock-runtime.us-east-1.amazonaws.com:8443",
        "http://bedrock-runtime.us-east-1.amazonaws.com",
        "https://proxy.example.com/us-east-1",
    ],
)
def test_a_host_that_is_not_exactly_a_runtime_host_gives_no_other_origin(endpoint: str) -> None:
    assert bedrock.origins(endpoint) == ()


def test_the_headers_of_each_type_are_these() -> None:
    def sent(type_: str, key: str = "") -> dict[str, str]:
        provider = PROVIDERS[type_]
        return dict(provider.describe(provider.default_endpoint or OWN, "s3cret-value", key)[0].headers)

    accept = {"Accept": "application/json"}
    bearer = {"Authorization": "Bearer s3cret-value"}
    assert sent("OPENAI", "second") == {**accept, **bearer}
    assert sent("OTHER") == {**accept, **bearer}
    assert sent("OTHER", "second") == {**accept, **bearer, "x-api-key": "second"}
    assert sent("GOOGLE", "second") == {**accept, "x-goog-api-key": "s3cret-value"}
    assert sent("ANTHROPIC", "second") == {**accept, "x-api-key": "s3cret-value", "anthropic-version": "2023-06-01"}
    assert sent("AWS") == {**accept, **bearer}
    assert sent("AWS", KEY).keys() == {"Accept", "Authorization", "X-Amz-Date"}


def test_a_token_of_entra_id_travels_as_bearer_where_a_key_has_its_own_header() -> None:
    def sent(secret: str) -> dict[str, str]:
        return dict(PROVIDERS["OTHER"].describe("https://r.openai.azure.com/openai/v1", secret, "")[0].headers)

    token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"
    assert sent(SECRET) == {"Accept": "application/json", "api-key": SECRET}
    assert sent(token) == {"Accept": "application/json", "Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ],
)
def test_a_request_is_signed_as_in_the_test_suite_of_aws(query: str, expected: str) -> None:
    # get-vanilla and get-vanilla-query-order-key-case of the published Signature Version 4 test suite:
    # https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4
    headers = signature.sign(
        f"https://example.amazonaws.com/{query}",
        key_id="AKIDEXAMPLE",
        secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
        service="service",
        now=datetime(2015, 8, 30, 12, 36, 0, tzinfo=UTC),
    )
    assert headers == {
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={expected}",
        "X-Amz-Date": "20150830T123600Z",
    }


@pytest.mark.parametrize(
    ("key", "endpoint", "cause"),
    [
        ("ASIAABCDEFGH23456789", PROVIDERS["AWS"].default_endpoint, "temporary_key"),
        (KEY, "https://proxy.example.com", "region_unknown"),
    ],
)
def test_a_pair_that_cannot_work_is_refused_without_a_request(key: str, endpoint: str, cause: str) -> None:
    with pytest.raises(UnprovableError) as caught:
        PROVIDERS["AWS"].describe(endpoint, SECRET, key)
    assert caught.value.cause == cause


@pytest.mark.parametrize("endpoint", ["https://api.perplexity.ai", "https://api.minimax.io/v1"])
def test_a_provider_without_a_list_is_not_asked_for_one(endpoint: str) -> None:
    with pytest.raises(UnprovableError, match="no_list"):
        PROVIDERS["OPENAI"].describe(endpoint, SECRET, "")


@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        "sk-ant-api03-" + "x" * 80,
        "sk-or-v1-" + "0" * 64,
        "0123456789abcdef0123456789abcdef",
        "hf_" + "Q" * 34,
        "a",
        "--------",
        "my-secret-password",
        "eyJhbGciOi.J9eyJ.zdWIiOiIx",
    ],
)
def test_the_made_up_secret_has_the_same_shape_and_is_another(secret: str) -> None:
    def shape(text: str) -> str:
        return re.sub(r"[0-9]", "9", re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", text)))

    wrong = control.made_up(secret)
    assert wrong != secret
    assert shape(wrong).startswith(shape(secret))
    assert key_shapes.owner_of(wrong) == key_shapes.owner_of(secret)


def test_a_prefix_is_kept_but_never_a_part_of_the_secret_itself() -> None:
    assert control.made_up(SECRET).startswith("sk-proj-")
    assert not control.made_up("my-secret-password-of-a-gateway").endswith("password-of-a-gateway")


def control_needed(type_: str, endpoint: str, cause: str = "accepted", status: int = 200) -> bool:
    return control.needed(PROVIDERS[type_].recipe(endpoint), Judgement(cause), status)


def test_a_control_probe_is_needed_unless_the_host_is_known_to_check_keys() -> None:
    assert not control_needed("OPENAI", "https://api.openai.com/v1")
    assert not control_needed("ANTHROPIC", "https://api.anthropic.com")
    assert not control_needed("GOOGLE", "https://generativelanguage.googleapis.com/v1beta")
    assert not control_needed("AWS", "https://bedrock-runtime.us-east-1.amazonaws.com")
    assert control_needed("OPENAI", OWN)
    assert control_needed("ANTHROPIC", OWN)
    assert control_needed("GOOGLE", OWN)
    assert control_needed("AWS", OWN)
    assert control_needed("OTHER", "http://localhost:11434/v1")


def test_a_403_that_would_say_that_the_key_is_known_needs_the_control_probe_everywhere() -> None:
    assert control_needed("OPENAI", "https://api.openai.com/v1", "forbidden", 403)
    assert control_needed("AWS", "https://bedrock-runtime.us-east-1.amazonaws.com", "scope_missing", 403)
    assert control_needed("OPENAI", "https://api.together.xyz/v1", "busy", 403)
    assert not control_needed("OPENAI", OWN, "key_rejected", 401)
    assert not control_needed("OPENAI", OWN, "shielded", 403)
    assert not control_needed("OPENAI", "https://api.openai.com/v1", "quota_spent", 429)


def test_adding_a_provider_is_one_row(monkeypatch: pytest.MonkeyPatch, settings: object) -> None:
    added = replace(rows.OTHER, label="New", summary="A new kind of provider.")
    registry: Mapping[str, Provider] = {**PROVIDERS, "NEW": added}
    monkeypatch.setattr(probing, "PROVIDERS", registry)
    with Sandbox() as sandbox:
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{sandbox.port}"]
        assert probing.run("NEW", sandbox.url("/openai/v1"), SECRETS.openai, "", slot="s").cause == "accepted"


def test_adding_a_host_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    base = "https://api.new.example/api/v3"
    row = Recipe("New host", "new-host", ("api.new.example",), ("https://docs.new.example",), base=base)
    monkeypatch.setattr(recipes, "INDEX", recipes.Index((*recipes.RECIPES, row)))
    assert openai_form.address("https://api.new.example") == "https://api.new.example/api/v3/models"
    assert not control_needed("OPENAI", "https://api.new.example")
