"""Webhooks: where a CRM's developer wants to be told of what happened, and how that goes."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from apps.agencies import shown_once
from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.exporting import Cell
from apps.agencies.tenant_admin import TenantAdmin, become
from apps.counters.templatetags.goalpost import ago, badge, number, since
from apps.counters.ui.acts import Act, ActForm, ActingMixin, offer
from apps.counters.ui.lists import PreparedListMixin
from apps.counters.ui.long_logs import MOST_COUNTED, LongLogMixin, at_most
from apps.hooks import door, sending, services
from apps.hooks.admin_pages.addresses import AddressMixin
from apps.hooks.models import SUBSCRIBABLE, Delivery, DeliveryState, DisabledFor, Endpoint, EventType
from apps.orders.numbers import CappedCount

SHOWN_DELIVERIES = 10
SETTINGS = ("name", "url", "events", "counters", "active")


class EndpointForm(forms.ModelForm):
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(kind.value, format_lazy("{} ({})", kind.label, kind.value)) for kind in SUBSCRIBABLE],
        initial=[kind.value for kind in SUBSCRIBABLE],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Endpoint
        fields = ("agency", *SETTINGS)
        help_texts = {
            "name": _("What it is for: the CRM, the script."),
            "url": _("It is called by POST with JSON, and should answer 2xx within ten seconds."),
        }


class SinceForm(ActForm):
    since = forms.DateTimeField(
        label=_("From when on"), widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "60"})
    )


def _test(request: HttpRequest, endpoint: Endpoint, values: Mapping[str, Any]) -> str:
    sent = sending.send_test(endpoint)
    if sent.state == DeliveryState.DELIVERED:
        return _now("The test was taken: HTTP %(status)s after %(seconds).2f s.") % {
            "status": sent.http_status,
            "seconds": sent.seconds or 0,
        }
    raise ValidationError(sent.error_message, code=sent.error_code)


def _new_secret(request: HttpRequest, endpoint: Endpoint, values: Mapping[str, Any]) -> HttpResponse:
    secret = services.new_secret(endpoint=endpoint)
    told = _now(
        "Write it into the receiver within a day: until then each request is signed with the old secret too. "
        "It is kept encrypted and is not shown again."
    )
    return _secret_page(request, endpoint, _now("The new secret of “%(name)s”"), why=told, secret=secret)


def _secret_page(request: HttpRequest, endpoint: Endpoint, title: str, *, why: str, secret: str) -> HttpResponse:
    back = reverse("admin:hooks_endpoint_change", args=[endpoint.pk])
    named = title % {"name": endpoint.name}
    return shown_once.page(request, model=Endpoint, title=named, why=why, secret=secret, back=back)


def _enable(request: HttpRequest, endpoint: Endpoint, values: Mapping[str, Any]) -> str:
    services.enable_endpoint(endpoint=endpoint)
    return _now("It is called again, beginning with what has waited longest.")


def _try_now(request: HttpRequest, endpoint: Endpoint, values: Mapping[str, Any]) -> str:
    services.try_now(endpoint=endpoint)
    return _now("It is being called.")


def _since(request: HttpRequest, endpoint: Endpoint, values: Mapping[str, Any]) -> str:
    count = services.send_again_since(endpoint=endpoint, since=values["since"])
    return ngettext("%(count)s message goes once more.", "%(count)s messages go once more.", count) % {"count": count}


def _yesterday(request: HttpRequest, endpoint: Endpoint) -> dict[str, Any]:
    return {"since": f"{timezone.localtime(timezone.now() - timedelta(days=1)):%Y-%m-%dT%H:%M}"}


offer(
    Endpoint,
    Act(
        name="enable",
        title=_("Call it again"),
        icon="play_arrow",
        question=lambda request, endpoint: _(
            "It is called at once with what has waited longest. If it fails again for days, this repeats itself."
        ),
        do=_enable,
        shown=lambda request, endpoint: endpoint.disabled_at is not None,
        main=True,
    ),
    Act(
        name="test",
        title=_("Send a test"),
        icon="send",
        question=lambda request, endpoint: _(
            "A message of the type “test” is sent now, once, whatever else waits. You read here what was answered."
        ),
        do=_test,
        button=_("Send"),
    ),
    Act(
        name="now",
        title=_("Try now"),
        icon="refresh",
        question=lambda request, endpoint: _("The next attempt is made at once, not when its time has come."),
        do=_try_now,
        shown=lambda request, endpoint: endpoint.disabled_at is None and endpoint.not_before is not None,
    ),
    Act(
        name="since",
        title=_("Send again"),
        icon="history",
        question=lambda request, endpoint: _(
            "All that happened since then is sent once more, in its old order, behind what waits already. "
            "A receiver knows it by the ids of the events."
        ),
        form=SinceForm,
        initial=_yesterday,
        do=_since,
    ),
    Act(
        name="secret",
        title=_("New secret"),
        icon="key",
        question=lambda request, endpoint: _(
            "The new secret is shown once. For a day each request is signed with both, then with the new one alone."
        ),
        do=_new_secret,
        right=Right.ADMINISTER,
    ),
)


class EndpointAdmin(LongLogMixin, AddressMixin, PreparedListMixin, ActingMixin, TenantAdmin):
    form = EndpointForm
    add_right = change_right = delete_right = Right.ADMINISTER
    list_display = ("show_name", "show_state", "show_events", "show_counters", "show_waiting", "show_last_ok")
    list_filter = ("active",)
    list_select_related = ("agency",)
    search_fields = ("name", "url")
    search_help_text = _("Name or address")
    sortable_by = ("show_name",)
    autocomplete_fields = ("counters",)
    change_form_outer_before_template = "admin/hooks/endpoint/before.html"
    change_form_outer_after_template = "admin/hooks/endpoint/after.html"
    export_cells = {
        "show_name": (
            Cell(_("Webhook"), lambda endpoint: endpoint.name),
            Cell(_("Address"), lambda endpoint: door.shown(endpoint.url)),
        ),
        "show_events": (Cell(_("Events"), lambda endpoint: [EventType(kind).label for kind in endpoint.events]),),
        "show_last_ok": (Cell(_("Last taken"), lambda endpoint: endpoint.last_ok_at),),
    }
    empty_icon = "webhook"
    empty_title = _("No webhook yet")
    empty_text = _("Add the address of a CRM's script: it is told when orders are delivered, rejected or held.")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        agency = [] if obj is not None or self.agency_of(request) else ["agency"]
        return [*agency, *(self.address_field(request) if name == "url" else name for name in SETTINGS)]

    def get_search_fields(self, request: HttpRequest) -> Any:
        return self.search_fields if self.has_change_permission(request) else ("name",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in SETTINGS}
        values["counters"] = list(values["counters"])
        if change:
            become(obj, services.update_endpoint(endpoint=obj, **values))
            return
        endpoint, secret = services.create_endpoint(agency=self.agency_for_new(request, form), **values)
        become(obj, endpoint)
        request.secret = secret  # type: ignore[attr-defined]

    def log_of(self, objs: list[Any]) -> QuerySet[Any]:
        return Delivery.objects.filter(endpoint__in=objs)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete_endpoint(endpoint=obj)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        told = _now(
            "Write it into the receiver now: by it each request is signed. It is kept encrypted and is not shown again."
        )
        secret = request.secret  # type: ignore[attr-defined]
        return _secret_page(request, obj, _now("The secret of “%(name)s”"), why=told, secret=secret)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        endpoint = context.get("original")
        if endpoint is not None:
            deliveries = Delivery.objects.filter(endpoint=endpoint)
            context.update(
                look=look(endpoint),
                waiting=at_most(deliveries.open()),
                most_counted=MOST_COUNTED,
                deliveries=[
                    (one, state_look(one), why_not(one))
                    for one in deliveries.select_related("event__counter")[:SHOWN_DELIVERIES]
                ],
                enable_url=reverse("admin:hooks_endpoint_enable", args=[endpoint.pk]),
                may_operate=actor_of(request).can(Right.OPERATE),
            )
        # The secret is shown in place of the page that would follow.
        context.update(show_save_and_add_another=False, show_save_and_continue=endpoint is not None)
        return super().render_change_form(request, context, *args, **kwargs)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        chosen: dict[int, list[str]] = {}
        through = Endpoint.counters.through.objects.filter(endpoint__in=rows)
        for endpoint_id, name in through.order_by("counter__name").values_list("endpoint_id", "counter__name"):
            chosen.setdefault(endpoint_id, []).append(name)
        waiting = Delivery.objects.open().filter(endpoint=OuterRef("pk")).order_by().values("pk")[:MOST_COUNTED]
        counts = Endpoint.objects.filter(pk__in=[row.pk for row in rows]).order_by()
        number_of = dict(counts.values_list("pk", CappedCount(waiting)))
        for row in rows:
            row.chosen = chosen.get(row.pk, [])
            row.waiting = number_of.get(row.pk, 0)

    @display(description=_("Webhook"), ordering="name")
    def show_name(self, endpoint: Endpoint) -> str:
        return format_html(
            '<strong class="gp-strong">{}</strong><br><span class="gp-sub gp-mono">{}</span>',
            endpoint.name,
            self.show_address(endpoint),
        )

    @display(description=_("State"))
    def show_state(self, endpoint: Endpoint) -> str:
        return look(endpoint)

    @display(description=_("Events"))
    def show_events(self, endpoint: Endpoint) -> Any:
        if set(endpoint.events) >= {kind.value for kind in SUBSCRIBABLE}:
            return _("all")
        return format_html(
            '<span class="gp-wrap">{}</span>', ", ".join(str(EventType(kind).label) for kind in endpoint.events)
        )

    @display(description=_("Counters"))
    def show_counters(self, endpoint: Any) -> Any:
        return ", ".join(endpoint.chosen) or _("all")

    @display(description=_("Waiting"))
    def show_waiting(self, endpoint: Any) -> str:
        more = "+" if endpoint.waiting == MOST_COUNTED else ""
        return f"{number(endpoint.waiting)}{more}"

    @display(description=_("Last taken"))
    def show_last_ok(self, endpoint: Endpoint) -> str:
        return since(endpoint.last_ok_at)


def look(endpoint: Endpoint) -> str:
    """How it is with the endpoint, as a badge."""
    if not endpoint.active:
        return badge(_now("Switched off"), "quiet", "pause_circle")
    if endpoint.disabled_at is not None:
        return badge(_now("Not called any more"), "bad", "link_off", DisabledFor(endpoint.disabled_for).label)
    if endpoint.failing_since is not None:
        hint = _now("since %(time)s") % {"time": ago(endpoint.failing_since)}
        return badge(_now("Fails"), "warn", "error", hint)
    if endpoint.last_ok_at is not None:
        return badge(_now("Works"), "good", "check_circle")
    return badge(_now("Nothing sent yet"), "quiet", "help")


def state_look(delivery: Delivery) -> str:
    """The badge of a message's state."""
    tones = {
        DeliveryState.WAITING: ("info", "schedule"),
        DeliveryState.FAILED: ("warn", "refresh"),
        DeliveryState.DELIVERED: ("good", "check_circle"),
        DeliveryState.ABANDONED: ("quiet", "do_not_disturb_on"),
    }
    tone, icon = tones[DeliveryState(delivery.state)]
    return badge(delivery.get_state_display(), tone, icon, why_not(delivery))


def why_not(delivery: Delivery) -> str:
    """Why it was not taken, in the reader's language: the worker keeps its sentence in English. Empty where it was."""
    if delivery.error_code and delivery.http_status:
        text = _now("It was not taken: the answer was HTTP %(status)s, and 2xx was expected.")
        return text % {"status": delivery.http_status}
    return _now(delivery.error_message) if delivery.error_message else ""
