"""Every page that the links of the sample lead to (`manage.py demo`), and those that no link leads to."""

import re
from collections import defaultdict
from collections.abc import Callable
from html import unescape
from urllib.parse import urlsplit

from django.urls import Resolver404, resolve

BEGIN = "/w/production-sample/ai"
MOST = {"ai_llm": 4, "help_section": 4, "repository": 4}  # pages of a route that differ; of any other one is looked at
# Where no link of the sample leads: pages of a moment, of a mail, of a refusal.
OTHERS = (
    "/account/inactive",
    "/account/password/reset/done",
    "/account/password/reset/key/done",
    "/account/password/reset/key/1-abc",
    "/account/reauthenticate",
    "/account/email/confirm/none",
    "/setup/none",
    "/invitation/none",
    "/w/nowhere/ai",
    "/styleguide?frame=console",
    "/w/new-team-sample/ai",
    "/w/production-sample/ai/llm?q=nothing-like-it",
    "/w/production-sample/ai/llm/new?type=AWS",
)


def pages(get: Callable[[str], str]) -> dict[str, list[str]]:
    """Return the addresses of each route, by its name, "" for what is no route. `get` returns the text of a page."""
    waiting, found = [BEGIN, *OTHERS], defaultdict[str, list[str]](list)
    for address in waiting:
        found[route(address)].append(address)
        for link in map(unescape, re.findall(r'<a\b[^>]*?\bhref="(/[^"#]*)', get(address))):
            name = route(link)
            if name and link not in waiting and sum(route(one) == name for one in waiting) < MOST.get(name, 1):
                waiting.append(link)
    return found


def route(address: str) -> str:
    """The name of the route that an address of the console leads to, "" for none and for the admin site."""
    try:
        found = resolve(urlsplit(address).path)
    except Resolver404:
        return ""
    return "" if "admin" in found.namespaces else found.view_name
