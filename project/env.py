"""Reads the environment and `.env`, and stops the start with a sentence where a setting is missing or wrong."""

import base64
import hashlib
from collections.abc import Collection, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
DEFAULT_SECRET_KEY = "for-development-only-0b6f1d4f8c5e4d0c9a7e3b2a"  # noqa: S105 - refused in production

env = environ.Env()


def load() -> environ.Env:
    """Read `.env` beside manage.py (or the file that ENV_FILE names); the real environment wins over it."""
    environ.Env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))
    return env


def setting(name: str, cast: type, default: Any) -> Any:
    """One setting, cast; a value that does not fit stops the start and says what to write instead."""
    try:
        return env.get_value(name, cast=cast, default=default)
    except (ValueError, TypeError) as error:
        examples = {bool: "on or off", int: "a whole number", float: "a number", list: "words with commas"}
        wanted = examples.get(cast, "a value")
        raise ImproperlyConfigured(f"{name} must be {wanted}, got {env.str(name)!r}.") from error


def at_least(name: str, default: int, *, least: int) -> int:
    """A whole number that is not smaller than `least`."""
    number: int = setting(name, int, default)
    if number < least:
        raise ImproperlyConfigured(f"{name} must be {least} or more, got {number}.")
    return number


def require(*, name: str, value: str, default: str, debug: bool, hint: str) -> str:
    """Refuse a default secret in production."""
    if not debug and (not value or value == default):
        raise ImproperlyConfigured(f"{name} is not set. {hint} (DEBUG is off, so the built-in default is refused.)")
    return value


def web_address(name: str, default: str) -> str:
    """An http(s) address without query, fragment or password: secrets are sent there."""
    text: str = env.str(name, default=default).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        fits = fits and not parts.query and not parts.fragment and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        got = "" if "@" in text else f", got {text!r}"  # a password is not repeated
        raise ImproperlyConfigured(f"{name} must be an address like {default}{got}.")
    return text


def words(name: str, default: str, *, known: Collection[str]) -> list[str]:
    """Words with spaces or commas between them, each one of `known`."""
    found: list[str] = env.str(name, default=default).replace(",", " ").split()
    for word in found:
        if word not in known:
            raise ImproperlyConfigured(f"{name} does not know {word!r}. It takes: {', '.join(sorted(known))}.")
    return found


def days(name: str, *, fewest: int) -> int:
    """A number of days, or 0 for always."""
    number: int = setting(name, int, 0)
    if number and not fewest <= number <= 36_500:
        raise ImproperlyConfigured(f"{name} must be 0 (always) or from {fewest} to 36500 days, got {number}.")
    return number


def one_of(name: str, default: str, *, known: Collection[str]) -> str:
    """One word of `known`."""
    word: str = env.str(name, default=default).strip().lower()
    if word not in known:
        raise ImproperlyConfigured(f"{name} does not know {word!r}. Write one of: {', '.join(known)}.")
    return word


def redis_address(name: str) -> str:
    """The address of a Redis, or an empty text."""
    text: str = env.str(name, default="").strip()
    if text and urlsplit(text).scheme not in ("redis", "rediss", "unix"):
        # It may hold a password, so it is not repeated.
        raise ImproperlyConfigured(f"{name} must be an address like redis://127.0.0.1:6379/0.")
    return text


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Networks with commas between them, like 10.0.0.0/8."""
    text: str = env.str(name, default="")
    try:
        return [ip_network(part.strip()) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} must be networks with commas between them, like 10.20.0.0/16,fd12::/16: {error}."
        ) from error


def secret_fallbacks(keys: Sequence[str], *, current: str, debug: bool) -> list[str]:
    """Former SECRET_KEYs. The built-in one, which everybody knows, is refused in production."""
    found = [key.strip() for key in keys if key.strip()]
    if current in found:
        raise ImproperlyConfigured("SECRET_KEY_FALLBACKS holds SECRET_KEY itself. Write only former keys there.")
    if not debug and DEFAULT_SECRET_KEY in found:
        raise ImproperlyConfigured("SECRET_KEY_FALLBACKS holds the built-in default, which everybody knows; remove it.")
    return found


def encryption_keys(*, text: str, debug: bool, secret_keys: Sequence[str]) -> list[str]:
    """Fernet keys, first encrypts, all decrypt. In development they are derived from SECRET_KEY and its fallbacks."""
    keys = [key.strip() for key in text.split(",") if key.strip()]
    if not keys:
        hint = "Write ENCRYPTION_KEYS=<key>; `make key` prints a new one."
        require(name="ENCRYPTION_KEYS", value="", default="", debug=debug, hint=hint)
        digests = [hashlib.sha256(secret.encode()).digest() for secret in secret_keys]
        return [base64.urlsafe_b64encode(digest).decode() for digest in digests]
    for position, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"ENCRYPTION_KEYS: key number {position} is no Fernet key (32 bytes in URL-safe base64). "
                "`make key` prints a good one."
            ) from error
    return keys


def database(url_name: str = "DATABASE_URL") -> dict[str, Any]:
    """Django's DATABASES entry for the URL; SQLite gets WAL, IMMEDIATE transactions and a 20-second wait."""
    default = f"sqlite:///{BASE_DIR / 'var' / 'goalpost.sqlite3'}"
    try:
        config: dict[str, Any] = dict(env.db_url(url_name, default=default))
    except (ValueError, ImproperlyConfigured) as error:
        raise ImproperlyConfigured(
            f"{url_name} cannot be read. Write sqlite:////full/path.sqlite3 or postgres://user:password@host:5432/name."
        ) from error
    engine = config.get("ENGINE", "")
    if "sqlite" in engine:
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000;",
        }
    elif "postgresql" in engine:
        config["CONN_MAX_AGE"] = 60
        config["CONN_HEALTH_CHECKS"] = True
    else:
        raise ImproperlyConfigured(f"{url_name}: Goalpost runs on PostgreSQL and SQLite, not on {engine or 'this'}.")
    return config


def time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ImproperlyConfigured(f"TIME_ZONE={name!r} is no IANA zone. Write for example Europe/Moscow.") from error
    return name
