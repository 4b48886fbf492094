"""How many of a counter's orders have something that Metrica can find a visit by, week by week: for its page."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from apps.counters.models import Counter
from apps.dashboard.admin_pages.comparison import percent
from apps.dashboard.behind import Behind
from apps.dashboard.models import DayNumbers
from apps.dashboard.periods import Period
from apps.dashboard.rollup.running import zone_of
from apps.orders.identified import KINDS_OF

DAYS: Final = 28
SMOOTHED_DAYS: Final = 7
_LOOK: Final = {"client_id": ("blue", "#2563eb"), "phone": ("green", "#16a34a"), "email": ("orange", "#ea580c")}

Days = Mapping[date, Mapping[str, int]]


def identified_panel(request: HttpRequest, counter: Counter) -> str:
    """Of the last DAYS days, beside the DAYS before; each share with the orders that lack it. One query."""
    today = timezone.now().astimezone(zone_of(counter)).date()
    period = Period(today - timedelta(days=DAYS - 1), today)
    before = Period(period.first - timedelta(days=DAYS), period.first - timedelta(days=1))
    columns = ("orders", *(f"with_{sort}" for sort in KINDS_OF))
    rows = DayNumbers.objects.filter(counter=counter, day__gte=before.first, day__lte=today).order_by()
    days: Days = {row["day"]: row for row in rows.values("day", *columns)}
    behind, names = Behind([counter], period), {"client_id": _("ClientID"), "phone": _("Phone"), "email": _("E-mail")}
    shares = [
        {
            "label": names[sort],
            "colour": _LOOK[sort][0],
            "now": percent(_share(days, period, sort)),
            "before": percent(_share(days, before, sort)),
            "url": behind.orders(without=sort),
        }
        for sort in KINDS_OF
    ]
    context = {
        "shares": shares,
        "orders": sum(days[day]["orders"] for day in period.each if day in days),
        "orders_url": behind.orders(),
        "days": DAYS,
        "chart": _chart(days, period, names),
    }
    return render_to_string("admin/dashboard/identified.html", context, request=request)


def _share(days: Days, period: Period, sort: str) -> float | None:
    """None: there were no orders."""
    found = [days[day] for day in period.each if day in days]
    whole = sum(row["orders"] for row in found)
    return sum(row[f"with_{sort}"] for row in found) / whole if whole else None


def _chart(days: Days, period: Period, names: Mapping[str, str]) -> str:
    """For the theme's chart: each point is the week that ends on its day. Empty where there are fewer than two."""
    weeks = [Period(day - timedelta(days=SMOOTHED_DAYS - 1), day) for day in period.each]
    drawn: list[dict[str, Any]] = []
    for sort, (_colour, code) in _LOOK.items():
        shares = [_share(days, week, sort) for week in weeks]
        if sum(share is not None for share in shares) < 2:
            return ""
        drawn.append(
            {
                "label": names[sort],
                "data": [None if share is None else round(100 * share) for share in shares],
                "borderColor": code,
                "displayYAxis": True,
                "suffixYAxis": "%",
                "maxTicksXLimit": 8,
                "spanGaps": True,
            }
        )
    # Translators: a day and a short month in Django's letters; "b" writes the month in lower case.
    labels = [formats.date_format(day, _("j M")) for day in period.each]
    return json.dumps({"labels": labels, "datasets": drawn}, ensure_ascii=False)
