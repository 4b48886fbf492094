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
