"""A counter, a directory for files, and the command as people run it."""

import csv
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.counters.models import Counter
from tests.factories import make_agency, make_counter

DAY = datetime.now() - timedelta(days=3)
WHEN = DAY.strftime("%Y-%m-%d 12:00:00")
HEADER = "id,create_date_time,order_status,client_ids,revenue"


@dataclass
class Run:
    """How the command ended: its exit status and what it wrote; the report's rows, None where there is no report."""

    status: int
    out: str
    message: str
    report: list[dict[str, str]] | None


@pytest.fixture
def counter(db: None) -> Counter:
    return make_counter(make_agency("north"), metrica_id=40000001)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.csv"


@pytest.fixture
def run(path: Path) -> Any:
    """Write the content to orders.csv and import it."""

    def go(content: str | bytes | None = None, *options: str, agency: str = "north", counter: str = "40000001") -> Run:
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        out, err = io.StringIO(), io.StringIO()
        status, message = 0, ""
        arguments = [str(path), "--agency", agency, "--counter", counter, *options]
        try:
            call_command("import_orders", *arguments, stdout=out, stderr=err)
        except CommandError as error:
            status, message = error.returncode, str(error)
        return Run(status, out.getvalue(), err.getvalue() + message, report_of(path))

    return go


def report_of(path: Path) -> list[dict[str, str]] | None:
    report = path.with_name(path.stem + ".errors.csv")
    if not report.exists():
        return None
    text = report.read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in text.split("\n")[0] else ","))
