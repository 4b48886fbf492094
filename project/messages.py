"""Collects the texts for translation and compiles them; with --check only says whether both were done.

Needs GNU gettext. The compiled catalogue is kept in the repository, so that running Goalpost needs no gettext.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
CATALOGUE = BASE_DIR / "locale" / "ru" / "LC_MESSAGES" / "django.po"


def collect() -> None:
    os.environ.update(DEBUG="on", SANDBOX="on", DJANGO_SETTINGS_MODULE="project.settings")
    command = [sys.executable, "manage.py", "makemessages", "-l", "ru", "--no-wrap", "--no-location", "--no-obsolete"]
    ignored = [f"--ignore={name}" for name in (".venv", "var", "tests", "staticfiles")]
    subprocess.run([*command, *ignored, "-v0"], cwd=BASE_DIR, check=True)
    text = CATALOGUE.read_text()
    CATALOGUE.write_text(re.sub(r'^"POT-Creation-Date:.*\n', "", text, flags=re.M))


def compiled(source: Path) -> bytes:
    with tempfile.NamedTemporaryFile(suffix=".mo") as target:
        subprocess.run(["msgfmt", "--check", "-o", target.name, str(source)], check=True)  # noqa: S607
        return Path(target.name).read_bytes()


def problems() -> list[str]:
    """What is wrong with the Russian catalogue, as sentences."""
    kept = CATALOGUE.read_text()
    collect()
    fresh = CATALOGUE.read_text()
    CATALOGUE.write_text(kept)
    found = []
    if fresh != kept:
        found.append("Texts changed since they were collected: run `make messages` and translate what is new.")
    report = subprocess.run(
        ["msgattrib", "--untranslated", "--no-obsolete", str(CATALOGUE)],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    untranslated = re.findall(r'^msgid "(.+)"', report, flags=re.M)
    if untranslated:
        found.append(f"{len(untranslated)} texts have no Russian translation, first: {untranslated[0]!r}")
    if "#, fuzzy" in kept:
        found.append("Some translations are marked fuzzy: check them and take the mark away.")
    if CATALOGUE.with_suffix(".mo").read_bytes() != compiled(CATALOGUE):
        found.append("The compiled catalogue is older than its source: run `make messages`.")
    return found


def main() -> int:
    if "--check" in sys.argv:
        found = problems()
        print("\n".join(found) or "translations: complete")  # noqa: T201
        return 1 if found else 0
    collect()
    CATALOGUE.with_suffix(".mo").write_bytes(compiled(CATALOGUE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
