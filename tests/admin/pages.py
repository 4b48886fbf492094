"""Reading answers the way a person reads pages."""

import html
import re
from typing import Any

from django.test import Client


def words(answer: Any) -> str:
    """The page's visible text: no tags, no scripts, single spaces."""
    text = answer.content.decode()
    text = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", text)
    text = re.sub(r'<span class="material-symbols-outlined[^>]*>[^<]*</span>', " ", text)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


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
    for inline in answer.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.initial_forms]
    data: dict[str, Any] = {}
    for form in forms:
        for field in form:
            value = field.value()
            data[field.html_name] = "" if value is None or value is False else value
    data.update(changes)
    return {name: value for name, value in data.items() if value != "" or name in changes}
