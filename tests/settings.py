"""The project's settings for tests: nothing from `.env`, the sandbox on, SQLite or what TEST_DATABASE_URL names."""

import os
from pathlib import Path

os.environ.setdefault("DEBUG", "on")
os.environ.setdefault("SANDBOX", "on")
os.environ.setdefault("OUTGOING_ALLOWED_NETWORKS", "127.0.0.0/8,::1/128")
os.environ["ENV_FILE"] = os.devnull
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL") or (
    f"sqlite:///{Path(__file__).parent.parent / 'var' / 'tests.sqlite3'}"
)

from project.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# What a test writes is thrown away with its database: nobody waits until a disk has it.
_options = DATABASES["default"].setdefault("OPTIONS", {})  # noqa: F405
if "sqlite" in DATABASES["default"]["ENGINE"]:  # noqa: F405
    _options["init_command"] = _options.get("init_command", "") + ";PRAGMA synchronous=OFF;"
else:
    _options["options"] = "-c synchronous_commit=off"
