"""What people and providers write stays text: markup, htmx's attributes, and names that look like others."""

from collections.abc import Callable, Iterator
from difflib import unified_diff
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from playwright.sync_api import sync_playwright

from ai_llm import outcomes
from ai_llm.models import AiLlm, Check, ModelList
from flashback import names
from flashback.errors import Invalid
from repositories.models import AiApiKey, Attachment, Repository
from tests import build
from tests.conftest import CHROMIUM, People
from tests.console import EMAIL, PASSWORD, running
from tests.routes import Places, every_route
from workspaces import events
from workspaces.models import Organization, User, Workspace

HARMLESS = "harmless, with a blank"
PAYLOADS = [
    "\"><script>pwned()</script><img src=x onerror=pwned()><iframe srcdoc='<script>pwned()</script>'>",
    "\" hx-get=\"/pwned\" hx-trigger=\"load\" x=\"' onfocus='pwned()' data-hx-post='/pwned' autofocus x='",
    "</title></textarea></style></script><svg onload=pwned()><meta http-equiv=refresh content=0;url=//evil.example>",
    '{{7*7}}{% debug %}}\' hx-headers=\'{"x":"pwned"}\' --><base href=//evil.example><a href=javascript:pwned()>x',
]
ACTING = ("javascript:", "data:", "//evil", "/pwned")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
NEEDS_NO_FIELD = {"account_logout", "ai_llm_validate", "member_remove"}  # these would do what they are for
RUNS = {"href", "src", "action", "formaction", "srcdoc", "content", "style", "target"}


class Page(HTMLParser):
    """The bones of a page: its tags with their attributes' names, and what a browser or htmx would act on."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.bones: list[tuple[str, tuple[str, ...]]] = []
        self.acts: list[str] = []
        self.scripts: list[str] = []
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "wbr":  # where a long address may break: as often as its text has a place for it
            return
        self._open = tag
        self.bones.append((tag, tuple(name for name, _ in attrs)))
        self.acts += [
            value or "" for name, value in attrs if name in RUNS or name.startswith(("hx-", "data-hx-", "on"))
        ]

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in {"script", "style"}:
            self.scripts.append(data)


def write_everywhere(people: People, row: AiLlm, text: str) -> None:
    """Put `text` wherever text is stored, as an operator with a database shell could."""
    Organization.objects.filter(pk=people.organization.pk).update(name=text)
    Workspace.objects.filter(pk=people.workspace.pk).update(name=text)
    User.objects.filter(organization=people.organization).update(name=text)
    check = {"provider_code": text[:100], "excerpt": text, "models_found": [text, text], "url": f"https://x/{text}"}
    Check.objects.update(**check, facts={"endpoint": text, "host": text, "fix": text, text: text})
    AiLlm.objects.filter(pk=row.pk).update(name=text, endpoint=f"https://api.openai.com/{text}", notes=text)
    ModelList.objects.update(names=[text, f"{text} 2"], endpoint=f"https://api.openai.com/{text}")
    Repository.objects.update(name=text, description=text)
    AiApiKey.objects.update(name=text, patterns=[text])
    Attachment.objects.update(patterns=[f"{text}*"])
    owner, named = User.objects.get(pk=people.owner.pk), AiLlm.objects.get(pk=row.pk)
    events.record(owner, "ai_llm.updated", named, workspace=named.workspace, details={"name": [text, text], text: text})


@pytest.fixture
def row(people: People) -> AiLlm:
    row = build.ai_llm(people.writer, people.workspace)
    check = Check.objects.create(
        ai_llm=row,
        by=people.writer,
        verdict="rejected",
        cause="key_rejected",
        status=401,
        stages=outcomes.stages((), "key_rejected", listed=False),
    )
    row.verdict, row.last_check = "rejected", check
    row.save(update_fields=["verdict", "last_check"])
    build.models(row, "small", "large")
    return row


@pytest.fixture
def places(people: People, row: AiLlm) -> Places:
    return Places.around(people, row)


def pages(
    people: People, places: Places, signed_in: Callable[[User], Client], text: str
) -> Iterator[tuple[tuple[str, int], Page]]:
    """Every page for owner, reader and staff: whole, as a fragment, with `text` in its address, and posted."""
    owner, reader, staff = (signed_in(person) for person in (people.owner, people.reader, people.staff))
    typed = urlencode({"q": text, "type": "OPENAI", "name": text, "endpoint": text, "next": text, "state": text})
    wrong = {"name": f"{text}\0", "endpoint": text, "version": text, "email": text, "action": text, "role": text}
    for route in every_route():
        address = route.address(places.of(route))
        if route.pattern.startswith("admin/"):
            answers = [staff.get(address), staff.get(f"{address}?{typed}")]
        else:
            answers = [owner.get(address), owner.get(f"{address}?{typed}", headers={"HX-Request": "true"})]
            answers += [reader.get(address)]
            answers += [] if route.name in NEEDS_NO_FIELD else [owner.post(f"{address}?type=OPENAI", wrong)]
        for number, answer in enumerate(answers):
            yield (route.name, number), Page(answer.text)


def every_page(
    people: People, places: Places, signed_in: Callable[[User], Client], text: str
) -> dict[tuple[str, int], Page]:
    """`pages` with `text` in everything stored, which is as before afterwards."""
    cache.clear()
    with transaction.atomic():
        write_everywhere(people, places.ai_llm, text)
        found = dict(pages(people, places, signed_in, text))
        transaction.set_rollback(True)
    return found


def differences(one: Page, other: Page) -> list[str]:
    """What one page has and the other has not, so that a failure shows no more than that."""
    return list(unified_diff(list(map(str, one.bones)), list(map(str, other.bones)), n=0))


@pytest.mark.timeout(900)
def test_no_text_changes_the_bones_of_a_page(
    people: People, places: Places, signed_in: Callable[[User], Client]
) -> None:
    plain = every_page(people, places, signed_in, HARMLESS)
    assert sum(len(page.bones) > 30 for page in plain.values()) > 100
    for payload in PAYLOADS:
        for place, page in every_page(people, places, signed_in, payload).items():
            assert differences(plain[place], page) == [], (payload, place)
            assert page.scripts == plain[place].scripts
            assert not [act for act in page.acts if act.strip().lower().startswith(ACTING)]


def said(people: People, signed_in: Callable[[User], Client], text: str) -> list[list[tuple[str, tuple[str, ...]]]]:
    """The bones of the pages that say what was done, to things and people called `text`."""
    client, slug = signed_in(people.owner), people.workspace.slug
    User.objects.filter(organization=people.organization).update(name=text)
    done = [
        client.post("/organization/workspaces/new", {"name": f"new {text}"[:100]}, follow=True),
        client.post(f"/w/{slug}/members/add", {"person": people.outsider.pk, "role": "READ"}, follow=True),
        client.post(f"/w/{slug}/members/{people.outsider.pk}/role", {"role": "WRITE"}, follow=True),
        client.post(f"/w/{slug}/members/{people.outsider.pk}/remove", follow=True),
    ]
    assert [(answer.status_code, len(answer.redirect_chain)) for answer in done] == [(200, 1)] * len(done)
    Workspace.objects.exclude(pk=people.workspace.pk).filter(organization=people.organization).delete()
    return [Page(answer.text).bones for answer in done]


def test_what_is_said_after_something_was_done_stays_text(people: People, signed_in: Callable[[User], Client]) -> None:
    plain = said(people, signed_in, HARMLESS)
    for payload in PAYLOADS:
        assert said(people, signed_in, payload) == plain


def test_bones_would_show_markup() -> None:
    for payload in PAYLOADS:
        assert Page(f"<p>{payload}</p>").bones != Page("<p>x</p>").bones or payload == PAYLOADS[1]
    assert Page(f'<p title="{PAYLOADS[1]}">').bones != Page('<p title="x">').bones


# --- In a browser -----------------------------------------------------------------------------------------------------

WRITE = """
from tests.conftest import People
from tests.test_inert import *
from workspaces.models import Workspace
owner, workspace = User.objects.get(), Workspace.objects.get()
row = build.ai_llm(owner, workspace, name="row {number}")
Check.objects.create(ai_llm=row, by=owner, verdict="rejected", cause="key_rejected")
for model in (Organization, Workspace, User):
    model.objects.update(name=PAYLOADS[{number}])
AiLlm.objects.update(name=PAYLOADS[{number}], last_check=Check.objects.latest("at"), verdict="rejected")
events.record(User.objects.get(), "ai_llm.updated", AiLlm.objects.get(pk=row.pk), workspace=Workspace.objects.get())
print(row.pk)
"""
LEAKED = """
() => { window.pwned = () => { window.done = true };
  const script = document.createElement("script"); script.textContent = "window.done = true";
  document.body.append(script);
  const image = new Image(); image.setAttribute("onerror", "window.done = true"); image.src = "/nothing.png";
  document.body.append(image);
  document.body.insertAdjacentHTML("beforeend", "<p onclick='window.done = true' hx-on:click='window.done = true'>");
  document.body.lastElementChild.click();
}
"""


@pytest.mark.browser
@pytest.mark.server
def test_in_a_real_browser_nothing_of_it_runs_and_no_other_site_can_frame_a_page(tmp_path: Path) -> None:
    with running(tmp_path) as console, sync_playwright() as playwright:
        console.add_owner()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(base_url=console.url).new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/account/login")
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/ai")
        for number in range(len(PAYLOADS)):
            row = console.shell(WRITE.replace("{number}", str(number)))
            for path in ("", "/activity", "/llm", f"/llm/{row}", f"/llm/{row}/delete"):
                page.goto(f"/w/main/ai{path}")
                assert page.evaluate("window.done") is None
        page.evaluate(LEAKED)  # even if markup slipped in, the policy would stop it
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.done") is None
        assert not [url for url in asked if "pwned" in url or "evil" in url]
        page.goto("about:blank")
        page.set_content(f'<iframe src="{console.url}/account/login"></iframe>', wait_until="networkidle")
        assert page.frames[1].url != f"{console.url}/account/login"
        browser.close()


# --- Names that look like others --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "prod\u200bgateway",  # zero width space
        "prod\u200dgateway",
        "prod\ufeffgateway",
        "prod\u00adgateway",  # soft hyphen
        "prod\u202egateway",  # right to left from here
        "prod\u2066gateway",
        "prod\u061cgateway",
        "prod\0gateway",
        "prod\x1b[31m",
        "prod\U000e0041",  # a tag, invisible
        "e" + "\u0301" * 10_000,
        "e" + "\u0301" * 4,
        "pr\u043ed-gateway",  # a Cyrillic o
        "p\u0433od",
        "\u0391pi",  # a Greek A
        "\u2800",  # a blank that is a sign
        "\u3164",  # a blank that is a letter
        "\uffa0",
        "\u115f",
    ],
)
def test_a_name_that_hides_something_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        names.clean(name)
    assert refused.value.errors["name"]


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-4fQ9xT7bLm2Vw8Zk1Rc6Yn3P",
        "sk-ant-api03-4fQ9xT7bLm2Vw8Zk1Rc6Yn3P",
        "AKIAIOSFODNN7EXAMPLE",
        "prod hf_4fQ9xT7bLm2Vw8Zk1Rc6Yn3P",
    ],
)
def test_a_secret_is_no_name_and_is_not_repeated(secret: str) -> None:
    with pytest.raises(Invalid) as refused:
        names.clean(secret)
    assert "looks like a secret" in refused.value.errors["name"]
    assert secret not in refused.value.message


@pytest.mark.parametrize(
    "name", ["sk-team-gateway-production", "pa-frontend-2026", "hf_inference_endpoint_eu", "risk-2"]
)
def test_a_name_that_only_begins_like_a_secret_is_kept(name: str) -> None:
    assert names.clean(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "\u043f\u0440\u043e\u0434",
        "\u03ba\u03b1\u03bb\u03ae api",
        "\u672c\u756a",
        "\u0628\u064a\u062a",
        "Zo\u00eb",
        "\u00b5service",
        "prod \U0001f680",
    ],
)
def test_a_name_in_any_script_is_kept(name: str) -> None:
    assert names.clean(name) == name


def test_the_choice_between_text_and_emoji_is_no_part_of_a_name() -> None:
    assert names.clean("prod \u26a1\ufe0f") == names.clean("prod \u26a1") == "prod \u26a1"


@pytest.mark.parametrize(
    "other",
    [
        "PROD",
        "Prod",
        "\uff50\uff52\uff4f\uff44",
        "\U0001d429\U0001d42b\U0001d428\U0001d41d",
        "  prod\u00a0",
        "pro\u24d3",
    ],
)
def test_names_that_read_the_same_are_the_same(other: str, people: People) -> None:
    build.ai_llm(people.writer, people.workspace, name="prod")
    with pytest.raises(Invalid) as refused:
        build.ai_llm(people.writer, people.workspace, name=other)
    assert list(refused.value.errors) == ["name"]
