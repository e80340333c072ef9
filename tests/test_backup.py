"""A backup and its way back: what is in the file, what is refused, and the drill on a new machine under writes."""

import ast
import io
import json
import random
import resource
import shutil
import stat
import subprocess
import sys
import zipfile
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import TextField
from django.db.models.functions import Cast

from ai_llm.models import AiLlm, Check, Credential
from flashback import archive
from flashback.archive import MANIFEST, Unusable
from flashback.keyring import new_field_key
from tests import build, cluster
from tests.console import EMAIL, OWNER, PASSWORD
from tests.serverside import ROOT, environment, manage, up
from tests.test_sealed import store
from tests.test_up import first  # noqa: F401 - a fixture: one real first start for all test processes
from tests.visitor import Visitor
from workspaces import backups, events, installation, verification
from workspaces.account_models import Session
from workspaces.models import AuditHead, Event, User

CANARY = "sk-cnry-Zr8Kq2Vw9Xn4Tb7Lm3Pd6Hs1Jf5Gc0Y"
apart = pytest.mark.django_db(transaction=True)  # a backup begins a transaction of its own


def everything():
    """Every row of every table, sealed columns as they are stored."""
    rows = {}
    for table in backups.tables():
        tokens = {f"{table.names[n]}_token": Cast(table.names[n], TextField()) for n in table.sealed}
        plain = [f.attname for n, f in enumerate(table.fields) if n not in table.sealed]
        rows[table.name] = list(table.model._base_manager.annotate(**tokens).order_by("pk").values(*plain, *tokens))
    return rows


@pytest.fixture
def stored(people, signed_in, tmp_path):
    """Something in every kind of table, and where a backup goes."""
    made = build.ai_llm(people.writer, people.workspace, secret=CANARY, key="org-key-of-the-canary")
    AiLlm.objects.update(notes="Käse “x” 🧀")
    Check.objects.create(
        ai_llm=made, by=people.writer, verdict="accepted", cause="accepted", facts={"n": [1, 2.5, None]}
    )
    signed_in(people.writer).get("/account")
    people.staff.groups.create(name="Some")
    events.record(
        None, "tested", made, workspace=people.workspace, details={"float": 0.1, "text": "\u00e9", "deep": {"a": []}}
    )
    return tmp_path / "one.backup"


def restore(source, *options):
    out = io.StringIO()
    call_command("restore", source, *options, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def data_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "var"


# --- There and back ---------------------------------------------------------------------------------------------------


@apart
def test_a_restore_puts_every_row_back_as_it_was_and_ends_all_sessions(people, stored):
    before = everything()
    manifest = backups.write(stored)
    assert {name: table["rows"] for name, table in manifest.tables.items()} == {n: len(r) for n, r in before.items()}
    build.ai_llm(people.writer, people.workspace)
    build.person(people.organization)
    AiLlm.objects.filter(name="none").update(name="other")
    assert Session.objects.exists()
    said = restore(stored, "--replace", "--yes")
    after = everything()
    restored = after["workspaces_event"].pop()
    assert restored["action"] == "backup.restored"
    for rows in (before, after):
        rows.pop("workspaces_audithead")  # the restore itself is a line of the log
    assert after == before
    assert not Session.objects.exists()
    assert (
        said.splitlines()[0]
        == f"{manifest.rows} rows of {manifest.made_at} are restored. Everybody has to sign in again."
    )
    assert said.splitlines()[1] == "The keys at hand are those that it needs."


@apart
def test_the_audit_log_is_whole_after_a_restore_and_goes_on(people, stored):
    backups.write(stored)
    last, chains = Event.objects.latest("pk").pk, list(AuditHead.objects.values_list("pk", flat=True))
    with archive.reading(stored) as reader:
        backups.prove(reader)
        backups.restore(reader)
    assert [verification.verify(chain) for chain in chains] == [None] * len(chains)
    build.ai_llm(people.writer, people.workspace)
    assert Event.objects.latest("pk").pk > last
    assert [verification.verify(chain) for chain in chains] == [None] * len(chains)
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("DELETE FROM workspaces_event")


@apart
def test_new_rows_get_numbers_of_their_own_after_a_restore(people, stored):
    backups.write(stored)
    restore(stored, "--replace", "--yes")
    people.reader.groups.create(name="Another")
    build.person(people.organization, member_of=people.workspace)


@apart
def test_without_the_key_a_restore_says_which_one_is_missing_and_writes_nothing_into_the_log(stored, ring, people):
    manifest = backups.write(stored)
    before = list(Event.objects.order_by("pk").values_list("digest", flat=True))
    ring(new_field_key())
    said = restore(stored, "--replace", "--yes")
    (key_id,) = manifest.keys
    assert f"the key {key_id} is missing" in said
    assert list(Event.objects.order_by("pk").values_list("digest", flat=True)) == before


# --- What is in the file ----------------------------------------------------------------------------------------------


def contents(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


@apart
def test_the_file_holds_no_secret_no_key_and_no_session(people, stored, settings):
    backups.write(stored)
    text = b"".join(contents(stored).values()) + stored.read_bytes()
    session = Session.objects.get()
    for hidden in (CANARY, "org-key-of-the-canary", *settings.FIELD_ENCRYPTION_KEY, settings.SECRET_KEY, session.pk):
        assert hidden.encode() not in text
    assert b"tables/workspaces_session" not in text


@apart
def test_what_is_not_sealed_in_a_sealed_column_is_left_out(people, stored):
    row = Credential.objects.get()
    store(row, CANARY)
    store(row, CANARY, "key")
    manifest = backups.write(stored)
    assert CANARY.encode() not in b"".join(contents(stored).values())
    assert manifest.keys == {next(iter(manifest.keys)): 0}
    assert Credential.objects.annotate(token=Cast("secret", TextField())).get().token == CANARY


@apart
def test_the_manifest_names_the_key_that_the_secrets_need(people, stored):
    manifest = backups.write(stored)
    row = Credential.objects.get()
    assert (manifest.keys, manifest.database) == ({row.key_id: 1}, connection.vendor)
    assert manifest.migrations == backups.applied()


@apart
def test_the_file_is_for_its_owner_alone_and_no_draft_stays(people, stored):
    backups.write(stored)
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert [path.name for path in stored.parent.iterdir() if path.is_file()] == [stored.name]


@apart
def test_a_folder_gets_a_file_named_by_the_time_and_the_log_gets_a_line(people, tmp_path):
    out = io.StringIO()
    call_command("backup", tmp_path, stdout=out)
    (made,) = tmp_path.glob("flashback-*.backup")
    assert f"rows are in {made}. Sessions and keys are not." in out.getvalue()
    assert installation.last("backup.made").details["rows"] > 0


@apart
def test_a_file_is_never_replaced(stored):
    stored.write_text("mine")
    with pytest.raises(CommandError, match="is there already; a backup never replaces a file"):
        call_command("backup", stored)
    assert stored.read_text() == "mine"


@apart
@pytest.mark.parametrize("kind", ["no folder", "no room"])
def test_a_place_that_takes_no_file_is_one_line(kind, people, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    target = tmp_path / "none" / "x.backup" if kind == "no folder" else tmp_path / "x.backup"
    if kind == "no room":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        with pytest.raises(CommandError, match=r"No backup was made: .* cannot be written"):
            call_command("backup", target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# --- What is refused --------------------------------------------------------------------------------------------------


def refused(source, *options):
    before = everything()
    with pytest.raises(CommandError) as refusal:
        restore(source, *options)
    assert everything() == before
    return str(refusal.value)


def rewritten(path, change):
    """The same zip file with `change` applied to {name: bytes}."""
    parts = contents(path)
    change(parts)
    path.unlink()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return path


@apart
def test_an_installation_with_people_is_kept_unless_it_is_said_and_typed(people, stored, monkeypatch):
    backups.write(stored)
    count = User.objects.count()
    assert refused(stored) == (
        f"{count} people are stored here. Restore into an empty installation, or add --replace to lose them."
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert refused(stored, "--replace") == "Nothing was changed."
    monkeypatch.setattr(sys, "stdin", io.StringIO("replace\n"))
    assert "are restored" in restore(stored, "--replace")


@apart
def test_no_backup_and_a_torn_one_are_refused(people, stored, tmp_path):
    backups.write(stored)
    whole = stored.read_bytes()
    for name, data in {"text": b"hello", "empty": b"", "torn": whole[: len(whole) // 2]}.items():
        (tmp_path / name).write_bytes(data)
        assert "it is no backup of Flashback, or a damaged one. Nothing was changed." in refused(tmp_path / name)
    assert "No such file" in refused(tmp_path / "nothing")


@apart
def test_a_flipped_bit_anywhere_is_found(people, stored, tmp_path):
    backups.write(stored)
    whole, chance, found = stored.read_bytes(), random.Random(5), 0
    for _ in range(40):
        data, place = bytearray(whole), chance.randrange(len(whole))
        data[place] ^= 1 << chance.randrange(8)
        (tmp_path / "flipped").write_bytes(data)
        try:
            with archive.reading(tmp_path / "flipped") as reader:
                backups.prove(reader)
                rows = {name: list(reader.rows(name)) for name in reader.manifest.tables}
            with archive.reading(stored) as reader:  # a bit that means nothing, such as one of a time
                assert rows == {name: list(reader.rows(name)) for name in reader.manifest.tables}
        except Unusable:
            found += 1
    assert found > 20


@apart
def test_changed_rows_are_found_though_the_file_itself_is_sound(people, stored):
    backups.write(stored)

    def change(parts):
        parts["tables/workspaces_user.jsonl"] = parts["tables/workspaces_user.jsonl"].replace(b"false", b"true")

    said = refused(rewritten(stored, change), "--replace", "--yes")
    assert "its table workspaces_user is damaged or was changed" in said


@apart
def test_another_version_is_refused_with_what_to_do(people, stored):
    backups.write(stored)

    def change(parts):
        manifest = json.loads(parts[MANIFEST])
        manifest["migrations"].append("ai_llm.9999_later")
        manifest["flashback"] = "9.0"
        parts[MANIFEST] = json.dumps(manifest).encode()

    said = refused(rewritten(stored, change), "--replace", "--yes")
    assert "made by Flashback 9.0, which has tables that this one does not know (ai_llm.9999_later)" in said
    assert "Restore it with that version, or a later one" in said


def older_backup(path):
    """What the version before made of the same rows: without the last migration of each application that allows it."""
    graph = MigrationLoader(None).graph
    last = {node for node in graph.leaf_nodes() if node[0] in {"workspaces", "repositories"}}
    dropped = {node for node in last if not graph.node_map[node].children}
    assert dropped
    told = archive.Manifest(
        "0.9", "2026-01-01", "sqlite", sorted(".".join(node) for node in set(graph.nodes) - dropped), {}, {}
    )
    with archive.writing(path) as file:
        for table in backups.tables(told):
            file.table(table.name, table.columns, table.read())
        file.finish(**{name: value for name, value in vars(told).items() if name != "tables"})
    return {table: len(rows) for table, rows in everything().items()}


@apart
def test_a_backup_of_an_older_version_never_replaces_what_is_stored(people, stored):
    older_backup(stored)
    before = everything()
    said = refused(stored, "--replace", "--yes")
    assert "was made by the older Flashback 0.9, and goes into an empty database alone" in said
    assert everything() == before


COUNT = """
from workspaces import backups
print({table.name: table.model._base_manager.count() for table in backups.tables()})
"""


@apart
@pytest.mark.server
@pytest.mark.timeout(480)  # several programs are started, one after the other
@pytest.mark.parametrize("kind", ["sqlite", "postgres four"])
def test_a_backup_of_an_older_version_is_restored_and_brought_up_to_date(kind, databases, people, stored, tmp_path):
    if kind not in databases and kind != "sqlite":
        cluster.need()
    there = {"DATABASE_URL": databases[kind]} if kind in databases else {}
    rows = older_backup(stored)
    done = manage("restore", str(stored), data=tmp_path / "new", **there)
    assert (done.returncode, done.stderr) == (0, "")
    assert manage("migrate", "--check", data=tmp_path / "new", **there).returncode == 0
    counted = ast.literal_eval(manage("shell", "-v0", "-c", COUNT, data=tmp_path / "new", **there).stdout)
    mended = {"auth_permission", "django_content_type", "django_migrations"}  # what a new version adds to
    added = {"workspaces_event", "workspaces_audithead"}  # the restore is on record
    for name in set(rows) - mended - added:
        assert counted[name] == rows[name], name
    assert counted["workspaces_event"] >= rows["workspaces_event"]


@apart
@pytest.mark.parametrize("values", [[], {}, {"format": "other"}, {"format": "flashback backup v1", "tables": {}}])
def test_a_manifest_of_something_else_is_refused(values, people, stored):
    backups.write(stored)
    rewritten(stored, lambda parts: parts.update({MANIFEST: json.dumps(values).encode()}))
    assert "cannot be restored" in refused(stored, "--replace", "--yes")


@apart
def test_a_restore_that_fails_in_the_middle_changes_nothing(people, stored, monkeypatch):
    backups.write(stored)
    before = everything()
    monkeypatch.setattr(backups, "_continue_numbers", lambda _: 1 / 0)
    with archive.reading(stored) as reader, pytest.raises(ZeroDivisionError):
        backups.restore(reader)
    assert everything() == before


# --- The drill --------------------------------------------------------------------------------------------------------

WRITER = """
from tests import build
from workspaces.models import User, Workspace
owner, workspace = User.objects.get(), Workspace.objects.get()
while True:
    print(build.ai_llm(owner, workspace, name=f"made {build.uuid4()}").pk, flush=True)
"""
CONSISTENT = """
from ai_llm.models import AiLlm, Credential
from workspaces.models import Event
made = {str(pk) for pk in AiLlm.objects.values_list("pk", flat=True)}
said = set(Event.objects.filter(action="ai_llm.created").values_list("object_id", flat=True))
print(made == said, Credential.objects.count() == len(made), " ".join(sorted(made)))
"""


@contextmanager
def writing(data, **variables):
    """A process that creates AI LLMs one after the other; yields the ids that it has told so far."""
    command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", WRITER]
    writer = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(data, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield writer.stdout
    finally:
        writer.kill()
        writer.communicate()


@pytest.fixture(scope="module")
def databases():
    """DATABASE_URLs of empty databases: names that begin with postgres have one."""
    if cluster.MISSING:
        yield {}
        return
    with cluster.postgresql() as own:
        for name in ("one", "two", "three", "four"):
            own.run("createdb", "-h", "127.0.0.1", "-p", str(own.port), "-U", "postgres", name)
        yield {
            f"postgres {name}": own.url.replace("/flashback", f"/{name}") for name in ("one", "two", "three", "four")
        }


@pytest.mark.server
@pytest.mark.timeout(480)  # eight programs are started, one after the other
@pytest.mark.parametrize(
    ("old", "new"), [("sqlite", "sqlite"), ("postgres one", "postgres two"), ("sqlite", "postgres three")]
)
def test_the_drill_a_new_machine_with_backup_and_key_opens_every_secret(old, new, databases, first, tmp_path):  # noqa: F811 - a fixture of another module
    if "postgres" in old + new:
        cluster.need()
    here, there = ({"DATABASE_URL": databases[kind]} if kind in databases else {} for kind in (old, new))
    old_data, new_data, file = tmp_path / "old" / "var", tmp_path / "new" / "var", tmp_path / "one.backup"
    shutil.copytree(first[0], old_data)
    if here:
        assert manage("migrate", "-v0", data=old_data, **here).returncode == 0
    assert manage(*OWNER, data=old_data, FLASHBACK_OWNER_PASSWORD=PASSWORD, **here).returncode == 0

    with writing(old_data, **here) as told:
        before = {told.readline().strip() for _ in range(20)}
        made = manage("backup", str(file), data=old_data, **here)
        told.readline()  # the writer went on meanwhile
    assert (made.returncode, made.stderr) == (0, "")

    shutil.copytree(first[0] / "static", new_data / "static")
    shutil.copy2(first[0] / "static.stamp", new_data / "static.stamp")
    done = manage("restore", str(file), data=new_data, **there)
    assert (done.returncode, done.stderr) == (0, "")
    assert "is missing. Put the keyring back" in done.stdout
    refused = manage("secrets", "check", data=new_data, **there)
    assert refused.returncode == 1
    shutil.copytree(old_data / "keys", new_data / "keys")
    for command in (["secrets", "check"], ["audit", "verify"]):
        checked = manage(*command, data=new_data, **there)
        assert (checked.returncode, checked.stderr) == (0, "")
    events_fit, secrets_fit, *there_now = manage(
        "shell", "-v0", "-c", CONSISTENT, data=new_data, **there
    ).stdout.split()
    assert (events_fit, secrets_fit) == ("True", "True")
    assert before <= set(there_now)
    with up(new_data, **there) as child:
        visitor = Visitor(child.port)
        assert visitor.sign_in(EMAIL, PASSWORD).status == 303
        assert visitor.get(f"/w/main/ai/llm/{min(before)}").status == 200
