"""The real server with a wrong key: refused at the start, not ready when it happens later, and nothing is lost."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from flashback.keyring import new_field_key
from tests.console import EMAIL, OWNER, PASSWORD
from tests.serverside import manage, up
from tests.test_up import first  # noqa: F401 - a fixture: one real first start for all test processes
from tests.visitor import Visitor

pytestmark = pytest.mark.server
CREATE = """
from tests import build
from workspaces.models import User, Workspace
print(build.ai_llm(User.objects.get(), Workspace.objects.get(), name="{name}").pk)
"""
RENAME = """
from ai_llm import configs
from ai_llm.models import AiLlm
from workspaces.models import User
row = AiLlm.objects.get(name="production")
configs.update(User.objects.get(), row, name="renamed", endpoint=row.endpoint, version=row.version)
"""


def shell(code, data, **variables):
    done = manage("shell", "-v", "0", "-c", code, data=data, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def sealed_values(data):
    with closing(sqlite3.connect(data / "flashback.sqlite3")) as database:
        return database.execute("SELECT id, secret, key_id FROM ai_llm_credential ORDER BY id").fetchall()


@pytest.fixture
def data(first, tmp_path):  # noqa: F811 - a fixture of another module
    """An installation with one secret."""
    data = shutil.copytree(first[0], tmp_path / "var")
    assert manage(*OWNER, data=data, FLASHBACK_OWNER_PASSWORD=PASSWORD).returncode == 0
    shell(CREATE.format(name="production"), data)
    return data


def test_a_start_with_a_wrong_key_is_refused_with_one_line_and_rewrites_nothing(data):
    before, ((_, _, key_id),) = sealed_values(data), sealed_values(data)
    ended = manage("up", data=data, FLASHBACK_FIELD_KEYS=new_field_key())
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(
        f"Flashback refuses to start: 1 sealed secrets need the key {key_id}, which FLASHBACK_FIELD_KEYS"
    )
    assert sealed_values(data) == before


def test_a_start_without_the_key_file_is_refused_and_makes_no_new_one(data):
    (data / "keys" / "field_keys").unlink()
    ended = manage("up", data=data)
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, "but the key that opens them is missing" in line) == (1, True)
    assert [path.name for path in (data / "keys").iterdir()] == ["secret_key"]


def test_with_an_accepted_loss_all_else_works_and_the_right_key_opens_everything_again(data):
    before, wrong = sealed_values(data), {"FLASHBACK_FIELD_KEYS": new_field_key(), "FLASHBACK_ACCEPT_LOST_KEYS": "1"}
    with up(data, **wrong) as child:
        visitor = Visitor(child.port)
        assert visitor.sign_in(EMAIL, PASSWORD).status == 303
        page = visitor.get("/w/main/ai/llm").text
        assert ("production" in page, "Needs its secret again" in page) == (True, True)
    shell(RENAME, data, **wrong)
    assert sealed_values(data) == before
    checked = manage("secrets", "check", data=data)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert shell("from ai_llm.models import AiLlm; print(AiLlm.objects.get())", data) == "renamed"


def test_a_key_that_goes_missing_while_it_runs_makes_it_not_ready_but_alive(data):
    with up(data) as child:
        other = {"FLASHBACK_FIELD_KEYS": new_field_key(), "FLASHBACK_ACCEPT_LOST_KEYS": "1"}
        shell(CREATE.format(name="of another key"), data, **other)
        ready = child.get("/healthz/ready")
        assert (ready[0], '"reasons": ["keys"]' in ready[1], child.get("/healthz/live")[0]) == (503, True, 200)
