"""The base-URL doctor: every slip has a name, a sentence and, where one is known, a fix that needs no second fix."""

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ai_llm import doctor
from ai_llm.doctor import examine, same_destination
from ai_llm.models import Type

LOCAL = ["localhost:11434", "127.0.0.1:11434", "llm.example.com:8080"]

# typed, code, fix
SLIPS = [
    ("", "missing", ""),
    ("   ", "missing", ""),
    ("api.openai.com/v1", "no_scheme", "https://api.openai.com/v1"),
    ("api.openai.com/v1/chat/completions", "no_scheme", "https://api.openai.com/v1"),
    ("//api.openai.com/v1", "no_scheme", "https://api.openai.com/v1"),
    ("https:/api.openai.com/v1", "no_scheme", "https://api.openai.com/v1"),
    ("https:api.openai.com/v1", "no_scheme", "https://api.openai.com/v1"),
    ("https:///api.openai.com/v1", "no_scheme", "https://api.openai.com/v1"),
    ("localhost:11434", "no_scheme", "http://localhost:11434"),
    ("localhost:11434/v1/models", "no_scheme", "http://localhost:11434/v1"),
    ("ftp://api.openai.com", "scheme", ""),
    ("javascript:alert(1)", "no_scheme", ""),
    ("https://me:secret@api.openai.com/v1", "user_info", "https://api.openai.com/v1"),
    ("https://sk-key@api.openai.com/v1?x=1#y", "user_info", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1?key=secret", "query", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/?", "query", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1#models", "fragment", "https://api.openai.com/v1"),
    ("https://api. openai.com/v1", "blank", "https://api.openai.com/v1"),
    ("https://api.openai.com/\nv1", "blank", "https://api.openai.com/v1"),
    ("http://localhost:11434/v1https://api.openai.com/v1", "two_addresses", "http://localhost:11434/v1"),
    ("https://api.openai.com/v1http://localhost:11434/v1", "two_addresses", "http://localhost:11434/v1"),
    ("https://llm.example.com/v1 https://api.openai.com/v1", "two_addresses", "https://llm.example.com/v1"),
    ('"https://api.openai.com/v1"', "quotes", "https://api.openai.com/v1"),
    ("<https://api.openai.com/v1>", "quotes", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/v1", "doubled_version", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/v1/v1/", "doubled_version", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/v1/models", "call_path", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/chat/completions", "call_path", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/chat/completions/", "call_path", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/completions", "call_path", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/responses", "call_path", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/embeddings", "call_path", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/models", "call_path", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/models/gpt-4o", "call_path", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/images/generations", "call_path", "https://api.openai.com/v1"),
    ("https://api.openai.com/v1/audio/speech", "call_path", "https://api.openai.com/v1"),
    ("https://api.anthropic.com/v1/messages", "call_path", "https://api.anthropic.com/v1"),
    ("http://localhost:11434/api/chat", "call_path", "http://localhost:11434"),
    ("http://api.openai.com/v1", "https", "https://api.openai.com/v1"),
    ("http://api.openai.com:80/v1/", "https", "https://api.openai.com/v1"),
    ("http://api.openai.com/v1/chat/completions", "call_path", "https://api.openai.com/v1"),
    ("https://127.1/v1", "numeric_host", ""),
    ("https://10.0.0.1/v1", "not_public", ""),
    ("http://169.254.169.254/latest", "not_public", ""),
    ("https://db.internal/v1", "local_name", ""),
    ("https://api.openai.com:99999/v1", "port", ""),
    ("https://api.openai.com/v1/../admin", "path", ""),
    ("https://api.openai.com\\v1", "characters", ""),
    ("https://[::1", "host", ""),
    ("https://" + "a" * 3000, "too_long", ""),
]


@pytest.fixture(autouse=True)
def permitted(settings: object) -> None:
    settings.OUTBOUND_ALLOW = LOCAL


@pytest.mark.parametrize(("typed", "code", "fix"), SLIPS)
def test_a_slip_is_named_and_fixed(typed: str, code: str, fix: str) -> None:
    examination = examine(typed, "OPENAI")
    (finding,) = examination.findings
    assert (finding.code, finding.severity, finding.fix) == (code, "error", fix)
    assert (examination.normal, examination.final_url) == ("", "")
    assert finding.message.endswith(".")


@pytest.mark.parametrize("fix", sorted({fix for _, _, fix in SLIPS if fix}))
def test_one_click_is_enough(fix: str) -> None:
    examination = examine(fix, "OPENAI")
    assert examination.normal == fix
    assert not [finding for finding in examination.findings if finding.severity == "error"]


@pytest.mark.parametrize("typed", [typed for typed, _, _ in SLIPS if "secret" in typed])
def test_no_message_and_no_fix_repeats_a_pasted_secret(typed: str) -> None:
    (finding,) = examine(typed, "OPENAI").findings
    assert "secret" not in (finding.message.replace("A secret belongs", "") + finding.fix)


# type, typed, stored, called, remarks
GOOD = [
    ("OPENAI", "https://api.openai.com/v1", "https://api.openai.com/v1", "https://api.openai.com/v1/models", {}),
    ("OPENAI", " https://API.OpenAI.com:443/v1 ", "https://api.openai.com/v1", "https://api.openai.com/v1/models", {}),
    (
        "OPENAI",
        "https://api.openai.com/v1/",
        "https://api.openai.com/v1",
        "https://api.openai.com/v1/models",
        {"trailing_slash": "https://api.openai.com/v1"},
    ),
    (
        "OPENAI",
        "https://api.openai.com",
        "https://api.openai.com",
        "https://api.openai.com/v1/models",
        {"missing_version": "https://api.openai.com/v1"},
    ),
    (
        "OPENAI",
        "https://api.groq.com/v1",
        "https://api.groq.com/v1",
        "https://api.groq.com/v1/models",
        {"unusual_path": "https://api.groq.com/openai/v1"},
    ),
    (
        "OPENAI",
        "https://platform.openai.com/api-keys",
        "https://platform.openai.com/api-keys",
        "https://platform.openai.com/api-keys/models",
        {"website": "https://api.openai.com/v1"},
    ),
    (
        "OTHER",
        "https://console.groq.com/keys",
        "https://console.groq.com/keys",
        "https://console.groq.com/keys/models",
        {"website": "https://api.groq.com/openai/v1"},
    ),
    (
        "OPENAI",
        "https://api.anthropic.com/v1",
        "https://api.anthropic.com/v1",
        "https://api.anthropic.com/v1/models",
        {"other_type": ""},
    ),
    (
        "OTHER",
        "https://llm.example.com",
        "https://llm.example.com",
        "https://llm.example.com/v1/models",
        {"missing_version": "https://llm.example.com/v1"},
    ),
    (
        "OTHER",
        "https://llm.example.com/tenant",
        "https://llm.example.com/tenant",
        "https://llm.example.com/tenant/models",
        {"missing_version": "https://llm.example.com/tenant/v1"},
    ),
    (
        "OTHER",
        "http://localhost:11434/v1",
        "http://localhost:11434/v1",
        "http://localhost:11434/v1/models",
        {"local": ""},
    ),
    (
        "OTHER",
        "http://llm.example.com:8080/v1",
        "http://llm.example.com:8080/v1",
        "http://llm.example.com:8080/v1/models",
        {"plain_http": "https://llm.example.com:8080/v1"},
    ),
    (
        "OTHER",
        "https://bücher.example/v1",
        "https://xn--bcher-kva.example/v1",
        "https://xn--bcher-kva.example/v1/models",
        {"foreign_letters": ""},
    ),
    (
        "GOOGLE",
        "https://generativelanguage.googleapis.com/v1beta",
        "https://generativelanguage.googleapis.com/v1beta",
        "https://generativelanguage.googleapis.com/v1beta/models?pageSize=200",
        {},
    ),
    (
        "GOOGLE",
        "https://api.openai.com/v1",
        "https://api.openai.com/v1",
        "https://api.openai.com/v1/models?pageSize=200",
        {"other_type": ""},
    ),
    (
        "ANTHROPIC",
        "https://api.anthropic.com",
        "https://api.anthropic.com",
        "https://api.anthropic.com/v1/models?limit=1000",
        {},
    ),
    (
        "ANTHROPIC",
        "https://api.anthropic.com/v1",
        "https://api.anthropic.com/v1",
        "https://api.anthropic.com/v1/models?limit=1000",
        {},
    ),
    (
        "AWS",
        "https://bedrock-runtime.us-east-1.amazonaws.com",
        "https://bedrock-runtime.us-east-1.amazonaws.com",
        "https://bedrock.us-east-1.amazonaws.com/foundation-models",
        {},
    ),
]


@pytest.mark.parametrize(("type_", "typed", "normal", "final", "remarks"), GOOD, ids=[f"{r[0]}-{r[1]}" for r in GOOD])
def test_a_usable_endpoint_says_what_is_stored_and_what_is_called(
    type_: str, typed: str, normal: str, final: str, remarks: dict[str, str]
) -> None:
    examination = examine(typed, type_)
    assert (examination.normal, examination.final_url) == (normal, final)
    assert {finding.code: finding.fix for finding in examination.findings} == remarks
    assert all(finding.severity in {doctor.WARNING, doctor.INFO} for finding in examination.findings)


@pytest.mark.parametrize("type_", Type.values)
@pytest.mark.parametrize(
    "typed",
    [
        *("\x00", "\ud800", "https://\ud800/", "a" * 100_000, "://", "https://[", "?" * 999, "@"),
        *("http://[", "[", "//[", "http://a℀b", "http://[::1", "HTTP://]x", "http://[/models", "https://[/v1/v1"),
        *(f"https://h.com{'/models' * 1100}", f"https://h.com{'/v1/v1/models' * 150}", f"https://{'a@' * 900}"),
    ],
)
def test_no_text_breaks_it(typed: str, type_: str) -> None:
    assert examine(typed, type_).normal == ""
    assert same_destination("https://h.com", typed) is same_destination(typed, "https://h.com") is False


def test_a_text_over_2048_characters_is_not_even_looked_at() -> None:
    assert [finding.code for finding in examine("?" * 2049, "OPENAI").findings] == ["too_long"]
    assert [finding.code for finding in examine(f"https://h.com{'/models' * 1100}", "OPENAI").findings] == ["too_long"]


PARTS = [
    "http://",
    "https://",
    "//",
    "[",
    "]",
    "@",
    ":",
    "/",
    "/v1",
    "/models",
    "?",
    "#",
    "%",
    "℀",
    "h.com",
    "::1",
    ":80",
]


@examples(deadline=None)
@given(st.one_of(st.text(), st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=3))).map("".join)))
def test_any_text_at_all_is_examined_without_an_error(typed: str) -> None:
    for type_ in Type.values:
        examination = examine(typed, type_)
        for text in (examination.normal, *(finding.fix for finding in examination.findings)):
            assert text == "" or examine(text, type_).normal == text
    same_destination(typed, "https://h.com")
    same_destination("https://h.com", typed)


V1 = "https://gateway.example.com/v1"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (V1, V1, True),
        (V1, f"{V1}/", True),
        (V1, "https://gateway.example.com", True),
        ("https://gateway.example.com/", V1, True),
        (V1, "https://GATEWAY.example.com:443/v1", True),
        ("https://gateway.example.com/team", "https://gateway.example.com/team/v1", True),
        ("https://gateway.example.com/team/v1beta", "https://gateway.example.com/team", False),
        ("https://gateway.example.com", "https://gateway.example.com/v2beta7", False),
        ("https://gateway.example.com/v2", "https://gateway.example.com", False),
        ("https://gateway.example.com/v2", "https://gateway.example.com/v2/v1", False),
        (V1, "https://gateway.example.com/v2", False),
        (V1, "https://gateway.example.com/v1/v1", False),
        ("https://gateway.example.com/team", "https://gateway.example.com/other", False),
        ("https://gateway.example.com/team/v1", "https://gateway.example.com/v1", False),
        ("https://gateway.example.com/team", "https://gateway.example.com/TEAM", False),
        (V1, "https://gateway.example.com/v1x", False),
        (V1, "https://gateway.example.com:8443/v1", False),
        (V1, "https://other.example.com/v1", False),
        (V1, "https://gateway.example.com.evil.example/v1", False),
        (V1, "http://gateway.example.com/v1", False),
        (V1, f"{V1}?tenant=2", False),
        (V1, "https://me@gateway.example.com/v1", False),
        (V1, "", False),
        ("http://localhost:11434", "http://127.0.0.1:11434", False),
        ("http://localhost:11434", "http://localhost:11434/v1", True),
    ],
)
def test_a_stored_secret_stays_only_with_the_same_destination(old: str, new: str, same: bool) -> None:
    assert same_destination(old, new) is same
    assert same_destination(new, old) is same


def test_the_version_that_may_come_and_go_is_the_one_of_the_type() -> None:
    bare, beta = "https://gateway.example.com/team", "https://gateway.example.com/team/v1beta"
    assert same_destination(bare, beta, "GOOGLE")
    assert same_destination(beta, bare, "GOOGLE")
    assert not same_destination(bare, f"{bare}/v1", "GOOGLE")
    assert not same_destination(bare, beta, "OPENAI")
    assert not same_destination(bare, beta)


@pytest.mark.parametrize("type_", Type.values)
@pytest.mark.parametrize("other", ["/v2", "/v1beta", "/v2beta7", "/v1/v1", "/v10"])
def test_no_chain_of_versions_leads_to_another_tenant(type_: str, other: str) -> None:
    own = next(path for path in ("/v1", "/v1beta") if same_destination("https://h.com", f"https://h.com{path}", type_))
    if other != own:
        assert not same_destination("https://h.com", f"https://h.com{other}", type_)
        assert not same_destination(f"https://h.com{own}", f"https://h.com{other}", type_)


def test_plain_http_through_the_internet_is_no_matter_for_the_operator() -> None:
    (public,) = examine("http://api.openai.com/v1", "OPENAI").findings
    assert (public.message, public.fix) == (doctor.USE_HTTPS, "https://api.openai.com/v1")
    (inside,) = examine("http://llm.example.com:8000/v1", "OTHER").findings
    assert "FLASHBACK_OUTBOUND_ALLOW" in inside.message
