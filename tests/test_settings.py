"""What a wrong environment gets: one clear line and exit code 1, from every management command."""

import pytest

from flashback import keyring
from tests.serverside import manage

pytestmark = pytest.mark.server

SECRET_KEY, FIELD_KEY = keyring.new_secret_key(), keyring.new_field_key()
PREFIX = "Flashback refuses to start: "


def production(data, **changes):
    """A right production environment with `changes`; None takes a variable away."""
    right = {
        "FLASHBACK_ENV": "production",
        "FLASHBACK_PUBLIC_URL": "https://flashback.example.com",
        "FLASHBACK_TRUSTED_PROXIES": "10.0.0.5",
        "FLASHBACK_SECRET_KEY": SECRET_KEY,
        "FLASHBACK_FIELD_KEYS": FIELD_KEY,
        "DATABASE_URL": f"sqlite:///{data}/production.sqlite3",
    }
    return {name: value for name, value in {**right, **changes}.items() if value is not None}


def refused(data, *command, **variables):
    """Run a command (`check` when none is given) that must be refused, and return its one line."""
    ended = manage(*(command or ["check"]), data=data, **variables)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended.stderr
    assert ended.stderr.startswith(PREFIX)
    return ended.stderr.removeprefix(PREFIX).strip()


def test_a_right_production_environment_passes_the_deployment_check(tmp_path):
    ended = manage("check", "--deploy", "--fail-level", "INFO", data=tmp_path, **production(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"FLASHBACK_SECRET_KEY": None}, "FLASHBACK_SECRET_KEY is not set."),
        ({"FLASHBACK_SECRET_KEY": ""}, "FLASHBACK_SECRET_KEY is set but empty."),
        ({"FLASHBACK_SECRET_KEY": "short"}, "FLASHBACK_SECRET_KEY has 5 characters"),
        ({"FLASHBACK_SECRET_KEY": "django-insecure-" + "x1y2z3" * 9}, "FLASHBACK_SECRET_KEY was made by a project"),
        ({"FLASHBACK_FIELD_KEYS": None}, "FLASHBACK_FIELD_KEYS is not set."),
        ({"FLASHBACK_FIELD_KEYS": "abc"}, "FLASHBACK_FIELD_KEYS holds a key of 3 characters"),
        ({"FLASHBACK_FIELD_KEYS": "A" * 43 + "="}, "FLASHBACK_FIELD_KEYS holds a key"),
        ({"DEBUG": "1"}, "DEBUG is on with FLASHBACK_ENV=production. Unset DEBUG."),
        ({"DATABASE_URL": None}, "DATABASE_URL is not set."),
        ({"DATABASE_URL": "mysql://x/y"}, "DATABASE_URL must be postgres://"),
        ({"FLASHBACK_PUBLIC_URL": None}, "FLASHBACK_PUBLIC_URL is not set."),
        ({"FLASHBACK_PUBLIC_URL": "http://flashback.example.com"}, "FLASHBACK_PUBLIC_URL is http. Use https"),
        *(
            ({"FLASHBACK_PUBLIC_URL": wrong}, f"FLASHBACK_PUBLIC_URL is {wrong!r}; write an address such as")
            for wrong in (
                "https://*",
                "https://*.example.com",
                "https://.example.com",
                "https://0.0.0.0",
                "https://[::]",
                "https://a b",
                "https://user:pw@example.com",
                "https://example.com/path",
                "https://example.com:99999",
                "ftp://example.com",
                "flashback.example.com",
            )
        ),
    ],
)
def test_production_refuses(tmp_path, changes, line):
    assert refused(tmp_path, **production(tmp_path, **changes)).startswith(line)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"FLASHBACK_ENV": "prod"}, "FLASHBACK_ENV is 'prod'; it must be one of: embedded, production."),
        ({"PORT": "eight"}, "PORT is 'eight'; it must be a whole number from 1 to 65535."),
        ({"PORT": "0"}, "PORT is '0'; it must be a whole number from 1 to 65535."),
        ({"PORT": "65536"}, "PORT is '65536'; it must be a whole number from 1 to 65535."),
        ({"PORT": "٨"}, "PORT is '٨'; it must be a whole number from 1 to 65535."),
        ({"FLASHBACK_WORKERS": "-1"}, "FLASHBACK_WORKERS is '-1'; it must be a whole number from 1 to 64."),
        ({"DEBUG": "maybe"}, "DEBUG is 'maybe'; write 1 or 0."),
        ({"FLASHBACK_LOG_LEVEL": "LOUD"}, "FLASHBACK_LOG_LEVEL is 'LOUD'; it must be one of:"),
        ({"FLASHBACK_OUTBOUND_MODE": "all"}, "FLASHBACK_OUTBOUND_MODE is 'all'; it must be one of:"),
        ({"CACHE_URL": "nonsense"}, "CACHE_URL cannot be read;"),
        ({"EMAIL_URL": "nonsense"}, "EMAIL_URL cannot be read;"),
        ({"FLASHBACK_TRUSTED_PROXIES": "proxy"}, "FLASHBACK_TRUSTED_PROXIES has 'proxy'; write addresses such as"),
        (
            {"FLASHBACK_TRUSTED_PROXIES": "10.0.0.5/8"},
            "FLASHBACK_TRUSTED_PROXIES has '10.0.0.5/8'; write addresses such as",
        ),
        ({"FLASHBACK_TRUSTED_PROXIES": "0.0.0.0/0"}, "FLASHBACK_TRUSTED_PROXIES has '0.0.0.0/0', which is everybody."),
    ],
)
def test_nonsense_is_refused(tmp_path, variables, line):
    assert refused(tmp_path, **variables).startswith(line)


@pytest.mark.parametrize("command", ["up", "migrate", "createowner", "shell", "help", "runserver"])
def test_every_command_refuses_alike(tmp_path, command):
    line = refused(tmp_path, command, **production(tmp_path, FLASHBACK_SECRET_KEY=None))
    assert line.startswith("FLASHBACK_SECRET_KEY is not set. Production makes no keys;")


def key_file(folder, content=f"{FIELD_KEY}\n", mode=0o600):
    path = folder / "field_keys"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return {"FLASHBACK_FIELD_KEYS": None, "FLASHBACK_FIELD_KEYS_FILE": path}


def test_a_key_may_come_from_a_file(tmp_path):
    assert manage("check", data=tmp_path, **production(tmp_path, **key_file(tmp_path))).returncode == 0


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_file_that_others_may_read_or_write_is_refused(tmp_path, mode):
    line = refused(tmp_path, **production(tmp_path, **key_file(tmp_path, mode=mode)))
    assert line == f"{tmp_path}/field_keys can be read by others; run: chmod 600 {tmp_path}/field_keys"


@pytest.mark.parametrize(("content", "what"), [("", "which is empty."), (b"\xff\xfe\x00", "which cannot be read.")])
def test_a_key_file_without_a_key_is_refused(tmp_path, content, what):
    line = refused(tmp_path, **production(tmp_path, **key_file(tmp_path, content)))
    assert line == f"FLASHBACK_FIELD_KEYS_FILE names {tmp_path}/field_keys, {what}"


@pytest.mark.parametrize("name", ["missing", ""])
def test_a_key_file_that_is_no_file_is_refused(tmp_path, name):
    path = tmp_path / name
    changes = {"FLASHBACK_FIELD_KEYS": None, "FLASHBACK_FIELD_KEYS_FILE": path}
    line = refused(tmp_path, **production(tmp_path, **changes))
    assert line == f"FLASHBACK_FIELD_KEYS_FILE names {path}, which is not a file."


def test_a_key_given_twice_is_refused(tmp_path):
    changes = {**key_file(tmp_path), "FLASHBACK_FIELD_KEYS": FIELD_KEY}
    line = refused(tmp_path, **production(tmp_path, **changes))
    assert line == "FLASHBACK_FIELD_KEYS and FLASHBACK_FIELD_KEYS_FILE are both set; keep one."


def test_no_refusal_repeats_a_secret(tmp_path):
    for wrong in (f"{FIELD_KEY}x", f"{FIELD_KEY},{FIELD_KEY}"):
        assert FIELD_KEY[:12] not in refused(tmp_path, **production(tmp_path, FLASHBACK_FIELD_KEYS=wrong))


def test_a_command_makes_no_key_and_no_folder(tmp_path):
    assert manage("check", data=tmp_path / "var").returncode == 0
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("", {"MAX_ENTRIES": 100_000}),
        ("dbcache://counters", {"MAX_ENTRIES": 100_000}),
        ("dbcache://counters?max_entries=7", {"MAX_ENTRIES": 7}),
        ("rediscache://127.0.0.1:6379/0", {"socket_connect_timeout": 2, "socket_timeout": 2}),
    ],
)
def test_a_cache_that_drops_what_is_too_much_has_room_for_many_counters(tmp_path, url, options):
    code = "from django.conf import settings; print(settings.CACHES['default'].get('OPTIONS', {}))"
    ended = manage("shell", "-v", "0", "-c", code, data=tmp_path, CACHE_URL=url)
    assert (ended.returncode, ended.stdout.strip()) == (0, str(options)), ended.stderr
