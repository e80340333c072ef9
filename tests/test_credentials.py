"""What may be pasted as a secret or a key, and what the verbs do with a credential row."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from encrypted_model_fields import fields as package

from ai_llm import configs, credentials
from ai_llm.models import Credential
from flashback import sealed
from flashback.errors import Invalid
from flashback.keyring import new_field_key

ORIGIN = "https://api.openai.com:443"
SECRET = "sk-cnry-Zr8Kq2Vw9Xn4Tb7Lm3Pd6Hs1Jf5Gc0Y"
SECRET_EMPTIED = '"secret" = NULL'
OTHER = "sk-other-Ad5Bq8Cw1Dn4Eb7Fm0Gd3Hs6Jf9Kc2L"


@pytest.fixture
def row(people):
    return credentials.create(people.workspace, ORIGIN, secret=SECRET, key="AKIA-key", set_by=people.writer)


def loaded(row):
    return Credential.objects.get(pk=row.pk)


def message(text, field="secret"):
    with pytest.raises(Invalid) as refusal:
        credentials.clean(text, field=field)
    assert list(refusal.value.errors) == [field]
    said = refusal.value.errors[field]
    assert not text.strip() or text.strip() not in said
    return said


# --- What may be pasted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [SECRET, "x" * 8, "x" * 4096, "!#$%&()*+,-./:;<=>?@[]^_{|}~", "abc=def==", "AIza.b_c-d"]
)
def test_visible_ascii_is_taken_as_it_is(text):
    assert credentials.clean(text, field="secret") == text


@pytest.mark.parametrize("around", [" {} ", "\n{}\n", "\t{}\r\n", "\u00a0{}\u2003"])
def test_white_space_around_it_goes(around):
    assert credentials.clean(around.format(SECRET), field="secret") == SECRET


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Enter a value."),
        (" \n ", "Enter a value."),
        ("1234567", "It has 7 characters, and 8 are the least."),
        ("x" * 4097, "It has 4097 characters, and 4096 are the most."),
        ("sk-one sk-two", "It holds a blank in the middle."),
        ("sk-one\tsk-two", "It holds a blank in the middle."),
        ("sk-one\u00a0sk-two", "It holds a blank in the middle."),
        ("sk-one\nsk-two", "It holds a line break."),
        ("sk-one\r\nX-Evil: 1", "It holds a line break."),
        ("sk-one\x00sk-two", "It holds an invisible control character."),
        ("sk-one\x7fsk-two", "It holds an invisible control character."),
        ("sk-one\x1b[31m", "It holds an invisible control character."),
        ('"sk-0123456789"', "Remove the quotes around it."),
        ("'sk-0123456789'", "Remove the quotes around it."),
        ("`sk-0123456789`", "Remove the quotes around it."),
        ("“sk-0123456789”", "Remove the quotes around it."),
        ("Bearer sk-0123456789", "Leave out the word in front of it"),
        ("bearer\tsk-0123456789", "Leave out the word in front of it"),
        ("Authorization: Bearer sk-0123456789", "Leave out the word in front of it"),
        ("********", "This is a masked form"),
        ("sk-****abcd", "This is a masked form"),
        ("sk-…abcdefgh", "This is a masked form"),
        ("sk-...abcdefgh", "This is a masked form"),
        ("••••••••", "This is a masked form"),
        ("[hidden]", "This is a masked form"),
        ("[sealed]", "This is a masked form"),
        ("sk-žluťoučký", "Character 4 is not a plain letter, figure or sign (U+017E)."),
        ("sk-0123456789🐎", "Character 14 is not a plain letter, figure or sign (U+1F40E)."),
        ("sk-0123\u200b456789", "Character 8 is not a plain letter, figure or sign (U+200B)."),
        ("\ufeffsk-0123456789", "Character 1 is not a plain letter, figure or sign (U+FEFF)."),
        ("sk-0123456789\ud800", "Character 14 is not a plain letter, figure or sign (U+D800)."),
        ('{"type": "service_account"', "This begins like a JSON key file but is not a whole one."),
        ("{" * 9000, "This begins like a JSON key file but is not a whole one."),
        ('{"a":' * 3000 + "1" + "}" * 3000, "It has 18001 characters, and 16384 are the most."),
        ('{"a":' * 2500 + "1" + "}" * 2500, "This begins like a JSON key file but is not a whole one."),
    ],
)
def test_each_mistake_has_its_own_help(text, said):
    assert message(text).startswith(said)


def test_an_api_key_may_be_short():
    assert credentials.clean("k", field="key") == "k"
    assert message("", "key") == "Enter a value."
    assert message("AKIA 0123", "key").startswith("It holds a blank")


def test_a_key_file_is_stored_in_its_shortest_form():
    file = {
        "type": "service_account",
        "private_key": "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n",
        "n": "ž",
    }
    cleaned = credentials.clean(f"\n{json.dumps(file, indent=2)}\n", field="secret")
    assert json.loads(cleaned) == file
    assert cleaned.isascii()
    assert "\n" not in cleaned
    assert ": " not in cleaned


def test_a_stored_token_is_refused_like_any_other_nonsense(row):
    token = package.encrypt_str("anything").decode()
    assert message(token) == credentials.GENERIC
    assert message(row.secret._token) == credentials.GENERIC
    assert message(f" {token}\n") == credentials.GENERIC
    assert message(token, "key") == credentials.GENERIC


def test_a_token_of_somebody_else_is_only_text():
    from cryptography.fernet import Fernet

    token = Fernet(Fernet.generate_key()).encrypt(b"x").decode()
    assert credentials.clean(token, field="secret") == token


@pytest.mark.parametrize(
    "text", ["Bearer sk-secret-0123456789", "sk-se cret", "sk-sécret", '{"private_key": "sk-secret"']
)
def test_no_message_repeats_the_secret(text):
    assert "cret" not in message(text).replace("secret", "")


# --- The verbs --------------------------------------------------------------------------------------------------------


def test_a_new_credential_opens_and_says_about_itself_only_what_it_may(row, people):
    found = loaded(row)
    assert credentials.open_secret(found) == (SECRET, "AKIA-key")
    assert (found.hint, found.set_by, found.origin, found.key_id) == ("Gc0Y", people.writer, ORIGIN, sealed.key_id())
    assert found.fingerprint == sealed.fingerprint(people.workspace.pk, SECRET)
    assert found.key_fingerprint == sealed.fingerprint(people.workspace.pk, "AKIA-key")
    assert found.available is True


@pytest.mark.parametrize(
    ("secret", "hint"), [("x" * 15 + "1234", ""), ("x" * 16 + "1234", "1234"), ('{"private_key":"0123456789"}', "")]
)
def test_a_hint_needs_twenty_characters(people, secret, hint):
    row = credentials.create(people.workspace, ORIGIN, secret=secret, key="", set_by=None)
    assert row.hint == hint


def test_an_opened_pair_does_not_show_itself(row):
    pair = credentials.open_secret(row)
    assert [f"{pair}", repr(pair), f"{[pair]}"] == ["<Opened>", "<Opened>", "[<Opened>]"]


def test_a_credential_without_a_key_opens_with_an_empty_one(people):
    row = credentials.create(people.workspace, ORIGIN, secret=SECRET, key="", set_by=None)
    assert (row.key, row.key_fingerprint) == (None, "")
    assert credentials.open_secret(row).key == ""


def test_overwriting_leaves_nothing_of_the_old_secret(row, people):
    token = row.secret._token
    credentials.overwrite(row, secret=OTHER, set_by=people.admin)
    found = loaded(row)
    assert credentials.open_secret(found) == (OTHER, "AKIA-key")
    assert (found.hint, found.set_by) == ("Kc2L", people.admin)
    assert token not in everything_stored()


def test_overwriting_can_change_or_remove_the_key(row):
    credentials.overwrite(row, secret=OTHER, key="another", set_by=None)
    assert credentials.open_secret(loaded(row)).key == "another"
    credentials.overwrite(row, secret=OTHER, remove_key=True, set_by=None)
    assert (loaded(row).key, loaded(row).key_fingerprint) == (None, "")


def test_the_key_that_is_kept_stays_as_it_is_sealed(row):
    before = loaded(row).key._token
    credentials.overwrite(loaded(row), secret=OTHER, set_by=None)
    assert loaded(row).key._token == before


def test_a_key_that_does_not_open_is_not_kept_silently(row, ring):
    ring(new_field_key())
    with pytest.raises(Invalid) as refusal:
        credentials.overwrite(loaded(row), secret=OTHER, set_by=None)
    assert refusal.value.errors == {"key": credentials.LOST_KEY}


def test_purging_takes_row_and_tokens_and_empties_pointers(people):
    from tests import build

    ai_llm = build.ai_llm(people.writer, people.workspace)
    token = ai_llm.credential.secret._token
    with CaptureQueriesContext(connection) as queries:
        credentials.purge(ai_llm.credential)
    emptied, deleted = (
        next(n for n, q in enumerate(queries) if word in q["sql"]) for word in (SECRET_EMPTIED, "DELETE")
    )
    assert emptied < deleted
    ai_llm.refresh_from_db()
    assert ai_llm.credential is None
    assert Credential.objects.count() == 0
    assert token not in everything_stored()


def test_a_deleted_ai_llm_keeps_no_secret(people):
    from tests import build

    ai_llm = build.ai_llm(people.writer, people.workspace)
    token = ai_llm.credential.secret._token
    configs.delete(people.writer, ai_llm)
    assert token not in everything_stored()


def test_a_purged_credential_counts_as_undecryptable(row):
    row.secret = None
    with pytest.raises(sealed.Unsealable, match=r"^undecryptable$"):
        credentials.open_secret(row)


def everything_stored():
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret, key, fingerprint, key_fingerprint, hint FROM ai_llm_credential")
        return str(cursor.fetchall())
