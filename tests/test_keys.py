"""Where keys come from, which ones are refused, how the first run keeps them, and what a lost key means."""

import base64
import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from encrypted_model_fields import fields as package

from ai_llm import credentials
from ai_llm.models import Credential, KeyCheck
from flashback import keyring, sealed
from flashback.keyring import FIELD_KEYS, SECRET_KEY, Supply, new_field_key, new_secret_key

ROOT = Path(__file__).resolve().parent.parent
ORIGIN = "https://api.openai.com:443"
SECRET = "sk-cnry-Zr8Kq2Vw9Xn4Tb7Lm3Pd6Hs1Jf5Gc0Y"


@pytest.fixture
def variables(monkeypatch):
    """Set the two key variables and nothing else of theirs."""
    for name in list(os.environ):
        if name.startswith("FLASHBACK_"):
            monkeypatch.delenv(name)
    return lambda **values: [monkeypatch.setenv(name, value) for name, value in values.items()]


@pytest.fixture
def first_run(settings, monkeypatch, tmp_path):
    """The two keys that a first run made in memory, and the state that a keep changes."""
    monkeypatch.setattr(package, "CRYPTER", package.CRYPTER)
    settings.FIELD_ENCRYPTION_KEY = settings.FIELD_ENCRYPTION_KEY
    settings.SECRET_KEY = settings.SECRET_KEY
    folder = tmp_path / "data" / "keys"
    pending = [
        Supply(new_secret_key(), folder / "secret_key", pending=True, name=SECRET_KEY),
        Supply(new_field_key(), folder / "field_keys", pending=True, name=FIELD_KEYS),
    ]
    settings.KEYS_PENDING = pending
    return pending


@pytest.fixture
def row(people):
    return credentials.create(people.workspace, ORIGIN, secret=SECRET, key="", set_by=people.writer)


def supply(name, path, make=new_field_key, *, production=False):
    return keyring.supply(name, path, make, production=production)


def coded(data):
    return base64.urlsafe_b64encode(data).decode()


def refusal(text, name=FIELD_KEYS):
    judge = keyring.judge_field_keys if name == FIELD_KEYS else keyring.judge_secret_key
    with pytest.raises(ImproperlyConfigured) as refused:
        judge(text)
    message = str(refused.value)
    assert "\n" not in message
    assert not text.strip() or text.strip() not in message
    return message


def manage(*arguments, **variables):
    """Run one management command in a process of its own, with only the given variables."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


# --- Sources ----------------------------------------------------------------------------------------------------------


def test_the_variable_is_used_as_it_is(variables, tmp_path):
    key = new_field_key()
    variables(FLASHBACK_FIELD_KEYS=f"  {key} \n")
    assert supply(FIELD_KEYS, tmp_path / "field_keys") == Supply(
        key, tmp_path / "field_keys", pending=False, name=FIELD_KEYS
    )


def test_a_file_holds_one_key_a_line_and_the_first_seals(variables, tmp_path):
    keys, path = [new_field_key(), new_field_key()], tmp_path / "given"
    path.write_text("\n".join(keys))
    path.chmod(0o600)
    variables(FLASHBACK_FIELD_KEYS_FILE=str(path))
    assert keyring.field_keys(supply(FIELD_KEYS, tmp_path / "field_keys").text) == keys


@pytest.mark.parametrize("separator", [",", ", ", "\n", "\n\n", " "])
def test_keys_are_split_at_commas_and_lines(separator):
    assert keyring.field_keys(separator.join(["a", "b"])) == ["a", "b"]


def test_the_kept_file_comes_after_the_variable(variables, tmp_path):
    kept, given, path = new_field_key(), new_field_key(), tmp_path / "field_keys"
    path.write_text(kept)
    path.chmod(0o600)
    assert supply(FIELD_KEYS, path).text == kept
    variables(FLASHBACK_FIELD_KEYS=given)
    assert supply(FIELD_KEYS, path).text == given


def test_a_first_run_makes_a_key_in_memory_and_no_file(variables, tmp_path):
    made = supply(FIELD_KEYS, tmp_path / "keys" / "field_keys")
    assert made.pending is True
    assert Fernet(made.text)
    assert list(tmp_path.iterdir()) == []


def test_production_makes_no_key_and_reads_no_kept_file(variables, tmp_path):
    (tmp_path / "field_keys").write_text(new_field_key())
    for name, path in ((FIELD_KEYS, tmp_path / "field_keys"), (SECRET_KEY, tmp_path / "secret_key")):
        with pytest.raises(ImproperlyConfigured, match=rf"^{name} is not set\. Production makes no keys"):
            supply(name, path, production=True)


@pytest.mark.parametrize("production", [True, False])
@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_a_variable_that_is_set_but_empty_is_refused(variables, tmp_path, production, empty):
    variables(FLASHBACK_FIELD_KEYS=empty)
    with pytest.raises(ImproperlyConfigured, match=r"^FLASHBACK_FIELD_KEYS is set but empty\."):
        supply(FIELD_KEYS, tmp_path / "field_keys", production=production)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_key_file_that_others_can_read_is_refused(variables, tmp_path, mode):
    path = tmp_path / "field_keys"
    path.write_text(new_field_key())
    path.chmod(mode)
    with pytest.raises(ImproperlyConfigured, match=rf"^{path} can be read by others; run: chmod 600 {path}$"):
        supply(FIELD_KEYS, path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_of_its_owner_alone_is_read(variables, tmp_path, mode):
    path = tmp_path / "field_keys"
    path.write_text(new_field_key())
    path.chmod(mode)
    assert supply(FIELD_KEYS, path).pending is False


def test_a_key_file_of_another_user_is_refused(variables, tmp_path, monkeypatch):
    path = tmp_path / "field_keys"
    path.write_text(new_field_key())
    path.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(ImproperlyConfigured, match="belongs to another user"):
        supply(FIELD_KEYS, path)


def test_an_empty_key_file_is_refused_and_no_key_is_made(variables, tmp_path):
    path = tmp_path / "field_keys"
    path.touch(0o600)
    with pytest.raises(ImproperlyConfigured, match="which is empty"):
        supply(FIELD_KEYS, path)


# --- Which keys are refused -------------------------------------------------------------------------------------------

BAD_FIELD_KEYS = {
    "": "holds no key",
    " ,\n ": "holds no key",
    "changeme": "holds a key of 8 characters; a key has 44",
    coded(b"x" * 16): "holds a key of 24 characters; a key has 44",
    "!" * 44: "holds something that is not a key",
    "é" * 44: "holds something that is not a key",
    coded(bytes(range(40))): "holds something that is not a key",
    coded(bytes(32)): "holds a key of zeros",
    coded(b"\x07" * 32): "holds a key that repeats itself",
    coded(b"\x01\x02\x03\x04" * 8): "holds a key that repeats itself",
    coded(bytes(range(32))): "holds a key that only counts",
    coded(bytes(range(255, 223, -1))): "holds a key that only counts",
    coded(b"0123456789abcdefghijklmnopqrstuv"): "holds a key made of readable text",
    coded(b"this-is-a-32-byte-long-secret-ok"): "holds a key made of readable text",
    "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=": "holds a sample key from a public document",
}


@pytest.mark.parametrize(("text", "fault"), BAD_FIELD_KEYS.items())
def test_field_keys_that_cannot_protect_are_refused(text, fault):
    assert refusal(text).startswith(f"FLASHBACK_FIELD_KEYS {fault}")


def test_every_key_of_the_ring_is_judged():
    good = new_field_key()
    assert "zeros" in refusal(f"{good},{coded(bytes(32))}")
    assert "the same key twice" in refusal(f"{good},{good}")


def test_made_keys_are_accepted():
    for _ in range(200):
        keyring.judge_field_keys(f"{new_field_key()},{new_field_key()}")
        keyring.judge_secret_key(new_secret_key())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("django-insecure-" + "q7w8e9r0t1y2u3i4o5p6" * 4, "was made by a project template"),
        ("short", "has 5 characters; 50 are the least"),
        ("x" * 49, "has 49 characters; 50 are the least"),
        ("x" * 64, "repeats itself"),
        ("abcdefghijklmnopqrst" * 3, "repeats itself"),
        ("aaaabbbbccccddddaaaabbbbccccddddaaaabbbbcccceeeeffffg", "has only 7 different characters"),
    ],
)
def test_signing_keys_that_can_be_guessed_are_refused(text, fault):
    assert refusal(text, SECRET_KEY).startswith(f"FLASHBACK_SECRET_KEY {fault}")


# --- Refusing to start ------------------------------------------------------------------------------------------------


@pytest.mark.server
@pytest.mark.parametrize(
    ("variables_", "said"),
    [
        ({"FLASHBACK_FIELD_KEYS": "changeme"}, "FLASHBACK_FIELD_KEYS holds a key of 8 characters"),
        ({"FLASHBACK_SECRET_KEY": "changeme"}, "FLASHBACK_SECRET_KEY has 8 characters"),
        (
            {
                "FLASHBACK_ENV": "production",
                "FLASHBACK_PUBLIC_URL": "https://flashback.example.com",
                "DATABASE_URL": "postgres://u:p@127.0.0.1/x",
                "FLASHBACK_SECRET_KEY": "q7W8e9R0t1Y2u3I4o5P6-a7S8d9F0g1H2j3K4l5Z6x7C8v9B0n1M",
            },
            "FLASHBACK_FIELD_KEYS is not set. Production makes no keys",
        ),
    ],
)
def test_a_start_with_bad_keys_is_one_clear_line(tmp_path, variables_, said):
    ended = manage("manage.py", "check", FLASHBACK_DATA_DIR=str(tmp_path), **variables_)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
def test_a_key_can_be_made_where_nothing_is_configured():
    ended = manage("-m", "flashback.keyring", FLASHBACK_ENV="production")
    assert (ended.returncode, ended.stderr) == (0, "")
    keyring.judge_field_keys(ended.stdout.strip())
    signing = manage("-m", "flashback.keyring", "signing", FLASHBACK_ENV="production")
    keyring.judge_secret_key(signing.stdout.strip())


# --- Keeping the keys of a first run ----------------------------------------------------------------------------------


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}


@pytest.mark.django_db
def test_keeping_writes_both_files_for_the_owner_alone(first_run, settings):
    written = keyring.keep(first_run)
    folder = written[0].parent
    assert written == [supply.path for supply in first_run]
    assert modes(folder) == {"keys": 0o700, "secret_key": 0o600, "field_keys": 0o600}
    assert [path.read_text().strip() for path in written] == [supply.text for supply in first_run]
    assert settings.KEYS_PENDING == []
    assert settings.SECRET_KEY == first_run[0].text
    assert sealed.key_id() == sealed.hashlib.sha256(first_run[1].text.encode()).hexdigest()[:8]


@pytest.mark.django_db
def test_after_keeping_secrets_can_be_sealed(first_run, people):
    with pytest.raises(ImproperlyConfigured):
        credentials.create(people.workspace, ORIGIN, secret=SECRET, key="", set_by=None)
    keyring.keep(first_run)
    row = credentials.create(people.workspace, ORIGIN, secret=SECRET, key="", set_by=None)
    assert Fernet(first_run[1].text).decrypt(row.secret._token.encode())


@pytest.mark.django_db
def test_the_loser_of_a_race_works_with_the_winners_keys(first_run, settings):
    theirs = [
        Supply(new_secret_key(), first_run[0].path, pending=True, name=SECRET_KEY),
        Supply(new_field_key(), first_run[1].path, pending=True, name=FIELD_KEYS),
    ]
    keyring.keep(theirs)
    settings.KEYS_PENDING = first_run
    assert keyring.keep(first_run) == []
    assert settings.SECRET_KEY == theirs[0].text
    assert settings.FIELD_ENCRYPTION_KEY == [theirs[1].text]
    assert package.decrypt_str(Fernet(theirs[1].text).encrypt(b"x").decode()) == "x"


@pytest.mark.django_db
def test_a_key_file_is_there_whole_or_not_at_all(first_run, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ImproperlyConfigured, match=r"^The keys cannot be kept in .*: No space left on device\.$"):
        keyring.keep(first_run)
    assert list(first_run[0].path.parent.iterdir()) == []


def test_of_many_writers_at_once_one_wins(tmp_path):
    path = tmp_path / "keys" / "field_keys"
    supplies = [Supply(new_field_key(), path, pending=True, name=FIELD_KEYS) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(keyring._write, supplies))
    assert won.count(True) == 1
    assert path.read_text().strip() == supplies[won.index(True)].text
    assert modes(path.parent) == {"keys": 0o700, "field_keys": 0o600}


FIRST_RUNS = """
import os, sys
import django
django.setup()
from django.conf import settings
from flashback import keyring, sealed

start, go = os.pipe()
for _ in range(8):
    if not os.fork():
        os.close(go)
        makers = {keyring.SECRET_KEY: keyring.new_secret_key, keyring.FIELD_KEYS: keyring.new_field_key}
        pending = [keyring.Supply(makers[s.name](), s.path, pending=True, name=s.name) for s in settings.KEYS_PENDING]
        os.read(start, 1)
        written = keyring.keep(pending)
        os.write(1, f"{sealed.key_id()} {hash(settings.SECRET_KEY)}\\n".encode())
        os._exit(0)
os.close(go)
for _ in range(8):
    os.wait()
"""


@pytest.mark.server
def test_eight_first_runs_at_once_agree_on_one_key(tmp_path):
    ended = manage("-c", FIRST_RUNS, FLASHBACK_DATA_DIR=str(tmp_path), DJANGO_SETTINGS_MODULE="flashback.settings")
    assert ended.stderr == ""
    assert [ended.stdout.splitlines().count(line) for line in set(ended.stdout.splitlines())] == [8]
    assert modes(tmp_path / "keys") == {"keys": 0o700, "secret_key": 0o600, "field_keys": 0o600}


@pytest.mark.django_db
def test_no_new_key_is_made_when_the_database_holds_sealed_rows(first_run, settings, people):
    settings.KEYS_PENDING = []
    credentials.create(people.workspace, ORIGIN, secret=SECRET, key="", set_by=None)
    with pytest.raises(ImproperlyConfigured, match=r"^The database holds 1 sealed secrets, but the key .* is missing"):
        keyring.keep(first_run)
    assert not first_run[0].path.parent.exists()


@pytest.mark.django_db
def test_a_lost_signing_key_is_made_again_beside_sealed_rows(first_run, settings, people):
    settings.KEYS_PENDING = []
    credentials.create(people.workspace, ORIGIN, secret=SECRET, key="", set_by=None)
    assert keyring.keep(first_run[:1]) == [first_run[0].path]


# --- Lost keys --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_empty_installation_is_ready_with_any_key(ring):
    assert keyring.readiness() == []
    ring(new_field_key())
    assert keyring.readiness() == []


def test_the_right_key_is_ready(row):
    assert keyring.readiness() == []


def test_the_first_use_of_a_key_makes_its_check_row(row, ring, people, settings):
    old, new = settings.FIELD_ENCRYPTION_KEY[0], new_field_key()
    ring(new, old)
    for _ in range(2):
        credentials.create(people.workspace, ORIGIN, secret=SECRET, key="", set_by=None)
    assert sorted(KeyCheck.objects.values_list("key_id", flat=True)) == sorted(sealed.key_ids())
    found = KeyCheck.objects.get(key_id=sealed.key_id())
    assert found.text.open(found.sealing_context()) == KeyCheck.TEXT


def test_another_valid_key_is_not_ready_and_rewrites_nothing(row, ring):
    missing, before = sealed.key_id(), Credential.objects.values_list("secret", flat=True).get()
    ring(new_field_key())
    (problem,) = keyring.readiness()
    assert re.match(rf"1 sealed secrets need the key {missing}, which FLASHBACK_FIELD_KEYS does not hold", problem)
    assert Credential.objects.values_list("secret", flat=True).get() == before


def test_only_the_missing_key_is_named(row, ring, people):
    old = sealed.key_id()
    ring(new_field_key())
    credentials.create(people.workspace, ORIGIN, secret=SECRET, key="", set_by=None)
    (problem,) = keyring.readiness()
    assert old in problem
    assert sealed.key_id() not in problem


def test_a_lost_key_can_be_accepted(row, ring, variables):
    ring(new_field_key())
    variables(FLASHBACK_ACCEPT_LOST_KEYS="1")
    assert keyring.readiness() == []


def test_after_a_lost_key_everything_but_the_secret_works(row, ring):
    ring(new_field_key())
    found = Credential.objects.get(pk=row.pk)
    with pytest.raises(sealed.Unsealable):
        credentials.open_secret(found)
    assert found.available is False
    credentials.overwrite(found, secret="sk-new-0123456789abcdef", set_by=None)
    assert credentials.open_secret(Credential.objects.get(pk=row.pk)).secret == "sk-new-0123456789abcdef"
    assert keyring.readiness() == []


def test_one_damaged_row_is_not_a_lost_key(row):
    from tests.test_sealed import column, store

    store(row, column(row)[:-20])
    assert keyring.readiness() == []
    KeyCheck.objects.all().delete()
    assert len(keyring.readiness()) == 1


def test_rows_that_open_prove_their_key_without_a_check_row(row):
    KeyCheck.objects.all().delete()
    assert keyring.readiness() == []


def test_a_check_row_of_a_retired_key_is_no_problem(row, ring, people):
    credentials.purge(row)
    ring(new_field_key())
    credentials.create(people.workspace, ORIGIN, secret=SECRET, key="", set_by=None)
    assert KeyCheck.objects.count() == 2
    assert keyring.readiness() == []


def test_keys_that_are_not_kept_are_not_ready(first_run):
    assert keyring.readiness() == ["The keys of this first run are not kept yet. Run: manage.py up"]
