"""Acts: what a person does to one object from its page. A button, a question that says what will happen, then the deed.

An app adds acts to a model of an app above it by `offer`, so that the counter's page can have "Upload now" while
counters know nothing of uploads. Every act is a URL of its own: GET asks, POST does. Without JavaScript the question is
a page; with it, the same page opens as a dialog.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from unfold.enums import ActionVariant

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.tenant_admin import done
from apps.metrica.errors import MetricaError
from apps.metrica.text import Text

Outcome = Text | HttpResponseBase


class ActForm(forms.Form):
    """What an act asks besides "yes". Knows the object and the request."""

    template_after = ""  # drawn below the fields

    def __init__(self, *args: Any, request: HttpRequest, obj: Any, **kwargs: Any) -> None:
        self.request = request
        self.obj = obj
        super().__init__(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Act:
    """`do(request, obj, values)` does it and returns the sentence that tells so, or a response of its own.

    It may raise ValidationError or MetricaError: the person stays at the form and reads why and what to do.
    `question(request, obj)` is read before. `shown(request, obj)`: whether the act makes sense for the object now.
    """

    name: str
    title: Text
    icon: str
    do: Callable[[HttpRequest, Any, Mapping[str, Any]], Outcome]
    question: Callable[[HttpRequest, Any], Text]
    form: type[ActForm] = ActForm
    initial: Callable[[HttpRequest, Any], Mapping[str, Any]] | None = None
    right: Right = Right.OPERATE
    shown: Callable[[HttpRequest, Any], bool] | None = None
    button: Text = ""  # on the button that does it; left out: the title
    main: bool = False  # the page's foremost act
    danger: bool = False
    in_header: bool = True  # False: other parts of the page lead to it

    def is_offered(self, request: HttpRequest, obj: Any) -> bool:
        return actor_of(request).can(self.right) and (self.shown is None or self.shown(request, obj))

    @property
    def variant(self) -> ActionVariant:
        """Of the button in the header. A danger is shown in red where it is confirmed, not on every page."""
        return ActionVariant.PRIMARY if self.main else ActionVariant.DEFAULT


LIST_FILTERS = "_changelist_filters"
"""In the address of an object's page: what narrowed the list that one came from. The name is Django's."""

MOST_BUTTONS = 3
"""That fit into the header of a page and leave room for its title, in the longer of the languages."""

_offered: dict[type[models.Model], list[Act]] = defaultdict(list)


def offer(model: type[models.Model], *acts: Act) -> None:
    """Let the pages of this model have these acts. Two of one name would share an address: raises ValueError."""
    for act in acts:
        if any(act.name == other.name for other in _offered[model]):
            raise ValueError(f"{model.__name__} has an act “{act.name}” already.")
        _offered[model].append(act)


def acts_of(model: type[models.Model]) -> list[Act]:
    return sorted(_offered[model], key=lambda act: not act.main)


class ActingMixin:
    """For a TenantAdmin: the acts of its model as buttons of the page, and their URLs."""

    opts: Any
    model: type[models.Model]
    admin_site: Any

    def act_url(self, act: Act, obj: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{act.name}", args=[obj.pk])

    def get_urls(self) -> list[URLPattern]:
        urls = [
            path(
                f"<path:object_id>/{act.name}/",
                self.admin_site.admin_view(self._act_view(act)),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{act.name}",
            )
            for act in acts_of(self.model)
        ]
        return [*urls, *super().get_urls()]  # type: ignore[misc]

    def buttons(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        """In the form that the header of the admin theme draws. Where they are many, the header keeps the first ones,
        and the rest are behind a button of their own."""
        offered = self.offered(request, obj)
        if len(offered) <= MOST_BUTTONS:
            return offered
        first, rest = offered[: MOST_BUTTONS - 1], offered[MOST_BUTTONS - 1 :]
        more = {"title": _("More"), "icon": "more_horiz", "variant": ActionVariant.DEFAULT, "attrs": {}}
        return [*first, {**more, "method_name": "More", "items": rest}]

    def offered(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        """A button for each act that is offered now. Where a list was narrowed, the way back leads into it as it is."""
        tail = f"?{urlencode({'next': request.get_full_path()})}" if LIST_FILTERS in request.GET else ""
        return [
            {
                "title": act.title,
                "icon": act.icon,
                "variant": act.variant,
                "attrs": {},
                "dialog": True,
                "path": f"{self.act_url(act, obj)}{tail}",
            }
            for act in acts_of(self.model)
            if act.in_header and act.is_offered(request, obj)
        ]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if (obj := context.get("original")) is not None:
            context["actions_detail"] = self.buttons(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]

    def after_act(self, request: HttpRequest, obj: Any) -> str:
        """Where a person goes on afterwards: back where they came from if that is said, else to the object."""
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return came_from(request) or reverse(page, args=[obj.pk])

    def _act_view(self, act: Act) -> Callable[..., HttpResponseBase]:
        def view(request: HttpRequest, object_id: str) -> HttpResponseBase:
            return self._act(request, object_id, act)

        return view

    def _act(self, request: HttpRequest, object_id: str, act: Act) -> HttpResponseBase:
        obj = self.get_or_404(request, object_id)  # type: ignore[attr-defined]
        if not actor_of(request).can(act.right):
            raise PermissionDenied
        if not act.is_offered(request, obj):
            messages.warning(request, _("This cannot be done any more: meanwhile something has changed."))
            return done(request, self.after_act(request, obj))
        initial = dict(act.initial(request, obj)) if act.initial else {}
        form = act.form(request.POST if request.method == "POST" else None, request=request, obj=obj, initial=initial)
        if request.method == "POST" and form.is_valid():
            outcome = attempt(lambda: act.do(request, obj, form.cleaned_data), form)
            if isinstance(outcome, HttpResponseBase):
                return outcome
            if outcome is not None:
                messages.success(request, str(outcome))
                return HttpResponseRedirect(self.after_act(request, obj))
        return self._ask(request, obj, act, form)

    def _ask(self, request: HttpRequest, obj: Any, act: Act, form: ActForm) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": obj,
            "title": act.title,
            "act": act,
            "question": act.question(request, obj),
            "form": form,
            "media": form.media,
            "action_url": self.act_url(act, obj),
            "cancel_url": self.after_act(request, obj),
            "carried": [("next", origin)] if (origin := came_from(request)) else [],
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/act.html", context)


def came_from(request: HttpRequest) -> str:
    """The page named by `next`, if it is one of ours."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else ""


def attempt(deed: Callable[[], Outcome], form: forms.Form) -> Outcome | None:
    """The outcome of a deed, or None where it was refused: then the form says why and what to do."""
    try:
        return deed()
    except MetricaError as error:
        form.add_error(None, f"{error.message} {error.next_step}")
    except ValidationError as error:
        for field, errors in (getattr(error, "error_dict", None) or {"": error.error_list}).items():
            form.add_error(field if field in form.fields else None, errors)
    return None
