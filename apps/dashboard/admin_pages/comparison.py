"""One counter beside Metrica: sums, goals and days of both sides, the share matched and its trend, likely causes."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.exporting import Cell
from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import badge, moment, state_badge
from apps.counters.ui import exports
from apps.counters.ui.lists import PreparedListMixin
from apps.counters.ui.pages import PageAdmin
from apps.dashboard.comparison import causes, problems, shares
from apps.dashboard.comparison.running import REGULAR_DAYS
from apps.dashboard.comparison.totals import Totals, totals
from apps.dashboard.models import Comparison, DayFigures

PERIODS = (7, REGULAR_DAYS, 91)


def percent(share: float | None) -> str:
    return "—" if share is None else _now("%(number)s%%") % {"number": round(100 * share)}


def tone_of(comparison: Comparison) -> str:
    """How the share looks: good, or something to see to."""
    if comparison.matched is None:
        return "quiet"
    dropped = causes.has_dropped(comparison.matched, comparison.matched_before)
    return "warn" if dropped or causes.is_low(comparison.matched) else "good"


def _wrong(comparison: Comparison) -> Any:
    problem = problems.describe(comparison.error_code)
    return problem and problem.message


class ComparisonAdmin(PreparedListMixin, PageAdmin):
    page_template = "admin/dashboard/comparison/page.html"
    list_display = ("show_counter", "show_matched", "show_before", "show_state", "show_read")
    list_select_related = ("counter",)
    search_fields = ("counter__name", "=counter__metrica_id")
    search_help_text = _("Name or number of the counter")
    sortable_by = ("show_counter", "show_matched", "show_read")
    ordering = ("counter__name", "counter__metrica_id")
    export_cells = {
        "show_counter": exports.COUNTER,
        "show_matched": (Cell(_("Matched in 28 days"), lambda comparison: comparison.matched),),
        "show_before": (Cell(_("In the 28 days before"), lambda comparison: comparison.matched_before),),
        "show_state": (
            Cell(_("State"), lambda comparison: comparison.get_state_display()),
            Cell(_("What went wrong"), lambda comparison: _wrong(comparison)),
        ),
        "show_read": (Cell(_("Metrica was asked"), lambda comparison: comparison.read_at),),
    }
    empty_icon = "balance"
    empty_title = _("Nothing to compare yet")
    empty_text = _("Every counter that has delivered orders is compared with Metrica once a night.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Comparison]:
        return super().get_queryset(request).select_related("counter__account", "counter__agency")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """A counter that was never compared has its page as well; it says so."""
        if not str(object_id).isdecimal() or len(str(object_id)) > 18:
            return None
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            return found
        counters = Counter.objects.visible_to(actor_of(request)).select_related("account", "agency")
        counter = counters.filter(pk=object_id).first()
        return None if counter is None else Comparison(counter=counter)

    def render_page(self, request: HttpRequest, obj: Comparison, *args: Any, **kwargs: Any) -> HttpResponse:
        """The whole page; or for its own polling how far the comparison is, and the whole anew once it has ended."""
        if "part" not in request.GET:
            return super().render_page(request, obj, *args, **kwargs)
        if not obj.is_under_way:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return super().render_page(request, obj, *args, template="admin/dashboard/comparison/state.html", **kwargs)

    def page_context(self, request: HttpRequest, obj: Comparison) -> dict[str, Any]:
        context = {"counter": obj.counter, "problem": problems.describe(obj.error_code)}
        if "part" in request.GET:
            return context
        asked = request.GET.get("days", "")
        days = int(asked) if asked in map(str, PERIODS) else REGULAR_DAYS
        last = timezone.now().astimezone(obj.counter.zone).date()
        first = last - timedelta(days=days - 1)
        reach_back = first - timedelta(days=shares.SMOOTHED_DAYS - 1)
        whole = totals(DayFigures.objects.of(obj.counter, first=reach_back, last=last), first=first, last=last)
        return {
            **context,
            "title": _now("%(counter)s beside Metrica") % {"counter": obj.counter.name},
            "whole": whole,
            "today": last,
            "days": days,
            "periods": PERIODS,
            "matched": percent(whole.matched),
            "low": causes.is_low(whole.matched),
            "dropped": causes.has_dropped(obj.matched, obj.matched_before),
            "matched_now": percent(obj.matched),
            "matched_before": percent(obj.matched_before),
            "chart": _chart(whole),
            "causes": causes.likely_causes(comparison=obj, totals=whole) if obj.read_at else [],
            "freshest": whole.ours.fresh,
            "unmatched": max(whole.ours.bindable - whole.metrica.orders - whole.metrica.spam, 0),
        }

    @display(description=_("Counter"), ordering="counter__name")
    def show_counter(self, comparison: Comparison) -> str:
        return format_html(
            '<strong class="gp-strong">{}</strong><br><span class="gp-sub">{}</span>',
            comparison.counter.name,
            comparison.counter.metrica_id,
        )

    @display(description=_("Matched in 28 days"), ordering="matched")
    def show_matched(self, comparison: Comparison) -> str:
        return badge(percent(comparison.matched), tone_of(comparison))

    @display(description=_("In the 28 days before"))
    def show_before(self, comparison: Comparison) -> str:
        return percent(comparison.matched_before)

    @display(description=_("State"))
    def show_state(self, comparison: Comparison) -> str:
        problem = problems.describe(comparison.error_code)
        if comparison.is_under_way:
            return state_badge(comparison.state, comparison.get_state_display(), problem.message if problem else "")
        if problem is not None:
            return state_badge("failed", _now("Failed"), problem.message)
        return state_badge("ok", _now("Compared")) if comparison.read_at else badge(_now("Not yet"))

    @display(description=_("Metrica was asked"), ordering="read_at")
    def show_read(self, comparison: Comparison) -> str:
        return moment(comparison.read_at, comparison.counter.zone)

    def prepare(self, request: HttpRequest, rows: Sequence[Comparison]) -> None:
        """All columns come with the rows."""


def _chart(whole: Totals) -> str:
    """Data of the trend for the theme's chart; empty where there is no point to draw."""
    points = [(day, share) for day, share in whole.points if share is not None]
    if len(points) < 2:
        return ""
    # Metrica counts by days of visits: of a week it may have matched more orders than the week has.
    values = [None if share is None else min(100, round(100 * share)) for _day, share in whole.points]
    return json.dumps(
        {
            "labels": [_short(day) for day, _share in whole.points],
            "datasets": [
                {
                    "label": _now("Matched by Metrica"),
                    "data": values,
                    "borderColor": "var(--color-primary-600)",
                    "displayYAxis": True,
                    "suffixYAxis": "%",
                    "maxTicksXLimit": 8,
                    "spanGaps": True,
                }
            ],
        },
        ensure_ascii=False,
    )


def _short(day: date) -> str:
    return formats.date_format(day, _now("j M"))
