"""What every test shares: a real database file, and append-only tables that can still be emptied between tests."""

import os
from pathlib import Path

os.environ.setdefault("DEBUG", "on")
os.environ.setdefault("SANDBOX", "on")
os.environ["ENV_FILE"] = os.devnull
if os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
else:
    os.environ["DATABASE_URL"] = f"sqlite:///{Path(__file__).parent.parent / 'var' / 'tests.sqlite3'}"
