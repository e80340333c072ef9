"""`manage.py secrets`: what it counts, what it changes, and what it never prints."""

import io
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from encrypted_model_fields import fields as package

from ai_llm import credentials, key_use, resealing
from ai_llm.management.commands import secrets as command
from ai_llm.models import Credential
from flashback import keyring, sealed
from flashback.keyring import new_field_key
from tests import build
from tests.test_sealed import column, create, store
from workspaces import verification
from workspaces.models import AuditHead, Event

ROOT = Path(__file__).resolve().parent.parent
SECRET = "sk-cnry-Zr8Kq2Vw9Xn4Tb7Lm3Pd6Hs1Jf5Gc0Y"


@pytest.fixture
def rotated_ring(ring, settings):
    """Put a new key before the old one; returns the new one."""

    def use():
        new = new_field_key()
        ring(new, *settings.FIELD_ENCRYPTION_KEY)
        return new

    return use


def run(*arguments):
    out = io.StringIO()
    try:
        call_command("secrets", *arguments, stdout=out)
    except CommandError as refusal:
        return refusal.returncode, out.getvalue(), str(refusal)
    return 0, out.getvalue(), ""


def tokens():
    return {row.pk: (column(row), column(row, "key")) for row in Credential.objects.all()}


# --- check ------------------------------------------------------------------------------------------------------------


def counts(text):
    """Return the printed table as {key id: [ok, rotation, undecryptable, mismatch, plain]}."""
    lines = [line.split() for line in text.splitlines()[1:] if len(line.split()) == 6]
    return {key_id: [int(number) for number in numbers] for key_id, *numbers in lines}


@pytest.mark.django_db
def test_an_empty_database_checks_clean():
    code, out, _ = run("check")
    assert (code, counts(out)) == (0, {})


def test_check_counts_every_state_per_key(people, ring, rotated_ring):
    old = sealed.key_id()
    rows = [create(people, key="a key") for _ in range(6)]
    store(rows[0], "sk-in-plain-text")
    store(rows[1], column(rows[2]))
    store(rows[3], column(rows[3])[:-8] + "AAAAAAA=")
    rotated_ring()
    fresh = create(people)
    code, out, refusal = run("check")
    assert counts(out) == {old: [0, 3, 1, 1, 1], sealed.key_id(): [1, 0, 0, 0, 0]}
    assert (code, refusal.split(".")[0]) == (1, "3 secrets do not open")
    assert f"{rows[0].pk}  plain text" in out
    assert f"{rows[1].pk}  context mismatch" in out
    assert f"{rows[3].pk}  undecryptable" in out
    assert str(fresh.pk) not in out


def test_rows_that_only_need_rotation_are_no_failure(people, rotated_ring):
    create(people)
    rotated_ring()
    assert run("check")[0] == 0


def test_a_lost_key_fails_the_check(people, ring):
    create(people)
    ring(new_field_key())
    code, out, _ = run("check")
    assert (code, list(counts(out).values())) == (1, [[0, 0, 1, 0, 0]])


def test_a_damaged_api_key_fails_the_check(people):
    store(create(people, key="a key"), "plain", "key")
    assert run("check")[0] == 1


def test_check_prints_ids_only(people):
    row = create(people)
    store(row, SECRET)
    _, out, refusal = run("check")
    assert SECRET not in out + refusal
    assert "gAAAA" not in out + refusal


@pytest.mark.django_db
def test_everything_that_is_sealed_is_looked_after():
    """A third model with sealed values would have to be checked and rotated too."""
    assert {rows.model for rows in resealing.filled()} == set(sealed.sealing_models())


def test_check_names_the_key_that_is_not_at_hand(people, ring):
    lost = sealed.key_id()
    build.ai_llm(people.writer, people.workspace)
    ring(new_field_key())
    assert f"The key {lost} is not at hand: 1 secrets and 1 chains of the audit log need it." in run("check")[1]


def test_check_records_what_it_found(people, rotated_ring):
    broken = create(people)
    store(broken, "plain")
    create(people)
    rotated_ring()
    run("check")
    event = Event.objects.get(action="secrets.checked")
    assert event.details == {
        "counts": {
            "ok": 0, "needs rotation": 1, "undecryptable": 0, "context mismatch": 0, "plain text": 1
        },
        "failed": {str(broken.pk): "plain text"},
    }  # fmt: skip


def test_check_with_lost_keys_leaves_the_audit_log_as_it_is(people, ring):
    build.ai_llm(people.writer, people.workspace)
    run("check")
    before = list(Event.objects.values_list("digest", flat=True))
    ring(new_field_key())
    run("check")
    assert list(Event.objects.values_list("digest", flat=True)) == before


# --- rotate -----------------------------------------------------------------------------------------------------------


def test_rotate_moves_everything_to_the_first_key(people, ring, rotated_ring):
    rows = [create(people, key="a key"), create(people)]
    new = rotated_ring()
    assert run("rotate") == (0, "2 moved to the first key, 0 were there, 0 changed meanwhile, 0 do not open.\n", "")
    ring(new)
    assert counts(run("check")[1]) == {sealed.key_id(): [2, 0, 0, 0, 0]}
    assert credentials.open_secret(Credential.objects.get(pk=rows[0].pk)) == (SECRET, "a key")
    found = Credential.objects.get(pk=rows[0].pk)
    assert found.fingerprint == sealed.fingerprint(people.workspace.pk, SECRET)
    assert found.key_fingerprint == sealed.fingerprint(people.workspace.pk, "a key")
    assert keyring.readiness() == []


def test_a_second_rotation_changes_no_byte(people, rotated_ring):
    create(people)
    rotated_ring()
    run("rotate")
    before = tokens()
    assert run("rotate")[1] == "0 moved to the first key, 1 were there, 0 changed meanwhile, 0 do not open.\n"
    assert tokens() == before


def test_a_dry_run_changes_no_byte_and_records_nothing(people, rotated_ring):
    create(people)
    rotated_ring()
    before = tokens(), list(Credential.objects.values_list("key_id", "fingerprint"))
    said = run("rotate", "--dry-run")[1]
    assert said == "1 would move to the first key, 0 were there, 0 changed meanwhile, 0 do not open.\n"
    assert (tokens(), list(Credential.objects.values_list("key_id", "fingerprint"))) == before
    assert not Event.objects.filter(action="secrets.resealed").exists()


def test_rotation_records_one_event_with_counts(people, rotated_ring):
    old = sealed.key_id()
    create(people)
    create(people)
    rotated_ring()
    run("rotate")
    run("rotate")
    event = Event.objects.get(action="secrets.resealed")
    assert (event.actor_label, event.object_label) == ("operator", f"key {sealed.key_id()}")
    assert event.details == {"changed": 2, "overtaken": 0, "failed": 0, "from": {old: 2}}


def test_rotation_seals_the_audit_log_anew_so_that_the_old_key_can_go(people, ring, rotated_ring):
    build.ai_llm(people.writer, people.workspace)
    old, new = sealed.key_id(), rotated_ring()
    assert {use.id: (use.secrets, use.chains) for use in key_use.of_each()} == {sealed.key_id(): (0, 0), old: (1, 1)}
    run("rotate")
    by_id = {use.id: (use.secrets, use.chains) for use in key_use.of_each()}
    assert by_id == {sealed.key_id(): (1, 2), old: (0, 0)}
    ring(new)
    chains = list(AuditHead.objects.values_list("pk", flat=True))
    assert [verification.verify(chain) for chain in chains] == [None] * len(chains)


def test_a_dry_run_leaves_the_seals_of_the_audit_log(people, rotated_ring):
    build.ai_llm(people.writer, people.workspace)
    rotated_ring()
    before = list(AuditHead.objects.values_list("seal", flat=True))
    run("rotate", "--dry-run")
    assert list(AuditHead.objects.values_list("seal", flat=True)) == before


def test_rotation_keeps_the_time_of_sealing(people, rotated_ring):
    row = create(people)
    before = package.CRYPTER.extract_timestamp(column(row).encode())
    rotated_ring()
    run("rotate")
    assert package.CRYPTER.extract_timestamp(column(row).encode()) == before


def test_rows_that_do_not_open_stay_as_they_are(people, rotated_ring):
    broken, good = create(people), create(people)
    store(broken, column(good))
    rotated_ring()
    before = column(broken)
    code, out, refusal = run("rotate")
    assert (code, out) == (1, "1 moved to the first key, 0 were there, 0 changed meanwhile, 1 do not open.\n")
    assert "secrets check" in refusal
    assert column(broken) == before


def test_a_newer_secret_wins(people, rotated_ring, monkeypatch):
    row, other = create(people), create(people)
    rotated_ring()
    opened = resealing._opened

    def replaced_meanwhile(seen):
        found = opened(seen)
        if seen.pk == row.pk:
            credentials.overwrite(Credential.objects.get(pk=row.pk), secret="sk-newer-0123456789", set_by=None)
        return found

    monkeypatch.setattr(resealing, "_opened", replaced_meanwhile)
    assert run("rotate")[1] == "1 moved to the first key, 0 were there, 1 changed meanwhile, 0 do not open.\n"
    assert credentials.open_secret(Credential.objects.get(pk=row.pk)).secret == "sk-newer-0123456789"
    assert credentials.open_secret(Credential.objects.get(pk=other.pk)).secret == SECRET


def test_a_key_removed_meanwhile_stays_removed(people, rotated_ring):
    row = create(people, key="a key")
    rotated_ring()
    seen = Credential.objects.get(pk=row.pk)
    credentials.overwrite(row, secret=SECRET, remove_key=True, set_by=None)
    assert resealing._swap(seen, resealing._opened(seen)) is False
    assert Credential.objects.get(pk=row.pk).key is None


def test_rotation_goes_on_past_one_batch(people, rotated_ring, monkeypatch):
    monkeypatch.setattr(resealing, "BATCH", 2)
    for _ in range(5):
        create(people)
    rotated_ring()
    seen = []
    assert resealing.reseal(progress=seen.append).changed == 5
    assert seen == [1, 2, 3, 4, 5]


def test_an_interrupted_rotation_records_what_it_did_and_is_finished_later(people, rotated_ring):
    for _ in range(4):
        create(people)
    rotated_ring()

    def stop(done):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resealing.reseal(progress=stop)
    assert Event.objects.get(action="secrets.resealed").details["changed"] == 2
    assert resealing.reseal().changed == 2
    assert run("check")[0] == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_no_write_is_lost_beside_a_rotation_on_postgres(people, ring, rotated_ring):
    rows = [create(people) for _ in range(60)]
    new = rotated_ring()
    written, ended = {}, threading.Event()

    def write():
        chance, number = random.Random(7), 0
        while not ended.is_set():
            row, number = chance.choice(rows), number + 1
            credentials.overwrite(Credential.objects.get(pk=row.pk), secret=f"sk-written-{number:06}", set_by=None)
            written[row.pk] = f"sk-written-{number:06}"
            time.sleep(0.002)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    while len(written) < 3:
        time.sleep(0.001)
    outcome = resealing.reseal()
    ended.set()
    writer.join()
    resealing.reseal()
    ring(new)
    assert outcome.changed > 0
    assert outcome.failed == 0
    found = {row.pk: credentials.open_secret(row).secret for row in Credential.objects.all()}
    assert found == {row.pk: written.get(row.pk, SECRET) for row in rows}


FILLED = """
import os, random, signal
from pathlib import Path
import django
django.setup()
from django.core.management import call_command
from django.db import connections, transaction
from ai_llm import credentials, key_use, resealing
from ai_llm.models import Credential
from flashback import keyring, sealed
from workspaces.models import Organization, Workspace

def use(*keys):
    keyring._use(keyring.Supply(",".join(keys), Path("/"), pending=False, name=keyring.FIELD_KEYS))

def counted():
    states = [state.value for _, state in resealing.states()]
    return {state: states.count(state) for state in sorted(set(states))}

def forked(work):
    connections.close_all()
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    return child

call_command("migrate", verbosity=0, skip_checks=True)
organization = Organization.objects.create(name="A", name_key="a")
workspace = Workspace.objects.create(organization=organization, name="W", name_key="w", slug="w")
with transaction.atomic():
    for number in range(450):
        credentials.create(workspace, "https://a.example:443", secret=f"sk-{number:06}", key="", set_by=None)
old, new, chance = os.environ["FLASHBACK_FIELD_KEYS"], keyring.new_field_key(), random.Random(11)
use(new, old)
"""

KILLED = """
def dying(after):
    # Killed in the middle of whatever it does, shortly after it has looked at so many rows.
    delay = chance.uniform(0.0001, 0.003)
    return lambda done: signal.setitimer(signal.ITIMER_REAL, delay) if done == after else None

seen, killed = {}, 0
for _ in range(20):
    progress = dying(seen.get("ok", 0) + chance.randint(1, 15))
    child = forked(lambda: resealing.reseal(progress=progress))
    killed += os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGALRM
    seen = counted()
    assert set(seen) <= {"ok", "needs rotation"}, seen
resealing.reseal()
use(new)
print(killed, counted())
"""

WRITTEN_BESIDE = """
ids = list(Credential.objects.values_list("pk", flat=True))
heard, said = os.pipe()

def write():
    for number, pk in enumerate(chance.choices(ids, k=200)):
        credentials.overwrite(Credential.objects.get(pk=pk), secret=f"sk-written-{number:06}", set_by=None)
        os.write(said, f"{pk} sk-written-{number:06}\\n".encode())

writer = forked(write)
os.close(said)
outcome = resealing.reseal()
written = dict(line.split() for line in os.fdopen(heard).read().splitlines())
os.waitpid(writer, 0)
resealing.reseal()
use(new)
found = {str(row.pk): credentials.open_secret(row).secret for row in Credential.objects.all()}
print(outcome.changed > 0, outcome.failed, {**found, **written} == found, len(written) > 100, counted())
"""


def in_a_process_of_its_own(script, folder):
    # Several processes on one SQLite file, as in real life; a test database in memory cannot show that.
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "flashback.settings",
        "FLASHBACK_DATA_DIR": str(folder),
        "FLASHBACK_FIELD_KEYS": new_field_key(),
        "FLASHBACK_SECRET_KEY": keyring.new_secret_key(),
    }
    command = [sys.executable, "-c", FILLED + script]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.stderr == ""
    return ended.stdout


@pytest.mark.server
def test_a_rotation_killed_twenty_times_leaves_every_row_open_and_is_finished_by_the_next(tmp_path):
    assert in_a_process_of_its_own(KILLED, tmp_path) == "20 {'ok': 450}\n"


@pytest.mark.server
def test_no_write_is_lost_beside_a_rotation_on_sqlite(tmp_path):
    assert in_a_process_of_its_own(WRITTEN_BESIDE, tmp_path) == "True 0 True True {'ok': 450}\n"


# --- new-key and the bar ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["new-key", "newkey"])
def test_new_key_prints_one_key_and_nothing_else(name):
    code, out, _ = run(name)
    assert code == 0
    assert len(out.splitlines()) == 1
    keyring.judge_field_keys(out.strip())


def test_the_bar_is_silent_without_a_terminal(capsys):
    bar = command.Bar(2)
    bar.show(1)
    bar.end()
    assert capsys.readouterr() == ("", "")


def test_the_bar_is_redrawn_only_when_it_looks_different(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = command.Bar(400)
    for done in range(401):
        bar.show(done)
    bar.end()
    drawn = terminal.getvalue().split("\r")[1:]
    assert len(drawn) == 41
    assert drawn[-1] == f"[{'#' * 40}] 400/400\n"
