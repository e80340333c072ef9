"""What a sealed field holds, what it gives away (nothing), and what it refuses."""

import copy
import json
import pickle
import re
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.cache import cache
from django.core.exceptions import FieldError, ImproperlyConfigured, ValidationError
from django.core.management import call_command
from django.core.serializers.base import DeserializationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Concat, Length, Substr, Upper
from django.db.models.lookups import Exact
from django.template import Context as TemplateContext
from django.template import Template
from django.test.utils import CaptureQueriesContext, isolate_apps
from encrypted_model_fields import fields as package

from ai_llm import credentials
from ai_llm.models import Credential
from flashback import sealed
from flashback.keyring import Supply, new_field_key
from flashback.sealed import Context, Fresh, Sealed, Unsealable

ORIGIN = "https://api.openai.com:443"
SECRET = "sk-cnry-Zr8Kq2Vw9Xn4Tb7Lm3Pd6Hs1Jf5Gc0Y"
OTHER = "sk-other-Ad5Bq8Cw1Dn4Eb7Fm0Gd3Hs6Jf9Kc2L"


@pytest.fixture
def row(people):
    return create(people)


def create(people, secret=SECRET, workspace=None, **values):
    workspace = workspace or people.workspace
    return credentials.create(workspace, ORIGIN, **{"secret": secret, "key": "", "set_by": people.writer, **values})


def column(row, name="secret"):
    """Read the column as it is stored, past every field."""
    return stored(f"SELECT {name} FROM ai_llm_credential WHERE id = %s", row)


def stored(sql, row):
    with connection.cursor() as cursor:
        cursor.execute(sql, [identity(row)])
        return cursor.fetchone()[0]


def store(row, token, name="secret"):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE ai_llm_credential SET {name} = %s WHERE id = %s", [token, identity(row)])


def identity(row):
    return row._meta.pk.get_db_prep_value(row.pk, connection)


def loaded(row):
    return type(row).objects.get(pk=row.pk)


def opened(row):
    return loaded(row).secret.open(loaded(row).sealing_context())


def reason(row):
    with pytest.raises(Unsealable) as refusal:
        opened(row)
    return refusal.value.reason


# --- What is stored ---------------------------------------------------------------------------------------------------


def test_the_column_holds_a_token_and_no_form_of_the_secret(row):
    token = column(row)
    assert token.startswith("gAAAA")
    assert SECRET not in token
    assert SECRET[:12] not in token


def test_the_envelope_names_everything_the_secret_is_bound_to(row, settings):
    envelope = json.loads(Fernet(settings.FIELD_ENCRYPTION_KEY[0]).decrypt(column(row)))
    padding = envelope.pop("padding")
    assert envelope == {
        "version": 1,
        "field": "ai_llm.credential.secret",
        "workspace": str(row.workspace_id),
        "row": str(row.pk),
        "origin": ORIGIN,
        "secret": SECRET,
    }
    assert padding.strip() == ""


def test_the_length_of_a_token_does_not_tell_the_length_of_the_secret(people):
    lengths = {len(column(create(people, "x" * size))) for size in range(8, 62)}
    assert len(lengths) == 1


def test_a_longer_secret_shows_in_steps_of_64_bytes(people):
    lengths = [len(column(create(people, "x" * size))) for size in range(8, 8 + 64 * 4, 16)]
    assert len(set(lengths)) == 4


@pytest.mark.parametrize("secret", ["", "short", "x" * 4096, '"\\\x00\n', "žluťoučký 🐎", "\ud800"])
def test_any_text_comes_back_as_it_went_in(row, secret):
    row.secret = Fresh(secret)
    row.save()
    assert opened(row) == secret


def test_nothing_is_stored_as_null_and_read_as_none(row):
    assert column(row, "key") is None
    assert loaded(row).key is None


# --- Opening ----------------------------------------------------------------------------------------------------------


def test_loading_opens_nothing(row, monkeypatch):
    monkeypatch.setattr(package, "CRYPTER", None)
    assert isinstance(loaded(row).secret, Sealed)


@pytest.mark.parametrize("changed", ["workspace", "row", "origin"])
def test_a_secret_opens_only_where_it_was_sealed(row, changed):
    right = {"workspace": row.workspace_id, "row": row.pk, "origin": ORIGIN}
    wrong = {"workspace": uuid4(), "row": uuid4(), "origin": "https://api.openai.com:8443"}
    assert row.secret.open(Context(**right)) == SECRET
    with pytest.raises(Unsealable, match=r"^context_mismatch$"):
        row.secret.open(Context(**{**right, changed: wrong[changed]}))


def test_tokens_swapped_between_rows_of_two_workspaces_do_not_open(people, row):
    foreign = create(people, OTHER, people.strange_workspace)
    ours, theirs = column(row), column(foreign)
    store(row, theirs)
    store(foreign, ours)
    assert [reason(row), reason(foreign)] == ["context_mismatch", "context_mismatch"]


def test_a_token_moved_to_the_other_column_does_not_open(row):
    store(row, column(row), "key")
    with pytest.raises(Unsealable, match=r"^context_mismatch$"):
        loaded(row).key.open(row.sealing_context())


def test_a_destination_changed_by_sql_does_not_open(row):
    Credential.objects.filter(pk=row.pk).update(origin="https://evil.example:443")
    assert reason(row) == "context_mismatch"


@pytest.mark.parametrize("place", [12, 40, -10])
def test_a_damaged_token_is_undecryptable_and_harms_nothing_else(row, place):
    token = column(row)
    store(row, token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :])
    assert reason(row) == "undecryptable"
    assert "gAAAA" not in f"{loaded(row)!r} {loaded(row).secret} {vars(loaded(row))}"


@pytest.mark.parametrize("token", ["", "plain text", "gAAAA", "žluť", "gAAAA" + "A" * 200])
def test_text_that_no_key_sealed_is_undecryptable(row, token):
    store(row, token)
    assert reason(row) == "undecryptable"


@pytest.mark.parametrize("text", ["sk-bare", "[]", "null", '{"secret": "x"}', '{"version": 2, "secret": "x"}', "1"])
def test_a_token_without_our_envelope_is_malformed(row, text):
    store(row, package.encrypt_str(text).decode())
    assert reason(row) == "malformed"


def test_a_token_that_is_not_text_is_malformed(row):
    store(row, package.CRYPTER.encrypt(b"\xff\xfe").decode())
    assert reason(row) == "malformed"


def test_the_error_carries_neither_secret_nor_token(row):
    store(row, "stored-in-plain-text-0123456789")
    with pytest.raises(Unsealable) as refusal:
        opened(row)
    assert refusal.value.args == ("undecryptable",)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ is True


def test_a_wrong_key_destroys_nothing(row, ring, settings):
    right, token = settings.FIELD_ENCRYPTION_KEY, column(row)
    ring(new_field_key())
    assert reason(row) == "undecryptable"
    changed = loaded(row)
    changed.hint = "new!"
    changed.save()
    assert column(row) == token
    ring(*right)
    assert (loaded(row).hint, opened(row)) == ("new!", SECRET)


def test_the_first_key_seals_and_all_keys_open(row, ring, settings):
    old, new = settings.FIELD_ENCRYPTION_KEY[0], new_field_key()
    ring(new, old)
    assert opened(row) == SECRET
    assert loaded(row).secret.current is False
    row.secret = Fresh(OTHER)
    row.save()
    ring(new)
    assert opened(row) == OTHER


# --- What somebody sees who should not --------------------------------------------------------------------------------


def values_of(row):
    return [loaded(row).secret, Fresh(SECRET)]


def test_every_way_of_printing_gives_the_mask(row):
    for value in values_of(row):
        shown = [str(value), f"{value}", f"{value:>40}", f"{value!s:.3}", " ".join([str(value)])]
        assert set(shown) <= {"[sealed]", "[se"}
        assert repr(value) in {"<Sealed>", "<Fresh>"}
        assert Template("{{ v }}{{ v|upper }}{{ v|safe }}").render(TemplateContext({"v": value})).count("SEALED") == 1
        assert not hasattr(value, "__dict__")


def test_it_cannot_be_put_into_json(row):
    for value in values_of(row):
        for encoder in (json.JSONEncoder, DjangoJSONEncoder):
            with pytest.raises(TypeError):
                json.dumps({"secret": value}, cls=encoder)


def test_it_cannot_be_pickled_copied_or_cached(row):
    for value in values_of(row):
        for carry in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="cannot be pickled"):
                carry(value)
    with pytest.raises(TypeError, match="cannot be pickled"):
        cache.set("row", loaded(row))
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Credential.objects.all())


def test_equality_compares_tokens_and_never_text(people, row):
    first, second = loaded(row).secret, loaded(row).secret
    assert first == second
    assert len({first, second}) == 1
    assert first != create(people, SECRET).secret
    assert first != SECRET
    assert first != column(row)
    assert Fresh(SECRET) != Fresh(SECRET)


def test_queries_give_sealed_values_and_never_text(row):
    rows = Credential.objects.filter(pk=row.pk)
    seen = [
        rows.values("secret").get()["secret"],
        rows.values_list("secret", flat=True).get(),
        rows.annotate(alias=F("secret")).get().alias,
        rows.annotate(alias=Upper("secret")).values_list("alias", flat=True).get(),
        rows.annotate(alias=Concat("secret", "secret")).values_list("alias", flat=True).get(),
        rows.only("secret").get().secret,
        rows.defer("secret").get().secret,
        Credential.objects.raw("SELECT * FROM ai_llm_credential")[0].secret,
    ]
    assert [type(value) for value in seen] == [Sealed] * len(seen)


def test_no_statement_carries_the_secret(people):
    with CaptureQueriesContext(connection) as queries:
        row = create(people)
        row.secret = Fresh(OTHER)
        row.save()
        credentials.purge(row)
    text = " ".join(query["sql"] for query in queries)
    assert "ai_llm_credential" in text
    assert SECRET not in text
    assert OTHER not in text


# --- Writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["text", b"bytes", 1, Value("x"), F("hint"), Upper(Value("x"))], ids=repr)
def test_only_fresh_secrets_are_saved(row, value):
    token = column(row)
    row.secret = value
    with pytest.raises(TypeError, match=r"takes Fresh\(secret\) or None"), transaction.atomic():
        row.save()
    with pytest.raises(TypeError), transaction.atomic():
        Credential.objects.create(workspace_id=row.workspace_id, origin=ORIGIN, secret=value)
    with pytest.raises(TypeError), transaction.atomic():
        Credential.objects.bulk_create([Credential(workspace_id=row.workspace_id, origin=ORIGIN, secret=value)])
    assert column(row) == token
    assert Credential.objects.count() == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda row: "text",
        lambda row: Fresh(OTHER),
        lambda row: row.secret,
        lambda row: F("hint"),
        lambda row: F("secret"),
        lambda row: Value("x"),
        lambda row: Value(None),
        lambda row: Case(When(hint="", then=Value("x")), default=Value("y")),
        lambda row: Upper(F("hint")),
    ],
)
def test_update_is_refused(row, make):
    token = column(row)
    with pytest.raises(TypeError, match="written by saving a row"), transaction.atomic():
        Credential.objects.filter(pk=row.pk).update(secret=make(row))
    assert column(row) == token


@pytest.mark.parametrize("value", ["text", Fresh(OTHER), None, Value("x"), F("hint")], ids=repr)
def test_bulk_update_is_refused(people, row, value):
    rows = [row, create(people, OTHER)]
    tokens = [column(one) for one in rows]
    for one in rows:
        one.secret = value
    with pytest.raises(TypeError), transaction.atomic():
        Credential.objects.bulk_update(rows, ["secret"])
    assert [column(one) for one in rows] == tokens


def test_bulk_update_of_sealed_values_is_refused(row):
    with pytest.raises(TypeError), transaction.atomic():
        Credential.objects.bulk_update([loaded(row)], ["secret"])


def test_update_can_empty_the_column(row):
    Credential.objects.filter(pk=row.pk).update(secret=None)
    assert column(row) is None


def test_bulk_create_seals_every_row_for_itself(people):
    rows = [Credential(workspace=people.workspace, origin=ORIGIN, secret=Fresh(f"secret-{n}")) for n in range(3)]
    Credential.objects.bulk_create(rows)
    assert [opened(row) for row in rows] == ["secret-0", "secret-1", "secret-2"]


def test_a_failed_save_keeps_the_stored_secret(row):
    row.secret = Fresh(OTHER)
    with transaction.atomic():
        row.save()
        transaction.set_rollback(True)
    assert opened(row) == SECRET


def test_saving_other_fields_leaves_the_token_alone(row):
    token = column(row)
    changed = loaded(row)
    changed.hint = "new!"
    changed.save()
    changed.save(update_fields=["hint"])
    assert column(row) == token


def test_nothing_is_sealed_for_a_row_without_an_id(people):
    row = Credential(workspace=people.workspace, origin=ORIGIN, secret=Fresh(SECRET))
    row.workspace_id = None
    with pytest.raises(TypeError, match="need their id first"):
        row.save()


def test_only_text_can_be_fresh():
    with pytest.raises(TypeError, match=r"^Only text can be sealed\.$"):
        Fresh(b"sk-bytes")


def test_nothing_is_sealed_with_a_key_that_is_not_kept(row, settings, tmp_path):
    settings.KEYS_PENDING = [Supply("x", tmp_path / "field_keys", pending=True, name="FLASHBACK_FIELD_KEYS")]
    row.secret = Fresh(OTHER)
    with pytest.raises(ImproperlyConfigured, match=r"manage\.py up"), transaction.atomic():
        row.save()
    assert opened(row) == SECRET


def test_cleaning_a_row_changes_no_secret_and_takes_no_text(row):
    row.clean_fields(exclude=["set_by", "expires_at", "key"])
    assert row.secret.open(row.sealing_context()) == SECRET
    with pytest.raises(ValidationError):
        Credential._meta.get_field("secret").to_python(column(row))


# --- Searching --------------------------------------------------------------------------------------------------------

LOOKUPS = ["exact", "iexact", "contains", "startswith", "regex", "in", "gt", "range", "year", "length", "nonsense"]


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_lookups_are_refused(row, lookup):
    for value in ("gAAAA", [SECRET], row.secret, None):
        for search in (Credential.objects.filter, Credential.objects.exclude):
            with pytest.raises(FieldError):
                search(**{f"secret__{lookup}": value})


def test_looking_for_a_value_is_refused_in_every_spelling(row):
    with pytest.raises(FieldError):
        Credential.objects.filter(secret=SECRET)
    with pytest.raises(FieldError):
        Credential.objects.filter(secret=None)
    with pytest.raises(FieldError):
        Credential.objects.filter(Q(secret=column(row)) | Q(hint=""))
    with pytest.raises(FieldError):
        Credential.objects.get_or_create(secret=SECRET)
    with pytest.raises(FieldError):
        list(Credential.objects.filter(Exact(F("secret"), Value(SECRET, output_field=sealed.SealedField()))))
    with pytest.raises(FieldError):
        Credential.objects.alias(text=F("secret")).filter(text=SECRET)


def test_only_presence_can_be_asked_for(row):
    assert Credential.objects.filter(secret__isnull=False).get() == row
    assert Credential.objects.filter(key__isnull=True).get() == row
    assert Credential.objects.filter(secret__isnull=True).first() is None


def test_a_function_of_the_column_works_on_ciphertext(row):
    shown = Credential.objects.annotate(size=Length("secret"), part=Substr("secret", 1, 20)).values_list("size", "part")
    assert shown.get() == (len(column(row)), column(row)[:20])


# --- Dumps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "jsonl", "python", "xml"])
def test_a_dump_holds_a_mask_and_cannot_be_loaded(row, form):
    dump = serializers.serialize(form, Credential.objects.all())
    assert SECRET not in str(dump)
    assert "gAAAA" not in str(dump)
    assert "[sealed]" in str(dump)
    with pytest.raises((DeserializationError, ValidationError)):
        list(serializers.deserialize(form, dump))
    assert opened(row) == SECRET


def test_dumpdata_of_everything_has_neither_secret_nor_token(row, tmp_path):
    path = tmp_path / "dump.json"
    call_command("dumpdata", output=str(path), verbosity=0)
    text = path.read_text()
    assert str(row.pk) in text
    assert SECRET not in text
    assert "gAAAA" not in text
    with pytest.raises(DeserializationError):
        call_command("loaddata", str(path), verbosity=0)
    assert opened(row) == SECRET


# --- The field as a field ---------------------------------------------------------------------------------------------


def test_forms_do_not_see_it():
    field = Credential._meta.get_field("secret")
    assert field.editable is False
    assert sealed.SealedField(editable=True).editable is False


def test_it_deconstructs_to_what_makes_it_again():
    field = Credential._meta.get_field("secret")
    assert field.deconstruct() == ("secret", "flashback.sealed.SealedField", [], {"null": True})
    assert field.clone().deconstruct()[1:] == field.deconstruct()[1:]


def test_the_migrations_know_every_sealed_field():
    from django.apps import apps

    loader = MigrationLoader(None)
    changes = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps)).changes(loader.graph)
    assert [o for m in changes.get("ai_llm", []) for o in m.operations if "SealedField" in repr(vars(o))] == []


@isolate_apps("flashback")
def test_the_field_says_what_its_model_lacks():
    from django.db import models

    class Bare(models.Model):
        text = sealed.SealedField(unique=True)

        class Meta:
            app_label = "flashback"

        def __str__(self):
            return "bare"

    found = [error.id for error in Bare._meta.get_field("text").check()]
    assert found == ["sealed.E001", "sealed.E002"]


# --- Fingerprints and key ids -----------------------------------------------------------------------------------------


def test_a_fingerprint_is_equal_within_a_workspace_only():
    here, there = UUID(int=1), UUID(int=2)
    assert sealed.fingerprint(here, SECRET) == sealed.fingerprint(here, SECRET)
    assert sealed.fingerprint(here, SECRET) != sealed.fingerprint(there, SECRET)
    assert sealed.fingerprint(here, SECRET) != sealed.fingerprint(here, OTHER)
    assert re.fullmatch("[0-9a-f]{16}", sealed.fingerprint(here, SECRET))
    assert re.fullmatch("[0-9a-f]{16}", sealed.fingerprint(here, "\ud800"))


def test_a_fingerprint_depends_on_the_first_key_alone(ring):
    first, second = new_field_key(), new_field_key()
    ring(first)
    before = sealed.fingerprint(UUID(int=1), SECRET)
    ring(first, second)
    assert sealed.fingerprint(UUID(int=1), SECRET) == before
    ring(second, first)
    assert sealed.fingerprint(UUID(int=1), SECRET) != before


def test_the_fingerprint_of_a_known_key_never_changes_between_versions(ring):
    ring("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=")
    assert sealed.fingerprint(UUID(int=1), "sk-1") == "84f675631419cf6b"
    assert sealed.key_id() == "b01198f8"


def test_key_ids_are_the_start_of_the_hash_of_each_key(ring):
    import hashlib

    keys = [new_field_key(), new_field_key()]
    ring(*keys)
    assert sealed.key_ids() == [hashlib.sha256(key.encode()).hexdigest()[:8] for key in keys]
    assert sealed.key_id() == sealed.key_ids()[0]
