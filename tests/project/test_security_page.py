"""docs/security.md claims nothing that no test shows: each test that it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
CLAIMS = re.split(r"\n## ", PAGE)


def test_each_test_that_it_names_is_there():
    assert len(NAMED) > 40
    missing = [
        f"{path}::{name}"
        for path, name in NAMED
        if not (ROOT / path).is_file() or f"def {name}(" not in (ROOT / path).read_text("utf-8")
    ]
    assert not missing, f"docs/security.md names tests that are not there: {missing}"


def test_each_claim_names_a_test():
    protected = [part for part in CLAIMS if not part.startswith(("#", "What ", "Who ", "Set up", "Telling"))]
    assert len(protected) > 6
    for part in (*protected, next(part for part in CLAIMS if part.startswith("What Goalpost calls"))):
        title, _, text = part.partition("\n")
        for claim in re.findall(r"(?ms)^- (.*?)(?=^- |\n\n|\Z)", text):
            assert "::" in claim, f"{title}: no test shows this: {claim[:100]}"


def test_each_setting_that_it_names_is_explained():
    example = (ROOT / ".env.example").read_text("utf-8")
    names = set(re.findall(r"`([A-Z][A-Z_]{4,})(?:=\w+)?`", PAGE))
    assert names
    assert not [name for name in names if name not in example]
