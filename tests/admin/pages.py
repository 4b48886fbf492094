"""Reading answers the way a person reads pages."""

import csv
import html
import io
import re
from typing import Any

from django.test import Client
from openpyxl import load_workbook


def words(answer: Any) -> str:
    """The page's visible text: no tags, no scripts, single spaces."""
    text = answer.content.decode()
    text = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", text)
    text = re.sub(r'<span class="material-symbols-outlined[^>]*>[^<]*</span>', " ", text)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def text_of(answer: Any) -> str:
    """All that was sent, of a page or a file; what a workbook says."""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return "\n".join("\t".join(row) for row in sheet(content)) if content.startswith(b"PK") else content.decode()


def sheet(content: bytes) -> list[list[str]]:
    """The cells of a workbook's only sheet as text, empty ones too."""
    book = load_workbook(io.BytesIO(content))
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    return [["" if cell is None else str(cell) for cell in row] for row in rows]


def csv_rows(answer: Any) -> list[dict[str, str]]:
    """The lines of a CSV that is sent piece by piece, by their titles."""
    text = b"".join(answer.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def messages(answer: Any) -> str:
    """What the page says of the act just done."""
    return " ".join(str(message) for message in answer.context["messages"])


def errors(answer: Any) -> str:
    """What a form refused."""
    form = answer.context["form"]
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


def form_data(browser: Client, url: str, **changes: Any) -> dict[str, Any]:
    """What the browser would send from an admin form of this address, with some fields written anew."""
    answer = browser.get(url)
    assert answer.status_code == 200, answer.status_code
    forms = [answer.context["adminform"].form]
    data: dict[str, Any] = {}
    for inline in answer.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.initial_forms]
        if hasattr(inline.formset, "version_name"):
            data[inline.formset.version_name] = inline.formset.shown_version
    for form in forms:
        for field in form:
            value = field.value()
            data[field.html_name] = "" if value is None or value is False else value
            if field.field.show_hidden_initial:
                data[field.html_initial_name] = "" if value is None else str(value)
    data.update(changes)
    kept = {name: value for name, value in data.items() if value != "" or name in changes}
    return {**kept, **{name: "" for name in data if name.startswith("initial-") and name not in kept}}
