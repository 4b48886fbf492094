"""Acts on several objects picked in a list: the list's own action, with a question before and a limit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse

from apps.agencies.actor import Right
from apps.counters.ui.acts import ActForm, attempt
from apps.metrica.text import Text

BULK_LIMIT = 10_000
"""Objects that one press of the button takes; a longer list takes several."""

_CONFIRMED = "_confirmed"
_ASKED = "_asked"


@dataclass(frozen=True, slots=True)
class BulkAct:
    """`do(request, rows, values)` gets at most `BULK_LIMIT` visible rows and returns the sentence that tells so. They
    are those that the question was about, as far as the list has them still: what came meanwhile, nobody has seen."""

    name: str
    title: Text
    icon: str
    do: Callable[[HttpRequest, list[Any], Mapping[str, Any]], Text | HttpResponseBase]
    question: Callable[[HttpRequest, list[Any]], Text]
    form: type[ActForm] = ActForm
    right: Right = Right.OPERATE
    button: Text = ""
    danger: bool = False

    def as_action(self) -> Callable[..., HttpResponseBase | None]:
        """For `ModelAdmin.actions`."""

        def action(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
            return self._run(model_admin, request, queryset)

        action.__name__ = self.name
        action.short_description = self.title  # type: ignore[attr-defined]
        action.allowed_permissions = [self.right.value]  # type: ignore[attr-defined]
        return action

    def _run(self, model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
        across = request.POST.get("select_across") == "1"
        asked = _asked(request, queryset) if across else None
        if asked is not None:
            queryset = queryset.filter(pk__among=asked)
        rows = list(queryset[:BULK_LIMIT])
        confirmed = _CONFIRMED in request.POST and (asked is not None or not across)
        form = self.form(request.POST if confirmed else None, request=request, obj=rows)
        if confirmed and form.is_valid():
            outcome = attempt(lambda: self.do(request, rows, form.cleaned_data), form)
            if isinstance(outcome, HttpResponseBase):
                return outcome
            if outcome is not None:
                messages.success(request, str(outcome))
                return None
        carried = [
            *((ACTION_CHECKBOX_NAME, key) for key in request.POST.getlist(ACTION_CHECKBOX_NAME)),
            ("action", self.name),
            ("select_across", "1" if across else "0"),
            # One field, however many they are: servers count fields.
            *([(_ASKED, ",".join(str(row.pk) for row in rows))] if across else []),
            ("index", request.POST.get("index", "0")),
            (_CONFIRMED, "1"),
        ]
        here = request.get_full_path()
        context = {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.opts,
            "title": self.title,
            "act": self,
            "question": self.question(request, rows),
            "form": form,
            "media": form.media,
            "carried": carried,
            "action_url": here,
            "cancel_url": here,
        }
        request.current_app = model_admin.admin_site.name
        return TemplateResponse(request, "admin/act.html", context)


def _asked(request: HttpRequest, queryset: QuerySet[Any]) -> list[Any] | None:
    """Keys of the rows that the question was about; None where none was asked."""
    key: Any = queryset.model._meta.pk
    try:
        return [key.to_python(one) for one in request.POST[_ASKED].split(",") if one][:BULK_LIMIT]
    except (KeyError, ValidationError):
        return None
