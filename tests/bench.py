"""`make bench`: start, pages, health and sealing, each beside its budget. Exit code 1 when one is over."""

import http.cookiejar
import re
import statistics
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from tests.serverside import manage, up

PASSWORD = "a long enough passphrase"
EMAIL = "olivia@example.com"
ROUNDS = 50
SEAL = """
import time
from statistics import median
from ai_llm.models import AiLlm, Credential
from flashback.sealed import Context, Fresh
from tests import build
from workspaces.models import User, Workspace

row = build.ai_llm(User.objects.get(), Workspace.objects.get())
def took(what):
    begin = time.perf_counter(); what(); return (time.perf_counter() - begin) * 1e6
held = Credential.objects.get(pk=row.credential_id)
print(median(took(lambda: held.secret.open(held.sealing_context())) for _ in range(500)))
"""


def browser():
    """Something that keeps cookies, as a browser does."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    return urllib.request.build_opener(jar)


def sign_in(client, base):
    with client.open(f"{base}/account/login") as page:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.read().decode())[1]
    form = urllib.parse.urlencode({"csrfmiddlewaretoken": token, "login": EMAIL, "password": PASSWORD}).encode()
    request = urllib.request.Request(f"{base}/account/login", form, {"Origin": base})
    with client.open(request) as page:
        return urllib.parse.urlsplit(page.url).path


def milliseconds(client, address):
    """Median time for a whole page over a socket, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        with client.open(address) as page:
            page.read()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def figures(data):
    """Yield what was measured: name, value, budget, unit."""
    begin = time.monotonic()
    with up(data):
        yield "first start", time.monotonic() - begin, None, "s"
    owner = ("createowner", "--email", EMAIL, "--organization", "Acme", "--workspace", "Main")
    made = manage(*owner, data=data, FLASHBACK_OWNER_PASSWORD=PASSWORD)
    assert made.returncode == 0, made.stderr
    sealing = manage("shell", "-v", "0", "-c", SEAL, data=data)
    assert sealing.returncode == 0, sealing.stderr
    begin = time.monotonic()
    with up(data) as child:
        yield "second start", time.monotonic() - begin, 3, "s"
        base, client = f"http://127.0.0.1:{child.port}", browser()
        overview = sign_in(client, base)
        pages = {
            "health": "/healthz/live",
            "sign-in": "/account/login",
            "overview": overview,
            "list": f"{overview}/llm",
        }
        for name, path in pages.items():
            yield name, milliseconds(client if name != "sign-in" else browser(), base + path), 15, "ms"
    yield "open a secret", float(sealing.stdout.split()[-1]), 200, "µs"


def main():
    over = []
    with tempfile.TemporaryDirectory() as folder:
        for name, value, budget, unit in figures(Path(folder) / "var"):
            verdict = "" if budget is None else f"budget {budget} {unit}{'' if value <= budget else '   OVER'}"
            print(f"  {name:<16}{value:>9.2f} {unit:<4}{verdict}", flush=True)
            over += [name] if budget is not None and value > budget else []
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
