"""The look: contrast, budgets, the frame, the components, and what scripts add (and do not)."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import brotli
import pytest
from axe_core_python.sync_playwright import Axe
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import Context, Template
from django.template.loader import get_template, render_to_string
from django.test import Client, RequestFactory
from django.test.testcases import LiveServerThread
from django.urls import path
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ai_llm.templatetags import ui
from flashback.styleguide import SampleForm, styleguide
from tests.conftest import CHROMIUM

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
CSS = (ROOT / "static/css/app.css").read_text()
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
CANARY = "sk-canary-0123456789"


@login_not_required
def answer(request: HttpRequest, status: int, slug: str = "") -> HttpResponse:
    if status == 200:
        return render(request, "problem.html", {"status": 409, "message": "A page of the console."})
    if status == 500:
        return HttpResponse("broken", status=500)
    return render(request, "problem.html", {"status": status}, status=status)


@login_not_required
def notice(request: HttpRequest) -> HttpResponse:
    messages.success(request, "<b>Saved</b> it.")
    return styleguide(request)


urlpatterns = [
    path("styleguide", styleguide, name="ai_llm_something"),
    path("w/<slug:slug>/ai", answer, {"status": 200}, name="overview"),
    path("w/<slug:slug>/ai/llm", answer, {"status": 200}, name="ai_llms"),
    path("notice", notice),
    path("sign-in", answer, {"status": 200}, name="account_login"),
    path("status/<int:status>", answer),
]
pytestmark = pytest.mark.urls(__name__)


class Elements(HTMLParser):
    """Every start tag of a page with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))

    def one(self, tag: str, **wanted: str) -> dict[str, str | None]:
        found = [attrs for name, attrs in self.all if name == tag and wanted.items() <= attrs.items()]
        assert len(found) == 1, (tag, wanted, found)
        return found[0]


def draw(source: str, **values: Any) -> str:
    return Template(source).render(Context(values))


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


# --- Colour ---


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def palette(theme: int) -> dict[str, str]:
    """The colours of a theme (0 light, 1 dark) by name."""
    pairs = re.findall(r"--([a-z-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS)
    plain = re.findall(r"--([a-z-]+): (#\w{6});", CSS)
    return {**dict(plain), **{name: colours[theme] for name, *colours in pairs}}


GROUNDS = ("page", "surface", "sunken", "raised", "hover")
TEXTS = [(text, ground) for text in ("text", "muted", "accent") for ground in GROUNDS]
TEXTS += [(tone, f"{tone}-soft") for tone in ("good", "warn", "bad", "accent")]
TEXTS += [("text", f"{tone}-soft") for tone in ("good", "warn", "bad", "accent")]
TEXTS += [("on-accent", fill) for fill in ("accent-fill", "accent-press", "bad-fill", "bad-press")]
TEXTS += [("bad", "surface"), ("bad", "raised"), ("page", "text")]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_a_contrast_of_at_least_4_5(theme: int) -> None:
    colours = palette(theme)
    assert [(text, ground) for text, ground in TEXTS if contrast(colours[text], colours[ground]) < 4.5] == []


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("line", ["edge", "accent"])
def test_edges_of_inputs_and_the_focus_ring_have_a_contrast_of_at_least_3(theme: int, line: str) -> None:
    colours = palette(theme)
    assert min(contrast(colours[line], colours[ground]) for ground in ("page", "surface")) >= 3


# --- Budgets and rules ---


def test_stylesheet_and_script_stay_small() -> None:
    assert len(brotli.compress(CSS.encode())) <= 7_000  # as it travels; a page may have 60 KB, and aims at 40
    assert len((ROOT / "static/js/app.js").read_text().splitlines()) < 170
    assert len((ROOT / "static/js/theme.js").read_text().splitlines()) < 20


def test_no_template_has_an_inline_script_or_style_or_more_than_120_lines() -> None:
    # A block of JSON is data: no browser runs it, and the policy does not speak of it.
    script = r"<script(?![^>]*\ssrc=)(?! type=.application/json.)"
    inline = re.compile(rf"<style|{script}|\sstyle=|\son\w+=|javascript:|hx-on|hx-vals=.js:")
    found = [(path.name, inline.findall(path.read_text())) for path in TEMPLATES if inline.search(path.read_text())]
    long = [path.name for path in TEMPLATES if len(path.read_text().splitlines()) > 120]
    assert (found, long) == ([], [])


def test_every_template_can_be_read_and_every_icon_it_names_exists() -> None:
    assert TEMPLATES
    for template in TEMPLATES:
        get_template(str(template.relative_to(ROOT / "templates")))
        for name in re.findall(r'{%\s*(?:icon|lucide)\s+"([^"]+)"|icon_name="([^"]+)"', template.read_text()):
            assert ui.icon("".join(name)).startswith("<svg")


def test_every_state_stage_and_problem_has_an_icon() -> None:
    for state in [*ui.STATES.values(), *ui.STAGES.values(), *ui.PROBLEMS.values()]:
        assert 'aria-hidden="true"' in ui.icon(state.icon)


@pytest.mark.parametrize("name", [*ui.GLYPHS, "OPENAI", "AWS"])
def test_a_glyph_is_drawn_in_the_text_colour(name: str) -> None:
    drawn = ui.glyph(name, 18)
    assert drawn.startswith('<svg width="18" height="18" class="glyph" aria-hidden="true"')
    assert "currentColor" in drawn
    assert "#" not in drawn


def test_an_unknown_type_has_the_glyph_of_other() -> None:
    assert ui.glyph("../settings") == ui.glyph("OTHER")


# --- The frame ---


@pytest.fixture
def page(client: Client) -> str:
    return client.get("/styleguide?frame=console").content.decode()


def test_the_frame_tells_htmx_what_it_may_do(page: str) -> None:
    config = json.loads(Elements(page).one("meta", name="htmx-config")["content"] or "")
    handling = config.pop("responseHandling")
    assert config == {
        "selfRequestsOnly": True,
        "allowEval": False,
        "allowScriptTags": False,
        "includeIndicatorStyles": False,
        "historyCacheSize": 0,
        "refreshOnHistoryMiss": True,
        "historyRestoreAsHxRequest": False,
        "timeout": 15000,
        "methodsThatUseUrlParams": ["get"],
    }

    def swaps(status: int) -> bool:
        return next(bool(rule["swap"]) for rule in handling if re.search(rule["code"], str(status)))

    assert [
        status for status in (200, 204, 303, 400, 401, 403, 404, 409, 413, 422, 429, 500, 502) if swaps(status)
    ] == [
        200,
        303,
        403,
        404,
        409,
        422,
        429,
    ]


def test_a_page_for_a_person_is_boosted_and_one_for_a_visitor_is_not(client: Client, page: str) -> None:
    visitor = client.get("/styleguide").content.decode()
    body = Elements(page).one("body")
    assert (body["hx-boost"], body["hx-target"]) == ("true", "#main")
    assert "X-CSRFToken" in json.loads(body["hx-headers"] or "")
    assert Elements(visitor).one("body")["hx-boost"] == "false"
    assert "htmx-2" in page
    assert "htmx-2" not in visitor


def test_the_entry_of_the_current_page_is_marked(page: str) -> None:
    menu = [attrs for tag, attrs in Elements(page).all if tag == "a" and attrs.get("href") == "/w/research/ai/llm"]
    assert [entry.get("aria-current") for entry in menu] == ["true", "true"]


def test_a_route_that_does_not_exist_leaves_its_entry_out(page: str) -> None:
    assert "Account of ada.lovelace@example.com" in page
    assert "Sign out" not in page
    assert ui.address("no_such_route", "x") == ""


@pytest.mark.django_db
def test_a_fragment_has_title_main_block_messages_and_both_menus(client: Client) -> None:
    fragment = client.get("/notice?frame=console", headers={"HX-Request": "true"}).content.decode()
    elements = Elements(fragment)
    swapped = [attrs["id"] for _, attrs in elements.all if "hx-swap-oob" in attrs]
    assert elements.all[0][0] == "title"
    assert [name for name in swapped if name] == ["messages", "switcher", "menu", "menu-small"]
    assert "&lt;b&gt;Saved&lt;/b&gt; it." in fragment
    assert "<body" not in fragment


def test_a_history_restore_gets_the_whole_page(client: Client) -> None:
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<body" in client.get("/styleguide", headers=headers).content.decode()


@pytest.mark.parametrize("status", sorted(ui.PROBLEMS))
def test_a_problem_page_says_what_happened_and_what_to_do_next(status: int, rf: RequestFactory) -> None:
    problem = ui.PROBLEMS[status]
    page = words(render_to_string("problem.html", {"status": status}, request=rf.get("/")))
    for part in (problem.title, problem.text, problem.next, f"Status {status}", "Go to the console"):
        assert part in page


def test_a_problem_page_prefers_the_sentence_of_the_one_who_refused(rf: RequestFactory) -> None:
    page = render_to_string("problem.html", {"status": 403, "message": "Only <ADMIN> may."}, request=rf.get("/"))
    assert "Only &lt;ADMIN&gt; may." in page
    assert ui.PROBLEMS[403].text not in page


def test_the_page_of_a_server_error_needs_nothing_but_itself() -> None:
    page = get_template("500.html").render()
    assert [attrs["href"] for tag, attrs in Elements(page).all if tag == "a"] == ["/", "/"]  # word mark and button
    assert "{" not in page


# --- Forms ---


def test_a_refused_field_points_to_its_help_and_its_error() -> None:
    form = SampleForm({"name": ""})
    html = draw('{% include "ui/field.html" with field=form.name %}', form=form)
    control = Elements(html).one("input")
    assert control["aria-describedby"] == "id_name_help id_name_error"
    assert control["aria-invalid"] == "true"
    assert Elements(html).one("label")["for"] == control["id"] == "id_name"
    assert {"id_name_help", "id_name_error"} <= {attrs.get("id") for _, attrs in Elements(html).all}


def test_a_field_in_order_is_not_invalid_and_keeps_what_was_typed() -> None:
    control = Elements(draw("{% field form.name %}", form=SampleForm({"name": "prod & co"}))).one("input")
    assert (control["value"], control.get("aria-invalid")) == ("prod & co", None)


def test_only_an_optional_field_is_marked() -> None:
    form = SampleForm()
    assert words(draw("{% field form.name %}", form=form)).startswith("Configuration Name A clear")
    assert words(draw("{% field form.email %}", form=form)) == "E-mail optional"


def test_a_control_takes_the_attributes_of_its_page() -> None:
    control = Elements(draw('{% field form.endpoint hx_post="/examine" hx_target="#doctor" %}', form=SampleForm())).one(
        "input"
    )
    assert (control["hx-post"], control["hx-target"], control["class"]) == ("/examine", "#doctor", "input")


@pytest.mark.parametrize("source", ["{% field form.secret %}", '{% include "ui/secret.html" with field=form.secret %}'])
def test_a_secret_is_never_printed_back_even_by_a_widget_that_would(source: str) -> None:
    class Careless(forms.Form):
        secret = forms.CharField(label="API Secret", widget=forms.PasswordInput(render_value=True))

    html = draw(source, form=Careless({"secret": CANARY}))
    assert CANARY not in html
    assert "value" not in Elements(html).one("input", type="password")


def test_a_secret_input_is_kept_from_password_managers_and_spelling() -> None:
    source = '{% include "ui/secret.html" with field=form.secret stored="Kept when empty." paste_hint="No quotes." %}'
    html = draw(source, form=SampleForm())
    control = Elements(html).one("input", type="password")
    assert (control["autocomplete"], control["spellcheck"]) == ("new-password", "false")
    assert control["aria-describedby"] == "id_secret_stored id_secret_paste"
    assert Elements(html).one("button")["data-reveal"] == control["id"]


def test_the_summary_links_each_problem_to_its_field_and_names_it() -> None:
    form = SampleForm({"name": "", "endpoint": "x", "secret": "x", "type": "nonsense"})
    html = draw('{% include "ui/errors.html" %}', form=form)
    links = [attrs["href"] for tag, attrs in Elements(html).all if tag == "a"]
    assert links == ["#id_name", "#id_type"]
    assert "Configuration Name: This field is required." in html
    assert Elements(html).one("div", id="errors")["role"] == "alert"


def test_a_form_without_problems_has_no_summary() -> None:
    assert draw('{% include "ui/errors.html" %}', form=SampleForm()).strip() == ""


def test_a_checkbox_has_its_label_around_it() -> None:
    html = draw("{% field form.remove %}", form=SampleForm())
    assert [tag for tag, _ in Elements(html).all][:3] == ["div", "label", "input"]


# --- Components ---


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("accepted", "Accepted"),
        ("limited", "Accepted, but limited"),
        ("rejected", "Rejected"),
        ("undecided", "Not decided"),
        ("", "Not validated yet"),
        ("checking", "Checking"),
        ("unavailable", "Needs its secret again"),
        ("paused", "Paused"),
    ],
)
def test_a_state_is_told_in_words_and_an_icon(state: str, text: str) -> None:
    html = draw("{% badge state %}", state=state)
    assert words(html) == text
    assert "<svg" in html


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=4), "just now"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=45), "1 month ago"),
        (timedelta(days=800), "2 years ago"),
        (-timedelta(days=9), "in 9 days"),
        (-timedelta(seconds=2), "in a moment"),
    ],
)
def test_a_time_reads_as_a_distance(passed: timedelta, text: str) -> None:
    assert ui.distance(passed) == text


def test_a_time_shows_the_exact_time_on_focus() -> None:
    moment = timezone.now() - timedelta(minutes=3)
    time = Elements(ui.ago(moment)).one("time")
    assert time["data-exact"] == moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    assert time["tabindex"] == "0"
    assert "tabindex" not in Elements(ui.ago(moment, focusable=False)).one("time")
    assert words(ui.ago(None, "not yet")) == "not yet"


def test_the_strip_reads_as_stages_with_words_and_times() -> None:
    stages = [{"name": "TLS", "state": "passed", "ms": 58}, {"name": "HTTP", "state": "failed", "ms": None}]
    assert words(draw('{% include "ui/strip.html" %}', stages=stages)) == "TLS passed in 58 ms HTTP failed"


def test_the_stepper_marks_the_current_step_and_links_those_behind() -> None:
    steps = [{"label": "Type", "url": "/a", "state": "done"}, {"label": "Credentials", "url": "", "state": "current"}]
    html = draw('{% include "ui/stepper.html" %}', steps=steps)
    assert Elements(html).one("li", **{"class": "current"})["aria-current"] == "step"
    assert Elements(html).one("a")["href"] == "/a"
    assert words(html) == "Type (done) Credentials"


def test_the_pager_keeps_the_rest_of_the_address(rf: RequestFactory) -> None:
    values = {"page": Paginator(range(60), 25).page(2), "things": "AI LLMs"}
    html = render_to_string("ui/pager.html", values, request=rf.get("/?q=prod&page=2"))
    assert [attrs["href"] for tag, attrs in Elements(html).all if tag == "a"] == ["?q=prod&page=1", "?q=prod&page=3"]
    assert "Page 2 of 3" in words(html)
    assert "of 60 AI LLMs" in words(html)


def test_a_list_of_one_page_has_no_pager(rf: RequestFactory) -> None:
    assert (
        render_to_string("ui/pager.html", {"page": Paginator(range(3), 25).page(1)}, request=rf.get("/")).strip() == ""
    )


def test_a_plain_table_labels_its_cells_for_narrow_screens() -> None:
    html = draw('{% include "ui/table.html" %}', columns=["Name", "<Region>"], rows=[["a", "b"]])
    assert Elements(html).one("td")["data-label"] == "<Region>"


@pytest.mark.parametrize(
    ("label", "text"), [("Ada Lovelace", "AL"), ("grace.hopper@example.com", "GH"), ("x", "X"), ("", "?")]
)
def test_a_person_is_shown_by_initials(label: str, text: str) -> None:
    assert ui.initials(label) == text


def test_a_host_breaks_after_its_dots_and_is_escaped() -> None:
    assert ui.breakable("a.example:80") == "a.<wbr>example:<wbr>80"
    assert ui.breakable("<b>") == "&lt;b&gt;"


def test_without_a_workspace_the_menu_leads_to_one(rf: RequestFactory) -> None:
    workspaces = [{"pk": 1, "slug": "research", "name": "R & D"}]
    html = render_to_string("ui/menu.html", {"workspaces": workspaces, "menu_id": "menu"}, request=rf.get("/account"))
    assert (Elements(html).one("a")["href"], words(html)) == ("/w/research/ai", "Workspaces R &amp; D")


# --- In a browser ---


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(autouse=True)
def no_tab_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close what a test has opened: a tab in the background goes on drawing its spinners."""
    yield
    for context in request.getfixturevalue("browser").contexts if "browser" in request.fixturenames else ():
        context.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The pages of this module over a real socket. They need no database, so the thread gets none."""
    thread = LiveServerThread("127.0.0.1", StaticFilesHandler)
    thread.start()
    thread.is_ready.wait()
    yield f"http://127.0.0.1:{thread.port}"
    thread.terminate()


@pytest.fixture
def guide(server: str) -> str:
    return f"{server}/styleguide?frame=console"


def open_page(browser: Browser, url: str, **options: Any) -> Page:
    tab = browser.new_context(**{"viewport": {"width": 1366, "height": 800}, **options}).new_page()
    tab.set_default_timeout(45_000)
    tab.goto(url, wait_until="domcontentloaded")
    return tab


def test_the_page_for_developers_shows_every_token(client: Client) -> None:
    page = client.get("/styleguide").content.decode()
    for name in ("accent", "space-1", "base", "radius", "shadow", "control", "patience", "arriving"):
        assert f"<code>--{name}</code>" in page


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_every_component_is_free_of_accessibility_violations(
    browser: Browser, guide: str, theme: Any, width: int
) -> None:
    tab = open_page(browser, guide, color_scheme=theme, viewport={"width": width, "height": 800})
    found = Axe().run(tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 390, 683, 1366, 2200])
def test_nothing_is_wider_than_the_screen(browser: Browser, guide: str, width: int) -> None:
    tab = open_page(browser, guide, viewport={"width": width, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth") is True


@pytest.mark.browser
def test_no_page_breaks_its_own_content_security_policy(browser: Browser, guide: str) -> None:
    tab = browser.new_context().new_page()
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(guide)
    tab.locator("#menu").get_by_role("link", name="Overview").first.click()
    tab.get_by_text("A page of the console.").wait_for()
    assert [text for text in said if "autocomplete attributes" not in text] == []


@pytest.mark.browser
def test_following_a_link_keeps_the_frame_and_moves_focus_to_the_heading(browser: Browser, guide: str) -> None:
    tab = open_page(browser, guide)
    tab.evaluate("window.kept = true")
    tab.locator("#menu").get_by_role("link", name="Overview").first.click()
    tab.get_by_text("A page of the console.").wait_for()
    tab.wait_for_function("document.activeElement.tagName === 'H1'")
    assert tab.evaluate("window.kept") is True
    assert tab.url.endswith("/w/research/ai")
    assert tab.title().endswith("· Flashback")


@pytest.mark.browser
@pytest.mark.parametrize(("status", "shown"), [(404, "main"), (429, "main"), (500, "#toasts"), (413, "#toasts")])
def test_a_refused_request_is_never_silent(browser: Browser, guide: str, status: int, shown: str) -> None:
    tab = open_page(browser, guide)
    tab.evaluate(f"htmx.ajax('GET', '/status/{status}', '#main')")
    told = ui.PROBLEMS[413].title if status == 413 else str(status)  # without a page of its own, the number
    tab.locator(shown).get_by_text(told).wait_for()


@pytest.mark.browser
def test_a_page_about_a_problem_is_said_once(browser: Browser, guide: str) -> None:
    tab = open_page(browser, guide)
    tab.evaluate("htmx.ajax('GET', '/status/403', '#main')")
    expect(tab.locator("main [data-problem]")).to_be_visible()
    expect(tab.locator("#toasts > *")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.parametrize("status", [403, 404, 409, 429, 500])
def test_what_was_typed_survives_a_refusal_which_stays_until_it_is_dismissed(
    browser: Browser, guide: str, status: int
) -> None:
    tab = open_page(browser, guide)
    form = f'<form hx-post="/status/{status}"><input class="input" name="typed"><button>Send</button></form>'
    tab.evaluate("form => htmx.swap('#main', form, {swapStyle: 'innerHTML'})", form)
    tab.locator("[name=typed]").fill("mine")
    tab.get_by_role("button", name="Send").click()
    told = tab.get_by_role("status").filter(has_text="What you typed is still here.")
    expect(told).to_contain_text("(500)" if status == 500 else ui.PROBLEMS[status].title)
    expect(tab.locator("[name=typed]")).to_have_value("mine")
    told.get_by_role("button", name="Dismiss").click()
    expect(tab.locator("#toasts > *")).to_have_count(0)
    expect(tab.get_by_role("button", name="Send")).to_be_focused()


@pytest.mark.browser
def test_the_theme_is_remembered_and_set_before_the_page_is_drawn(browser: Browser, guide: str) -> None:
    tab = open_page(browser, guide, color_scheme="light")
    switch = tab.locator(".header-end > [data-theme-switch]")
    switch.click()
    switch.click()
    expect(switch).to_have_attribute("aria-label", "Theme: dark")
    tab.goto(guide, wait_until="commit")
    tab.wait_for_selector("body", state="attached")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 14, 19)"
    switch.click()
    tab.wait_for_function("document.documentElement.dataset.theme === undefined")


@pytest.mark.browser
def test_focus_starts_at_the_summary_of_a_refused_form(browser: Browser, guide: str) -> None:
    tab = open_page(browser, guide)
    assert tab.evaluate("document.activeElement.id") == "errors"


@pytest.mark.browser
def test_a_menu_closes_on_escape_and_gives_the_focus_back(browser: Browser, guide: str) -> None:
    tab = open_page(browser, guide)
    tab.locator(".avatar").click()
    tab.keyboard.press("Escape")
    assert tab.locator("details.menu[open]").count() == 0
    assert tab.evaluate("document.activeElement.className") == "avatar"
    tab.locator(".avatar").click()
    tab.locator("h1").first.click()
    assert tab.locator("details.menu[open]").count() == 0


@pytest.mark.browser
def test_slash_goes_to_the_search_and_is_typed_elsewhere(browser: Browser, guide: str) -> None:
    tab = open_page(browser, guide)
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.type") == "search"
    tab.keyboard.press("/")
    assert tab.locator("[data-search]").input_value() == "/"


@pytest.mark.browser
def test_a_secret_can_be_looked_at_while_it_is_typed(browser: Browser, guide: str) -> None:
    tab = open_page(browser, guide)
    secret, button = tab.locator("#id_secret").first, tab.get_by_role("button", name="Show API Secret").first
    secret.fill(CANARY)
    button.click()
    assert (secret.get_attribute("type"), secret.input_value()) == ("text", CANARY)
    button.click()
    assert secret.get_attribute("type") == "password"


@pytest.mark.browser
def test_without_scripts_menus_open_and_nothing_that_needs_scripts_is_shown(browser: Browser, guide: str) -> None:
    tab = open_page(browser, guide, java_script_enabled=False, viewport={"width": 390, "height": 800})
    assert tab.locator(".js-only").first.is_visible() is False
    tab.locator(".menu-small summary").click()
    tab.locator("#menu-small").get_by_role("link", name="Overview").first.click()
    tab.wait_for_url("**/w/research/ai")
