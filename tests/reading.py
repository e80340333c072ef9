"""What a person reads on a page: its words, without tags."""

import re
from html import unescape

from django.http import HttpResponse


def text(page: str | HttpResponse) -> str:
    """Return the words of an answer, or of HTML, with one blank between them."""
    html = page if isinstance(page, str) else page.content.decode()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html.replace("<wbr>", ""))).split())
