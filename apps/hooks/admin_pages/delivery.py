"""The log of webhooks: what was sent, what was answered, how long it took."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.changelists import is_few
from apps.agencies.exporting import Cell
from apps.agencies.merging import Parts
from apps.counters.admin_pages.ledger import readable
from apps.counters.templatetags.goalpost import duration, moment
from apps.counters.ui.acts import Act, offer
from apps.counters.ui.lists import PreparedListMixin, exactly
from apps.counters.ui.pages import PageAdmin
from apps.hooks import door, payloads, services
from apps.hooks.admin_pages.endpoint import state_look, why_not
from apps.hooks.models import OPEN, Delivery, Endpoint

log = structlog.get_logger(__name__)

SHOWN_CHARACTERS = 50_000


def _again(request: HttpRequest, delivery: Delivery, values: Mapping[str, Any]) -> Any:
    again = services.send_again(delivery=delivery)
    return HttpResponseRedirect(reverse("admin:hooks_delivery_change", args=[again.pk]))


def _give_up(request: HttpRequest, delivery: Delivery, values: Mapping[str, Any]) -> str:
    services.give_up(delivery=delivery)
    return _now("It is not sent any more; the next one has its turn.")


offer(
    Delivery,
    Act(
        name="again",
        title=_("Send again"),
        icon="replay",
        question=lambda request, delivery: _(
            "The same event is sent once more, behind what waits already. The receiver knows it by the id of the event."
        ),
        do=_again,
        shown=lambda request, delivery: delivery.state not in OPEN,
        main=True,
    ),
    Act(
        name="give_up",
        title=_("Give up"),
        icon="skip_next",
        question=lambda request, delivery: _(
            "This message is not sent any more, so that those behind it have their turn. You can send it again later."
        ),
        do=_give_up,
        shown=lambda request, delivery: delivery.state in OPEN,
        danger=True,
    ),
)


def _body(delivery: Delivery) -> bytes:
    """Empty where it cannot be made: then the page is what tells so."""
    try:
        return payloads.body(delivery.event)
    except Exception:
        log.exception("webhook message cannot be made", delivery=str(delivery.pk))
        return b""


class DeliveryAdmin(PreparedListMixin, PageAdmin):
    page_template = "admin/hooks/delivery/page.html"
    list_display = ("show_created", "show_event", "endpoint", "show_state", "attempts", "show_status", "show_took")
    list_filter = ("endpoint", "state", "event__type")
    list_select_related = ("endpoint", "event__counter")
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("id", "event")
    search_help_text = _("Delivery or event id, whole")
    export_cells = {
        "show_created": (Cell(_("Happened"), lambda delivery: delivery.event.created_at),),
        "show_event": (
            Cell(_("Event"), lambda delivery: delivery.event.get_type_display()),
            Cell(_("Counter"), lambda delivery: delivery.event.counter and delivery.event.counter.name),
            Cell(_("Counter number"), lambda delivery: delivery.event.counter and delivery.event.counter.metrica_id),
        ),
        "show_state": (
            Cell(_("State"), lambda delivery: delivery.get_state_display()),
            Cell(_("What went wrong"), why_not),
        ),
        "show_status": (Cell(_("HTTP status"), lambda delivery: delivery.http_status),),
        "show_took": (Cell(_("Took, seconds"), lambda delivery: delivery.seconds),),
    }
    export_keys = (
        Cell(_("Delivery"), lambda delivery: delivery.pk),
        Cell(_("Event id"), lambda delivery: delivery.event_id),
    )
    empty_icon = "webhook"
    empty_title = _("Nothing was sent yet")
    empty_text = _("What happens is written here for each webhook that wants to know it.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).select_related("endpoint__agency", "event__agency", "event__counter")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        return exactly(request, queryset, search_term, "id", "event"), False

    def parts_of(self, request: HttpRequest) -> Parts | None:
        agencies = actor_of(request).agencies
        if agencies is None or is_few(request):
            return None
        # All of the agency: which messages of theirs one who is limited to counters sees, the rows say.
        endpoints = Endpoint.objects.filter(agency__in=agencies).order_by().values_list("pk", flat=True)
        return Parts("endpoint", tuple(endpoints))

    def page_context(self, request: HttpRequest, obj: Delivery) -> dict[str, Any]:
        body = _body(obj)
        text = readable(body.decode())
        return {
            "title": f"{obj.event.type} · {obj.endpoint}",
            "look": state_look(obj),
            "why": why_not(obj),
            "zone": obj.event.counter.zone if obj.event.counter else "",
            "body": text[:SHOWN_CHARACTERS],
            "body_cut": len(text) > SHOWN_CHARACTERS,
            "body_differs": bool(obj.body_bytes) and hashlib.sha256(body).hexdigest() != obj.body_sha256,
            "size": len(body),
            "address": door.shown(obj.endpoint.url),
            "next_attempt": obj.endpoint.not_before if obj.state in OPEN else None,
        }

    @display(description=_("Happened"))
    def show_created(self, delivery: Delivery) -> str:
        counter = delivery.event.counter
        return moment(delivery.event.created_at, counter.zone if counter else None, seconds=True)

    @display(description=_("Event"))
    def show_event(self, delivery: Delivery) -> str:
        where = delivery.event.counter or ""
        return format_html(
            '<span class="gp-wrap" title="{}">{}</span><br><span class="gp-sub">{}</span>',
            delivery.event.type,
            delivery.event.get_type_display(),
            where,
        )

    @display(description=_("State"))
    def show_state(self, delivery: Delivery) -> str:
        return state_look(delivery)

    @display(description=_("HTTP status"))
    def show_status(self, delivery: Delivery) -> str:
        return str(delivery.http_status or "—")

    @display(description=_("Took"))
    def show_took(self, delivery: Delivery) -> str:
        return duration(delivery.seconds)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """All columns come with the rows."""
