"""Settings of Goalpost, all from the environment or `.env`; `.env.example` lists and explains each."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from project import cache, headers, logs, navigation
from project.env import (
    DEFAULT_SECRET_KEY,
    at_least,
    database,
    days,
    encryption_keys,
    load,
    networks,
    one_of,
    redis_address,
    require,
    secret_fallbacks,
    setting,
    time_zone,
    web_address,
    words,
)

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = load()

DEBUG = setting("DEBUG", bool, False)
SECRET_KEY = require(
    name="SECRET_KEY",
    value=env.str("SECRET_KEY", default=DEFAULT_SECRET_KEY if DEBUG else ""),
    default=DEFAULT_SECRET_KEY,
    debug=DEBUG,
    hint="Write SECRET_KEY=<50 random characters>; `make key` prints one.",
)
# Former ones: what they signed (sessions, links, messages in the queue) is good until they are taken out.
SECRET_KEY_FALLBACKS = secret_fallbacks(setting("SECRET_KEY_FALLBACKS", list, []), current=SECRET_KEY, debug=DEBUG)
ENCRYPTION_KEYS = encryption_keys(
    text=env.str("ENCRYPTION_KEYS", default=""), debug=DEBUG, secret_keys=[SECRET_KEY, *SECRET_KEY_FALLBACKS]
)
# Whether what people are found by (ClientIDs, e-mails, phones, their hashes) lies sealed in the database. Both ways are
# always read; what was written before the switch is rewritten by `manage.py rotate_keys`.
ENCRYPT_IDENTIFIERS = setting("ENCRYPT_IDENTIFIERS", bool, not DEBUG)
ALLOWED_HOSTS = setting("ALLOWED_HOSTS", list, ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = setting("CSRF_TRUSTED_ORIGINS", list, [])
SANDBOX = setting("SANDBOX", bool, False)

INSTALLED_APPS = [
    # Not unfold's default config: that one puts its own site in place of ours, which keeps the tenant rules.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "project.apps.GoalpostAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_filters",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "django_q",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "project.apps.ProjectConfig",
    "apps.agencies",
    "apps.audit",
    "apps.counters",
    "apps.goals",
    "apps.clients",
    "apps.orders",
    "apps.uploads",
    "apps.hooks",
    "apps.alerts",
    "apps.imports",
    "apps.receivers",
    "apps.api",
    "apps.dashboard",
    "apps.reports",
]
if SANDBOX:
    INSTALLED_APPS.append("apps.sandbox")

MIDDLEWARE = [
    "apps.audit.middleware.RequestIdMiddleware",
    "project.headers.HeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.agencies.middleware.ActorMiddleware",
    "apps.audit.middleware.TraceMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
    "apps.counters.middleware.UnreadableSecretMiddleware",
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = redis_address("REDIS_URL")
CACHES = {
    "default": (
        {"BACKEND": "project.cache.TolerantRedisCache", "LOCATION": REDIS_URL, "OPTIONS": cache.OPTIONS}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

AUTH_USER_MODEL = "agencies.User"
SHORTEST_PASSWORD = 12
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTH_PASSWORD_VALIDATORS.append(
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": SHORTEST_PASSWORD},
    }
)
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
# Wrong passwords and codes within a quarter of an hour: of one login from one address; of one login from anywhere; from
# one address whatever the login (apps/agencies/lockout.py).
AXES_HANDLER = "apps.agencies.lockout.Handler"
AXES_FAILURE_LIMIT = 10
LOGIN_FAILURES_OF_A_LOGIN = 50
LOGIN_FAILURES_OF_AN_ADDRESS = 100
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code", "csrfmiddlewaretoken", "next"]
AXES_DISABLE_ACCESS_LOG = True  # the audit log has who came in
AXES_ENABLE_ADMIN = False
AXES_USERNAME_CALLABLE = "apps.agencies.logins.login_name"
AXES_CLIENT_IP_CALLABLE = "apps.agencies.callers.counted_address_of"
AXES_LOCKOUT_CALLABLE = "apps.agencies.logins.locked_out"
OTP_TOTP_ISSUER = "Goalpost"
# Who may not work here without a second step of logging in; agencies can ask more of their own people.
SECOND_STEP_FOR = one_of(
    "SECOND_STEP_FOR", "nobody" if DEBUG else "staff", known=("nobody", "staff", "owners", "everybody")
)

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ru", _("Russian"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = time_zone(env.str("TIME_ZONE", default="Europe/Moscow"))
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "project" / "static"]
MEDIA_URL = env.str("MEDIA_URL", default="/media/")
MEDIA_ROOT = VAR_DIR / "media"
STORAGES: dict[str, dict[str, Any]] = {
    # Kept files hold personal data: they are served by admin pages that check rights, never by MEDIA_URL itself.
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
STORAGE_URL = env.str("STORAGE_URL", default="")
if STORAGE_URL.startswith("s3://"):
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {"bucket_name": STORAGE_URL.removeprefix("s3://").strip("/"), "default_acl": "private"},
    }
elif STORAGE_URL.startswith("file://"):
    MEDIA_ROOT = Path(STORAGE_URL.removeprefix("file://"))

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update({key: value for key, value in EMAIL_CONFIG.items() if key.startswith("EMAIL_")})
EMAIL_TIMEOUT = setting("EMAIL_TIMEOUT", int, 20)
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="Goalpost <goalpost@localhost>")

# Alerts. Where this installation is reached: messages link to its pages.
SITE_URL = web_address("SITE_URL", "https://goalpost.example") if env.str("SITE_URL", default="").strip() else ""
TELEGRAM_BOT_TOKEN = env.str("TELEGRAM_BOT_TOKEN", default="").strip()
TELEGRAM_API_URL = web_address("TELEGRAM_API_URL", "https://api.telegram.org")
# How often an agency is looked at, and the first wait after a message that did not arrive.
ALERT_LOOK_SECONDS = setting("ALERT_LOOK_SECONDS", int, 300)
ALERT_RETRY_SECONDS = setting("ALERT_RETRY_SECONDS", float, 60.0)

# What Prometheus sends as `Authorization: Bearer …` for /metrics. Left out: there is no such page.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="").strip()

# Metrica. An account may name its own base URL: that is how the sandbox and the real service share one code path.
METRICA_URL = env.str("METRICA_URL", default="https://api-metrika.yandex.net")
METRICA_TIMEOUT_SECONDS = setting("METRICA_TIMEOUT_SECONDS", float, 60.0)
# What Metrica allows (page: quotas), shared by all processes; smaller where other programs use the same logins.
METRICA_CALLS_PER_SECOND = setting("METRICA_CALLS_PER_SECOND", int, 30)
METRICA_CALLS_AT_ONCE = setting("METRICA_CALLS_AT_ONCE", int, 3)
METRICA_CALLS_PER_DAY = setting("METRICA_CALLS_PER_DAY", int, 5000)
METRICA_REPORTS_PER_5_MINUTES = setting("METRICA_REPORTS_PER_5_MINUTES", int, 200)
# Machines that go out by addresses of their own have a quota of calls a second each; blank: all go out by one.
METRICA_OUTGOING_ADDRESS = env.str("METRICA_OUTGOING_ADDRESS", default="").strip()
YANDEX_OAUTH_URL = web_address("YANDEX_OAUTH_URL", "https://oauth.yandex.ru")
# Where the login of a token is told.
YANDEX_LOGIN_URL = web_address("YANDEX_LOGIN_URL", "https://login.yandex.ru/info")
# The app at oauth.yandex.ru by which people connect their logins. Left out: tokens are pasted.
YANDEX_CLIENT_ID = env.str("YANDEX_CLIENT_ID", default="").strip()
YANDEX_CLIENT_SECRET = env.str("YANDEX_CLIENT_SECRET", default="").strip()
if bool(YANDEX_CLIENT_ID) != bool(YANDEX_CLIENT_SECRET):
    raise ImproperlyConfigured(
        "YANDEX_CLIENT_ID and YANDEX_CLIENT_SECRET belong together: write both, or neither. "
        "They stand on the app's page at oauth.yandex.ru."
    )
# Rights that are asked for: those without which an account is of no use, and those that a person may refuse.
_scopes = ("metrika:read", "metrika:write", "metrika:offline_data", "metrika:expenses", "metrika:user_params")
YANDEX_SCOPES = words("YANDEX_SCOPES", "metrika:read metrika:offline_data", known=_scopes)
YANDEX_OPTIONAL_SCOPES = words("YANDEX_OPTIONAL_SCOPES", "metrika:write", known=_scopes)

# How long a running upload job may stay without a sign of life before another worker takes it over.
UPLOAD_LEASE_SECONDS = setting("UPLOAD_LEASE_SECONDS", int, 120)
# First wait after a passing fault; each further one is longer, up to an hour.
UPLOAD_RETRY_SECONDS = setting("UPLOAD_RETRY_SECONDS", float, 5.0)
UPLOAD_MAX_ATTEMPTS = setting("UPLOAD_MAX_ATTEMPTS", int, 12)
# How long an unknown outcome waits for its upload to appear in last_uploadings before the same bytes go again.
UPLOAD_UNKNOWN_SECONDS = setting("UPLOAD_UNKNOWN_SECONDS", float, 30.0)
TICK_SECONDS = setting("TICK_SECONDS", int, 60)

# By which way messages reach the workers. They may be lost: the truth is in the database, and the tick finds them.
QUEUE = one_of("QUEUE", "database", known=("database", "redis"))
if QUEUE == "redis" and not REDIS_URL:
    raise ImproperlyConfigured(
        "QUEUE=redis needs REDIS_URL, for example redis://127.0.0.1:6379/0. Or leave QUEUE out: the database serves."
    )
# How long running steps of a worker that is told to stop may take to end; what takes longer is left and looked up (R6).
STOP_SECONDS = setting("STOP_SECONDS", float, 15.0)
# Requests to addresses that people write down (apps/hooks/door.py): private networks that may be called, and whether
# an address may do without encryption.
OUTGOING_ALLOWED_NETWORKS = networks("OUTGOING_ALLOWED_NETWORKS")
OUTGOING_PLAIN_HTTP = setting("OUTGOING_PLAIN_HTTP", bool, DEBUG)
WEBHOOK_TIMEOUT_SECONDS = setting("WEBHOOK_TIMEOUT_SECONDS", float, 10.0)
# First wait after a webhook failed; each further one is twice as long, up to six hours.
WEBHOOK_RETRY_SECONDS = setting("WEBHOOK_RETRY_SECONDS", float, 60.0)
# How long an endpoint may fail before it is not called any more, and how long the log of webhooks is kept.
WEBHOOK_GIVE_UP_HOURS = setting("WEBHOOK_GIVE_UP_HOURS", float, 72.0)
WEBHOOK_KEPT_DAYS = setting("WEBHOOK_KEPT_DAYS", int, 30)

# Posts of CRMs: how large one may be, how many a receiver takes in a minute, how long one call to a CRM may take, the
# first wait after a CRM did not answer (each further one is twice as long, up to six hours), how long it is tried
# before a person is asked, and how long the log of posts is kept.
RECEIVER_MAX_BYTES = setting("RECEIVER_MAX_BYTES", int, 1024 * 1024)
RECEIVER_POSTS_A_MINUTE = setting("RECEIVER_POSTS_A_MINUTE", int, 600)
RECEIVER_TIMEOUT_SECONDS = setting("RECEIVER_TIMEOUT_SECONDS", float, 10.0)
RECEIVER_RETRY_SECONDS = setting("RECEIVER_RETRY_SECONDS", float, 30.0)
RECEIVER_GIVE_UP_HOURS = setting("RECEIVER_GIVE_UP_HOURS", float, 72.0)
RECEIVER_KEPT_DAYS = setting("RECEIVER_KEPT_DAYS", int, 30)

# How many days a new counter keeps the files of its uploads, and identifiers after an order's last change; 0: always.
KEEP_UPLOAD_FILES_DAYS = days("KEEP_UPLOAD_FILES_DAYS", fewest=1)
KEEP_IDENTIFIERS_DAYS = days("KEEP_IDENTIFIERS_DAYS", fewest=21)

_worker_timeout = 900
Q_CLUSTER = {
    "name": "goalpost",
    **({"broker_class": "apps.uploads.redis_broker.RedisBroker"} if QUEUE == "redis" else {"orm": "default"}),
    "cache": "none",  # it would write its own statistics there twice a second
    "workers": setting("WORKERS", int, 1 if "sqlite" in DATABASES["default"]["ENGINE"] else 2),
    "queue_limit": setting("WORKERS", int, 1 if "sqlite" in DATABASES["default"]["ENGINE"] else 2),
    "bulk": 1,
    "timeout": _worker_timeout,
    "retry": 3 * _worker_timeout + 60,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "poll": 0.5,
    "recycle": 500,
    "ALT_CLUSTERS": {},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.api.permissions.ScopePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Goalpost API",
    "DESCRIPTION": "Orders in, every status delivered to Yandex Metrica, and the story of each.",
    "VERSION": "1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.api.openapi.require_bodies",
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# A workbook is written before the first byte of it leaves; longer lists go as CSV, whose first row leaves at once.
EXPORT_XLSX_ROWS = setting("EXPORT_XLSX_ROWS", int, 100_000)

# The Metrica-compatible gateway: the largest file that a script may upload (Metrica takes 1 GB), and its rows. All of a
# file is taken in by one transaction.
GATEWAY_MAX_FILE_BYTES = at_least("GATEWAY_MAX_FILE_BYTES", 1_000_000_000, least=1)
GATEWAY_MAX_ROWS = at_least("GATEWAY_MAX_ROWS", 1_000_000, least=1)
# How long a line of each of their uploads is kept: what `last_uploadings` answers with.
GATEWAY_KEPT_DAYS = at_least("GATEWAY_KEPT_DAYS", 180, least=1)

# What one API key may do in a minute, all processes together: requests, and orders sent in (0: as many as it likes).
API_REQUESTS_PER_MINUTE = at_least("API_REQUESTS_PER_MINUTE", 6000, least=0)
API_ORDERS_PER_MINUTE = at_least("API_ORDERS_PER_MINUTE", 3_000_000, least=0)
# How long the answer to a request with an Idempotency-Key is kept for its repetitions.
IDEMPOTENCY_HOURS = at_least("IDEMPOTENCY_HOURS", 24, least=1)

# A bulk request of 10,000 orders with contacts and products stays well below this.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024
# A counter's page has some seven fields for each of up to a thousand statuses.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000
FILE_UPLOAD_HANDLERS = [
    "apps.imports.uploading.LimitedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# Cookies are of this host alone, for its encrypted pages and not for scripts. Browsers see to `__Host-` themselves: no
# other host of the same domain, and nothing unencrypted, can set a cookie of such a name.
SECURE_COOKIES = setting("SECURE_COOKIES", bool, not DEBUG)
_host = "__Host-" if SECURE_COOKIES else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_host}session", f"{_host}csrf"
LANGUAGE_COOKIE_NAME, KNOWN_BROWSER_COOKIE = f"{_host}language", f"{_host}browser"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
# A login ends so long after it began, and so long after it was last used.
SESSION_DAYS = setting("SESSION_DAYS", float, 14.0)
SESSION_IDLE_HOURS = setting("SESSION_IDLE_HOURS", float, 72.0)
if not (0 < SESSION_DAYS <= 365 and 0.5 <= SESSION_IDLE_HOURS <= 24 * 365):
    raise ImproperlyConfigured(
        "SESSION_DAYS must be more than 0 and at most 365, SESSION_IDLE_HOURS from 0.5 to 8760. "
        "Left out: 14 days and 72 hours."
    )
SESSION_COOKIE_AGE = int(SESSION_DAYS * 86_400)
# A load balancer asks for health without HTTPS.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_SSL_REDIRECT = setting("SECURE_SSL_REDIRECT", bool, not DEBUG)
# Behind a proxy, what it says of scheme and caller's address is believed (apps/agencies/callers.py).
BEHIND_PROXY = setting("BEHIND_PROXY", bool, False)
TRUSTED_PROXIES = networks("TRUSTED_PROXIES")
if TRUSTED_PROXIES and not BEHIND_PROXY:
    raise ImproperlyConfigured("TRUSTED_PROXIES needs BEHIND_PROXY=on; or leave it out where no proxy stands in front.")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_HSTS_SECONDS = setting("SECURE_HSTS_SECONDS", int, 0 if DEBUG else 31536000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Which page may do what is said in project/headers.py; this is for what it does not know.
CONTENT_SECURITY_POLICY = headers.PAGES

LOGGING = logs.config(debug=DEBUG)
logs.configure_structlog()
DJANGO_STRUCTLOG_USER_ID_FIELD = "pk"
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    import sentry_sdk

    sentry_sdk.init(dsn=SENTRY_DSN, **logs.SENTRY)

UNFOLD = navigation.UNFOLD
SILENCED_SYSTEM_CHECKS: list[str] = []
