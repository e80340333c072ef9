"""The examples in deploy/: units that systemd takes, sites that a proxy takes, commands and variables that exist."""

import configparser
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from tests import serverside

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("flashback*"))
README = (ROOT / "README.md").read_text()


def unit(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(path.read_text())
    return parser


@pytest.mark.parametrize("path", [path for path in UNITS if path.suffix == ".service"], ids=lambda path: path.name)
def test_a_unit_runs_a_command_that_exists_with_options_that_it_takes(path: Path) -> None:
    started = unit(path)["Service"]["ExecStart"].split()
    assert started[:2] == ["/srv/flashback/.venv/bin/python", "manage.py"]
    name, *arguments = started[2:]
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(arguments)


@pytest.mark.parametrize("path", [path for path in UNITS if path.suffix == ".timer"], ids=lambda path: path.name)
def test_a_timer_has_its_service(path: Path) -> None:
    assert path.with_suffix(".service") in UNITS
    assert unit(path)["Timer"]["Persistent"] == "yes"


def test_every_unit_runs_without_rights() -> None:
    for path in UNITS:
        if path.suffix == ".service":
            service = unit(path)["Service"]
            assert (service["User"], service["NoNewPrivileges"], service["ProtectSystem"]) == (
                "flashback", "yes", "strict",
            )  # fmt: skip


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here; its package has systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in UNITS:
        # A program that is there: /srv/flashback is on the reader's machine.
        (tmp_path / path.name).write_text(path.read_text().replace("/srv/flashback/.venv/bin/python", "/bin/true"))
    ended = subprocess.run(
        ["systemd-analyze", "verify", *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    complaints = [line for line in ended.stderr.splitlines() if "flashback" in line]
    assert complaints == []


def test_every_variable_of_the_example_is_in_the_readme() -> None:
    named = re.findall(r"^#? ?([A-Z][A-Z_]+)=", (DEPLOY / "environment.example").read_text(), re.MULTILINE)
    assert len(named) > 8
    assert [name for name in named if f"`{name}" not in README] == []


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_a_proxy_replaces_what_a_client_says_about_itself(name: str) -> None:
    site = (DEPLOY / name).read_text()
    assert re.search(r"X-Forwarded-For[ {$]+remote_(addr|host)", site)
    assert re.search(r"X-Forwarded-Proto[ {$]+scheme", site)
    assert "256" in site  # KiB, as much as Flashback takes
    assert site.count("{") == site.count("}")


NGINX = pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx here; install the package nginx-light")


def nginx_in(folder: Path, **changes: str) -> list[str | Path]:
    """Lay the site into `folder`, with a certificate and with `changes`; return the command that takes it."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=flashback"]
    subprocess.run(
        [*made, "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True,
        capture_output=True,
    )
    site = (DEPLOY / "nginx.conf").read_text().replace("/etc/ssl/flashback", str(folder))
    for old, new in changes.items():
        site = site.replace(old, new)
    whole = f"pid {folder}/pid; error_log stderr; events {{}} http {{ access_log off; {site} }}"
    (folder / "nginx.conf").write_text(whole)
    return ["nginx", "-p", folder, "-c", folder / "nginx.conf"]


@NGINX
def test_nginx_takes_the_site(tmp_path: Path) -> None:
    ended = subprocess.run([*nginx_in(tmp_path), "-t"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@NGINX
def test_what_nginx_refuses_of_the_api_is_an_envelope(tmp_path: Path) -> None:
    port, nobody, plain = serverside.free_port(), serverside.free_port(), serverside.free_port()
    changes = {"listen 443 ssl http2": f"listen 127.0.0.1:{port} ssl", "127.0.0.1:8000": f"127.0.0.1:{nobody}"}
    command = nginx_in(tmp_path, **changes, **{"listen 80;": f"listen 127.0.0.1:{plain};"})
    with subprocess.Popen([*command, "-g", "daemon off;"], stderr=subprocess.DEVNULL) as child:
        try:
            answers = {
                path: asked(over_tls(port), path, size)
                for path, size in (("/api", 0), ("/api/ai/llm", 0), ("/api/x", 300_000), ("/x", 0))
            }
        finally:
            child.terminate()
    assert answers["/x"][0] == 502
    for path, status in (("/api", 503), ("/api/ai/llm", 503), ("/api/x", 413)):
        assert answers[path][:2] == (status, "application/json")
        assert json.loads(answers[path][2])["success"] is False


@pytest.mark.skipif(shutil.which("caddy") is None, reason="no Caddy here; install the package caddy")
def test_what_caddy_answers_of_the_api_while_flashback_is_away_is_an_envelope(tmp_path: Path) -> None:
    port, nobody = serverside.free_port(), serverside.free_port()
    site = (DEPLOY / "Caddyfile").read_text().replace("127.0.0.1:8000", f"127.0.0.1:{nobody}")
    site = site.replace("flashback.example.com {", f"{{\n\tadmin off\n}}\nhttp://127.0.0.1:{port} {{")
    (tmp_path / "Caddyfile").write_text(site)
    command = ["caddy", "run", "--config", tmp_path / "Caddyfile", "--adapter", "caddyfile"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as child:
        try:
            answers = {
                path: asked(http.client.HTTPConnection("127.0.0.1", port, timeout=10), path)
                for path in ("/api/x", "/x")
            }
        finally:
            child.terminate()
    assert answers["/api/x"][:2] == (503, "application/json")
    assert json.loads(answers["/api/x"][2])["success"] is False
    assert answers["/x"][0] == 502


def asked(link: http.client.HTTPConnection, path: str, size: int = 0) -> tuple[int, str | None, bytes]:
    """Send so many bytes over a connection whose other end may still be starting; return status, kind and body."""
    for tries_left in range(50, -1, -1):
        try:
            link.connect()
            break
        except ConnectionRefusedError:
            assert tries_left
            time.sleep(0.1)
    link.request("POST", path, b"x" * size, {"Content-Type": "application/json"})
    answer = link.getresponse()
    found = answer.status, answer.getheader("Content-Type"), answer.read()
    link.close()
    return found


def over_tls(port: int) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context(), timeout=10)
