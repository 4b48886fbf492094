"""How figures of two sides look beside each other."""

from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html

from apps.counters.templatetags.goalpost import money, number
from apps.dashboard.comparison.totals import Pair

register = template.Library()


@register.simple_tag
def figure(value: int | Decimal | None, currency: str = "") -> str:
    """A number of orders, or an amount of money in the counter's currency; a dash for none."""
    return money(value, currency) if isinstance(value, Decimal) else number(value)


@register.simple_tag
def difference(pair: Pair, currency: str = "") -> Any:
    """Metrica's less ours, with Metrica's in percent of ours; quiet where there is none."""
    gap = pair.difference
    if gap is None:
        return "—"
    if not gap:
        return format_html('<span class="gp-sub">{}</span>', "0")
    tone = "gp-text--warn" if gap < 0 else ""
    sign = "−" if gap < 0 else "+"
    share = "" if pair.percent is None else format_html(' <span class="gp-sub">{}%</span>', pair.percent)
    return format_html(
        '<span class="gp-nowrap {}">{}{}</span>{}', tone, sign, figure(gap if gap > 0 else -gap, currency), share
    )
