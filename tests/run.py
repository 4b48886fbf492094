"""`make test`: the suite on SQLite, then on PostgreSQL where one answers; says loudly what could not run.

All of it runs on SQLite. On PostgreSQL those tests run again that may reach a database, by themselves or by processes
that they start. The others (formats, dates, addresses, words: two fifths of the suite) are kept from every database by
pytest-django, so they could only come to the same result once more; and so would those that look at pages (`ONCE` in
tests/conftest.py). ALL_TWICE=1 runs all of them nonetheless.
"""

import os
import shutil
import subprocess
import sys

WORKERS = 3
"""Processes that share the tests of a pass. They wait for others for a good part of their time: a server, a browser,
processes that they start."""

LOCAL_SERVERS = ("postgres:///postgres", "postgres://127.0.0.1:5432/postgres")


def postgres_url() -> str:
    """TEST_DATABASE_URL, or the local server whose socket or port answers; empty where none does."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    import psycopg

    for candidate in LOCAL_SERVERS:
        try:
            psycopg.connect(candidate, connect_timeout=2).close()
        except psycopg.Error:
            continue
        return candidate
    return ""


def run(*, label: str, url: str, arguments: list[str]) -> int:
    print(f"\n=== the suite on {label}", flush=True)
    environment = {**os.environ, "TEST_DATABASE_URL": url}
    # A module stays with one worker; they are begun in the order of tests/conftest.py, the longest first.
    shared = ["-n", os.environ.get("TEST_WORKERS", str(WORKERS)), "--dist", "loadscope", "--no-loadscope-reorder"]
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *shared, *arguments], env=environment).returncode


def main() -> int:
    arguments = sys.argv[1:]
    in_ci = bool(os.environ.get("CI"))
    missing = []
    if not os.environ.get("CHROMIUM") and not shutil.which("chromium"):
        missing.append("Chromium was not found: the browser tests are LEFT OUT (Debian: apt install chromium).")
    url = postgres_url()
    if not url:
        missing.append(
            "No PostgreSQL answered: the suite runs on SQLite ONLY. Set TEST_DATABASE_URL, or start a local server "
            "(Debian: apt install postgresql; pg_ctlcluster 15 main start)."
        )
    for sentence in missing:
        print(f"!!! {sentence}", flush=True)
    if in_ci and missing:
        return 1
    status = run(label="SQLite", url="", arguments=arguments)
    if status == 0 and url:
        label = "PostgreSQL"
        if not os.environ.get("ALL_TWICE"):
            label += "; left out: tests that reach no database or are about pages, which have just passed"
            arguments = ["--only-with-database", *arguments]
        status = run(label=label, url=url, arguments=arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
