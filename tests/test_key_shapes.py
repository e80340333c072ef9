"""How secrets look: warnings that never block, never repeat what was typed, and are wrong as seldom as can be."""

import pytest

from ai_llm import key_shapes, repeats
from ai_llm.models import Type
from tests import build
from tests.conftest import People

SECRET = "sk-proj-" + "aB3" * 16
KEY = "AKIA" + "ABCDEFGH23456789"
OWN = "https://llm.example.com/v1"
VERTEX = "https://us-central1-aiplatform.googleapis.com"
AZURE = "https://r.openai.azure.com/openai/v1"
GROQ = "https://api.groq.com/openai/v1"

OPENAI = "https://api.openai.com/v1"
CLAUDE = "https://api.anthropic.com"
GEMINI = "https://generativelanguage.googleapis.com/v1beta"
BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com"
CLAUDE_KEY = "sk-ant-api03-" + "a" * 95

SHAPES = [
    ("OPENAI", OPENAI, SECRET, "", ""),
    ("OPENAI", OPENAI, "sk-" + "a" * 20 + "T3BlbkFJ" + "b" * 20, "", ""),
    ("OPENAI", OPENAI, CLAUDE_KEY, "", "looks like a key of Anthropic"),
    ("OPENAI", OPENAI, "AIza" + "a" * 35, "", "looks like a key of Google"),
    ("OPENAI", OPENAI, "gsk_" + "a" * 52, "", "looks like a key of Groq"),
    ("OPENAI", OPENAI, "sk-admin-" + "a" * 60, "", "administration"),
    ("OPENAI", OPENAI, "sk-proj-short", "", "usually has"),
    ("OPENAI", OPENAI, "short", "", "does not look like a key of OpenAI"),
    ("OPENAI", OPENAI, f" {SECRET}\n", "", "blanks or a line break around"),
    ("OPENAI", OPENAI, f"{SECRET[:30]}\n{SECRET[30:]}", "", "a blank or a line break inside"),
    ("OPENAI", OPENAI, f'"{SECRET}"', "", "quotes around"),
    ("OPENAI", OPENAI, f"Bearer {SECRET}", "", "word Bearer"),
    ("OPENAI", OPENAI, f"OPENAI_API_KEY={SECRET}", "", "name of a variable"),
    ("OPENAI", OPENAI, "sk-proj-****************abcd", "", "mask"),
    ("OPENAI", OPENAI, "sk-…abcd", "", "mask"),
    ("OPENAI", OPENAI, "[hidden]", "", "mask"),
    ("OPENAI", OPENAI, "<your-api-key>", "", "mask"),
    ("OPENAI", OPENAI, SECRET + "é", "", "character that keys do not have"),
    ("OPENAI", OPENAI, SECRET, SECRET, "are the same"),
    ("OPENAI", OPENAI, SECRET, "other", "does not use the API Key"),
    ("OPENAI", OPENAI, '{"type": "service_account"}', "", "belongs to the type GOOGLE"),
    ("GOOGLE", GEMINI, "AIza" + "a" * 35, "", ""),
    ("GOOGLE", GEMINI, "AQ." + "a" * 50, "", ""),
    ("GOOGLE", GEMINI, SECRET, "", "looks like a key of OpenAI"),
    ("GOOGLE", GEMINI, '{"type": "service_account"', "", "cannot be read as one"),
    ("GOOGLE", GEMINI, '{"type": "service_account"}', "", "works at Vertex AI"),
    ("GOOGLE", VERTEX, '{"type": "service_account"}', "", ""),
    ("GOOGLE", VERTEX, '{"type": "authorized_user"}', "", "not the key file of a service account"),
    ("GOOGLE", VERTEX, "AIza" + "a" * 35, "", "takes the key file of a service account"),
    ("OTHER", OWN, '{"any": "document"}', "", ""),
    ("ANTHROPIC", CLAUDE, CLAUDE_KEY, "", ""),
    ("ANTHROPIC", CLAUDE, "sk-ant-admin01-" + "a" * 90, "", "administration"),
    ("ANTHROPIC", CLAUDE, SECRET, "", "looks like a key of OpenAI"),
    ("AWS", BEDROCK, "a" * 40, KEY, ""),
    ("AWS", BEDROCK, "ABSK" + "a" * 120, "", ""),
    ("AWS", BEDROCK, "bedrock-api-key-" + "a" * 200, "", "at most 12 hours"),
    ("AWS", BEDROCK, "a" * 40, "ASIA" + "A" * 16, "temporary"),
    ("AWS", BEDROCK, "a" * 39, KEY, "has 40 characters"),
    ("AWS", BEDROCK, KEY, "", "looks like an access key id"),
    ("AWS", BEDROCK, "a" * 40, "", "looks like a secret access key"),
    ("AWS", BEDROCK, "a" * 40, "what", "does not look like an AWS access key id"),
    ("OTHER", OWN, "anything-at-all", "", ""),
    ("OTHER", OWN, CLAUDE_KEY, "", ""),
    ("OTHER", "http://localhost:11434/v1", SECRET, "", ""),
    ("OTHER", "https://api.groq.com/openai/v1", "gsk_" + "a" * 52, "", ""),
    ("OTHER", "https://api.groq.com/openai/v1", SECRET, "", "looks like a key of OpenAI, but it would be sent to Groq"),
    ("OTHER", "https://api.mistral.ai/v1", "a" * 32, "", ""),
    ("OTHER", "https://r.openai.azure.com", "0" * 32, "", ""),
    ("OPENAI", "https://api.deepseek.com", "sk-" + "a" * 32, "", ""),
    ("OPENAI", OPENAI, "", "", ""),
    ("OTHER", AZURE, SECRET, "", "looks like a key of OpenAI, but it would be sent to Azure OpenAI"),
    ("OTHER", GROQ, "0" * 32, "", "looks like a key of Azure OpenAI"),
    ("OTHER", "https://api.mistral.ai/v1", "0" * 32, "", ""),
    ("OTHER", "https://api.mistral.ai/v1", "sk-" + "a" * 32, "", ""),
    ("OPENAI", OPENAI, "0" * 32, "", ""),
    ("OTHER", GROQ, "gsk_short", "", "usually has"),
    ("OTHER", "https://models.github.ai/inference", "github_pat_" + "a" * 60, "", ""),
    ("OTHER", "https://models.github.ai/inference", SECRET, "", "looks like a key of OpenAI"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "endpoint", "secret", "key", "warning"), SHAPES)
def test_a_key_that_looks_wrong_gets_a_warning_that_tells_nothing_of_it(
    type_: str, endpoint: str, secret: str, key: str, warning: str
) -> None:
    found = key_shapes.warnings(type_, endpoint, secret, key)
    assert any(warning in text for text in found) if warning else found == []
    for text in found:
        assert not any(part in text for part in (secret, key, secret.strip()[8:]) if len(part) > 3)


@pytest.mark.parametrize("type_", Type.values)
def test_any_text_can_be_looked_at(type_: str) -> None:
    for secret in ("\x00", "\ud800", "{" * 5000, "[" * 5000, "a" * 20_000, "{\n}", " ", "“quoted”", "Bearer"):
        key_shapes.warnings(type_, OWN, secret, secret)


# One key of each known form, and whose it is.
OWNERS = [
    ("sk-proj-" + "a" * 60, "OpenAI"),
    ("sk-svcacct-" + "a" * 60, "OpenAI"),
    ("sk-service-" + "a" * 60, "OpenAI"),
    ("sk-" + "a" * 20 + "T3BlbkFJ" + "b" * 20, "OpenAI"),
    ("sk-admin-" + "a" * 60, "OpenAI"),
    ("sk-ant-api03-" + "a" * 93 + "AA", "Anthropic"),
    ("sk-ant-admin01-" + "a" * 93 + "AA", "Anthropic"),
    ("sk-or-v1-" + "0" * 64, "OpenRouter"),
    ("sk-" + "a1" * 16, "DeepSeek"),
    ("AIza" + "a" * 35, "Google"),
    ("AQ." + "a" * 50, "Google"),
    (KEY, "AWS"),
    ("ASIA" + "A" * 16, "AWS"),
    ("ABSK" + "a" * 120, "AWS"),
    ("bedrock-api-key-" + "a" * 100, "AWS"),
    ("gsk_" + "a" * 52, "Groq"),
    ("xai-" + "a" * 80, "xAI"),
    ("hf_" + "a" * 34, "Hugging Face"),
    ("nvapi-" + "a" * 60, "NVIDIA"),
    ("vck_" + "a" * 60, "Vercel AI Gateway"),
    ("pplx-" + "a" * 48, "Perplexity"),
    ("ghp_" + "a" * 36, "GitHub Models"),
    ("0123456789abcdef" * 2, "Azure OpenAI"),
    ("A1b2" * 8, ""),
    ("a" * 64, ""),
]


@pytest.mark.parametrize(("secret", "owner"), OWNERS)
def test_a_beginning_tells_whose_a_key_is(secret: str, owner: str) -> None:
    shape = key_shapes.owner_of(secret)
    assert (shape.owner if shape else "") == owner


@pytest.mark.parametrize("shape", key_shapes.SHAPES, ids=lambda shape: shape.begins)
def test_each_shape_cites_its_source(shape: key_shapes.Shape) -> None:
    assert shape.source.startswith("https://")


def test_every_shape_is_tried() -> None:
    assert {key_shapes.owner_of(secret) for secret, _ in OWNERS} - {None} == set(key_shapes.SHAPES)


# --- A secret that is already in use ----------------------------------------------------------------------------------


def test_a_secret_that_another_ai_llm_holds_is_named_without_opening_anything(people: People) -> None:
    build.ai_llm(people.writer, people.workspace, name="Existing", secret=SECRET)
    said = ["The AI LLM Existing already uses this API Secret."]
    assert repeats.warnings(people.workspace, SECRET) == said
    assert repeats.warnings(people.workspace, f"  {SECRET}\n") == said
    assert repeats.warnings(people.workspace, f"{SECRET}x") == []
    assert repeats.warnings(people.strange_workspace, SECRET) == []
    assert repeats.warnings(people.workspace, "") == []
