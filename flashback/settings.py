"""One settings file: the environment goes in, and nonsense is refused with one clear line. The README has the table."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import Env

from flashback import environment, keyring

BASE_DIR = Path(__file__).resolve().parent.parent
PRODUCTION = environment.choice("FLASHBACK_ENV", "embedded", "production") == "production"
DATA_DIR = Path(environment.text("FLASHBACK_DATA_DIR", str(BASE_DIR / "var"))).absolute()
HOST = environment.text("HOST", "127.0.0.1")
PORT = environment.integer("PORT", 8000, least=1, most=65535)
WORKERS = environment.integer("FLASHBACK_WORKERS", 1, least=1, most=64)
PUBLIC_URL = environment.public_url("FLASHBACK_PUBLIC_URL", f"http://127.0.0.1:{PORT}")
HTTPS = PUBLIC_URL.startswith("https://")
# The default is the contact that the platform's public guide names.
SUPPORT_URL = environment.contact("FLASHBACK_SUPPORT_URL", "https://discord.com/invite/yy8kyM5qFB")
DEBUG = environment.flag("DEBUG")
TESTING = "pytest" in sys.modules

if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("DEBUG is on with FLASHBACK_ENV=production. Unset DEBUG.")
if PRODUCTION and not environment.text("FLASHBACK_PUBLIC_URL"):
    raise ImproperlyConfigured("FLASHBACK_PUBLIC_URL is not set. Production needs the address that people type.")
if PRODUCTION and not environment.text("DATABASE_URL"):
    raise ImproperlyConfigured("DATABASE_URL is not set. Production needs a named database, such as postgres://…")

# --- Keys -------------------------------------------------------------------------------------------------------------

_secret_key = keyring.supply(
    "FLASHBACK_SECRET_KEY", DATA_DIR / "keys" / "secret_key", keyring.new_secret_key, production=PRODUCTION
)
_field_keys = keyring.supply(
    "FLASHBACK_FIELD_KEYS", DATA_DIR / "keys" / "field_keys", keyring.new_field_key, production=PRODUCTION
)
SECRET_KEY = _secret_key.text
SECRET_KEY_FALLBACKS = environment.items("FLASHBACK_SECRET_KEY_FALLBACKS")
FIELD_ENCRYPTION_KEY = keyring.field_keys(_field_keys.text)
# A test run uses its own keys and ends with them; nothing keeps them.
KEYS_PENDING = [supply for supply in (_secret_key, _field_keys) if supply.pending and not TESTING]

# --- Addresses --------------------------------------------------------------------------------------------------------

_public_host = urlsplit(PUBLIC_URL).hostname or ""
_loopback = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = [f"[{_public_host}]" if ":" in _public_host else _public_host, *([] if PRODUCTION else _loopback)]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
API_ORIGINS = environment.origins("FLASHBACK_API_ORIGINS")
TRUSTED_PROXIES = environment.networks("FLASHBACK_TRUSTED_PROXIES")
INSECURE_HTTP = environment.flag("FLASHBACK_INSECURE_HTTP")
if PRODUCTION and not HTTPS and _public_host not in {"127.0.0.1", "localhost"} and not INSECURE_HTTP:
    raise ImproperlyConfigured("FLASHBACK_PUBLIC_URL is http. Use https, or set FLASHBACK_INSECURE_HTTP=1 knowingly.")

# --- Outbound ---------------------------------------------------------------------------------------------------------

SANDBOX_PORT = 9099
OUTBOUND_ALLOW = environment.items("FLASHBACK_OUTBOUND_ALLOW")
if not PRODUCTION and not environment.text("FLASHBACK_PUBLIC_URL"):
    OUTBOUND_ALLOW += [f"{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (11434, 1234, SANDBOX_PORT)]
OUTBOUND_MODE = environment.choice("FLASHBACK_OUTBOUND_MODE", "public+allow", "allow-only")
OUTBOUND_CA_FILE = environment.text("FLASHBACK_OUTBOUND_CA_FILE")

# --- Applications -----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "flashback",
    "workspaces",
    "ai_llm",
    "repositories",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "encrypted_model_fields",
    "lucide",
    "allauth",
    "allauth.account",
    "ninja",
    "allauth.mfa",
]
MIDDLEWARE = [
    "flashback.metrics.MetricsMiddleware",
    "flashback.web.SecurityHeadersMiddleware",
    "flashback.cors.CorsMiddleware",
    "flashback.envelope.ApiMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "workspaces.sources.SourceMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "flashback.web.GuardSecretsMiddleware",
    "flashback.web.CsrfMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "workspaces.sessions.SessionLimitsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "flashback.preload.PreloadMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "flashback.web.HtmxPagesMiddleware",
    "flashback.web.ProblemsMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "flashback.urls"
APPEND_SLASH = False
WSGI_APPLICATION = "flashback.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "flashback.web.layout",
                "workspaces.shell.context",
            ],
            "builtins": [
                "flashback.templatetags.drawing",
                "workspaces.templatetags.shell",
                "ai_llm.templatetags.ui",
                "lucide.templatetags.lucide",
            ],
        },
    }
]
FORM_RENDERER = "flashback.rendering.Renderer"

# --- Stores -----------------------------------------------------------------------------------------------------------

SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": DATA_DIR / "flashback.sqlite3",
    # Each thread keeps its connection: opening one and setting it up costs as much as all queries of a page.
    "CONN_MAX_AGE": None,
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=5000;"
            "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-8000; PRAGMA temp_store=MEMORY;"
            "PRAGMA secure_delete=FAST"
        ),
    },
}


def _database(url: str) -> dict[str, Any]:
    if not url:
        return SQLITE
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {**SQLITE, "NAME": parts.path}
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured("DATABASE_URL must be postgres://user:password@host:5432/name or sqlite:///path.")
    database: dict[str, Any] = Env.db_url_config(url)
    # Values of a console: a statement that takes longer than these is a fault, not patience.
    limits = "-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"
    # Statements that are planned on the server are planned once: planning those of a page takes longer than they do.
    plans = "-c plan_cache_mode=force_generic_plan"
    options = {"connect_timeout": 5, "options": f"{limits} {plans}", **database.get("OPTIONS", {})}
    return {**database, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}


def _from_url(name: str, read: Any, default: str) -> dict[str, Any]:
    try:
        result: dict[str, Any] = read(environment.text(name, default))
    except (ImproperlyConfigured, ValueError, KeyError):
        raise ImproperlyConfigured(f"{name} cannot be read; the README's table of variables has examples.") from None
    return result


DATABASES = {"default": _database(environment.text("DATABASE_URL"))}
_cache = _from_url("CACHE_URL", Env.cache_url_config, "locmemcache://")
if _cache["BACKEND"].endswith((".LocMemCache", ".DatabaseCache", ".FileBasedCache")):
    # The counters of attempts live here. Django's 300 entries would let a stranger push a lock out with other attempts.
    _cache["OPTIONS"] = {"MAX_ENTRIES": 100_000, **_cache.get("OPTIONS", {})}
if _cache["BACKEND"].endswith(".RedisCache"):
    # Without these a cache that is gone would hold a request for as long as the network likes.
    _cache["OPTIONS"] = {"socket_connect_timeout": 2, "socket_timeout": 2, **_cache.get("OPTIONS", {})}
CACHES = {"default": _cache}
_email = _from_url("EMAIL_URL", Env.email_url_config, "consolemail://")
EMAIL_BACKEND = _email["EMAIL_BACKEND"]
EMAIL_HOST = _email.get("EMAIL_HOST", "")
EMAIL_PORT = _email.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _email.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _email.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = _email.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _email.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = environment.text("FLASHBACK_FROM_EMAIL", f"flashback@{_public_host}")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- People -----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "workspaces.User"
AUTHENTICATION_BACKENDS = ["workspaces.backends.PersonBackend"]
PASSWORD_HASHERS = [
    "workspaces.passwords.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name", "last_name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "workspaces.passwords.MaximumLengthValidator"},
    {"NAME": "workspaces.passwords.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
PASSWORD_RESET_TIMEOUT = 3600  # seconds

# --- Cookies and headers ----------------------------------------------------------------------------------------------

_prefix = "__Host-" if HTTPS else ""
SESSION_ENGINE = "workspaces.sessions"
SESSION_COOKIE_NAME = f"{_prefix}sid"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 7 * 24 * 3600
CSRF_COOKIE_NAME = f"{_prefix}csrf"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "flashback.web.csrf_failure"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
# Entering a domain into the browsers' preload list is its owner's decision, and hard to take back.
# W003: Django's middleware is there as the base of flashback.web.CsrfMiddleware, which the check cannot see.
SILENCED_SYSTEM_CHECKS = ["security.W003", "security.W021"]
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/", r"^api(?:/|$)"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
# flashback.forwarded reads what a trusted proxy says and removes those headers, so Django needs to know none of them.
SECURE_PROXY_SSL_HEADER = None
USE_X_FORWARDED_HOST = False
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- Limits -----------------------------------------------------------------------------------------------------------

BODY_LIMIT = 256 * 1024
BODY_SECONDS = 15
DATA_UPLOAD_MAX_MEMORY_SIZE = BODY_LIMIT
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
DATA_UPLOAD_MAX_NUMBER_FILES = 0
WEB_THREADS = 16

# --- Static files -----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING or DEBUG
        else "flashback.static.Storage"
    },
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = TESTING or DEBUG

# --- Language, time, logs ---------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
METRICS_TOKEN = environment.secret("FLASHBACK_METRICS_TOKEN")
if METRICS_TOKEN and len(METRICS_TOKEN) < 16:
    raise ImproperlyConfigured("FLASHBACK_METRICS_TOKEN is too short; use 16 characters or more, made at random.")
LOG_FORMAT = environment.choice("FLASHBACK_LOG_FORMAT", "line", "json")
LOG_LEVEL = environment.choice("FLASHBACK_LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR")
DEFAULT_EXCEPTION_REPORTER = "flashback.redaction.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "flashback.redaction.ReporterFilter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redact": {"()": "flashback.redaction.RedactingFilter"}},
    "formatters": {
        "line": {"()": "flashback.redaction.LineFormatter"},
        "json": {"()": "flashback.redaction.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["redact"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"level": LOG_LEVEL},
        "django.server": {"handlers": ["console"], "propagate": False},
        # Bodies, paths and statements with values in them never reach a log, whatever the level.
        "django.db.backends": {"level": "WARNING"},
        "django.template": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "requests": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
    },
}
ADMINS: list[tuple[str, str]] = []

# --- allauth ----------------------------------------------------------------------------------------------------------

ACCOUNT_ADAPTER = "workspaces.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_FORMS = {
    "login": "workspaces.forms.LoginForm",
    "change_password": "workspaces.forms.ChangePasswordForm",
    "set_password": "workspaces.forms.SetPasswordForm",
    "reset_password": "workspaces.forms.ResetPasswordForm",
    "reset_password_from_key": "workspaces.forms.ResetPasswordKeyForm",
    "reauthenticate": "workspaces.forms.ReauthenticateForm",
}
MFA_ADAPTER = "workspaces.second_factor_adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "workspaces.second_factor_forms.CodeForm",
    "reauthenticate": "workspaces.second_factor_forms.ConfirmCodeForm",
}
MFA_TOTP_ISSUER = "Flashback"
MFA_RECOVERY_CODE_COUNT = 10
MFA_RECOVERY_CODE_DIGITS = 10
# workspaces.reauthentication asks, for these pages as for all others.
MFA_REAUTHENTICATION_REQUIRED = False
# Django's own: its links die with the e-mail address too, and it leaves allauth's table of addresses empty.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105 - a path
# The key of login_failed is login and client address, that of login_failed_anywhere the login alone.
ACCOUNT_RATE_LIMITS = {
    "login": "10/m/ip",
    "login_api": "120/m/ip",
    "login_failed": "30/h/ip,5/15m/key",
    "login_failed_anywhere": "100/h/key",
    "reset_password": "20/h/ip,5/h/key",
    "reset_password_from_key": "20/m/ip",
    "change_password": "5/m/user",
    "reauthenticate": "10/m/user",
}
