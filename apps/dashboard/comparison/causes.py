"""Why Metrica has fewer orders than were delivered, or more: likely causes, each with the page that mends it.

A cause is named where it is large enough to matter, whether or not the share is low: it may be seen before it hurts.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.counters.models import Counter
from apps.dashboard.comparison.totals import Totals
from apps.dashboard.models import Comparison
from apps.metrica.text import Text

LOW = 0.5
"""Fewer than this is worth a person's look in any trade; above it, each site has a share of its own."""

DROP = 0.1
"""So is a fall by so much against the period before."""

MORE_THAN_OURS = 1.1
_MANY_WITHOUT_CLIENT_ID = 0.2
_MANY_LATE = 0.05
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Cause:
    """`weight`: what probably explains most comes first. `url`: where it is mended, which may be at Metrica; `acts`:
    it is an act, not for those who only read."""

    text: Text
    step: Text
    url: str
    link: Text
    weight: float
    acts: bool = False


def is_low(matched: float | None) -> bool:
    return matched is not None and matched < LOW


def has_dropped(matched: float | None, before: float | None) -> bool:
    return matched is not None and before is not None and before - matched >= DROP


def likely_causes(*, comparison: Comparison, totals: Totals) -> list[Cause]:
    """Of the period that `totals` is about. No queries."""
    counter = comparison.counter
    found = [
        *_of_the_counter(counter, comparison),
        *_of_orders(counter, comparison, totals),
        *_of_goals(counter, comparison),
    ]
    return sorted(found, key=lambda cause: -cause.weight)


def _of_the_counter(counter: Counter, comparison: Comparison) -> list[Cause]:
    page = reverse("admin:counters_counter_change", args=[counter.pk])
    there = str(comparison.facts.get("time_zone") or "")
    if not counter.time_zone:
        return [
            Cause(
                _("The counter's time zone is unknown, so nothing can be delivered or compared."),
                _("Read the counter from Metrica, or set its time zone."),
                page,
                _("Open the counter"),
                10,
            )
        ]
    if there and there != counter.time_zone:
        text = _("Metrica's time zone for this counter is %(there)s, here it is %(here)s: order times are shifted.")
        return [
            Cause(
                text % {"there": there, "here": counter.time_zone},
                _("Read the counter from Metrica, or set the same time zone."),
                page,
                _("Open the counter"),
                9,
            )
        ]
    return []


def _of_orders(counter: Counter, comparison: Comparison, totals: Totals) -> list[Cause]:
    found = []
    ours, page = totals.ours, reverse("admin:counters_counter_change", args=[counter.pk])
    orders = f"{reverse('admin:orders_order_changelist')}?counter__id__exact={counter.pk}"
    without = ours.without_client_id / ours.bindable if ours.bindable else 0.0
    if without >= _MANY_WITHOUT_CLIENT_ID:
        text = _("%(percent)s%% of the orders carry no ClientID, which finds the visit best.")
        found.append(
            Cause(
                text % {"percent": round(100 * without)},
                _("Let the site's forms pass the visitor's ClientID to the CRM, and the CRM pass it on."),
                orders,
                _("Look at the orders"),
                4 * without,
            )
        )
    if without and counter.advanced_matching is False:
        found.append(
            Cause(
                _("Advanced matching is off at Metrica: without ClientID an order is hardly found by e-mail or phone."),
                _("Switch on the collection of first-party data in the counter's settings at Metrica."),
                f"https://metrika.yandex.ru/settings?id={counter.metrica_id}",
                _("Open Metrica"),
                3 * without,
            )
        )
    all_ours = ours.bindable + ours.late
    late = ours.late / all_ours if all_ours else 0.0
    if late >= _MANY_LATE:
        text = _(
            "%(percent)s%% of the orders were delivered later than 21 days after their creation: too late to match."
        )
        found.append(
            Cause(
                text % {"percent": round(100 * late)},
                _("Send orders when they are created, not only when they are paid, and let the schedule upload daily."),
                page,
                _("Open the schedule"),
                4 * late,
            )
        )
    if ours.fresh:
        text = ngettext(
            "%(count)s order was delivered less than two hours before Metrica was asked, and may not show yet.",
            "%(count)s orders were delivered less than two hours before Metrica was asked, and may not show yet.",
            ours.fresh,
        )
        found.append(
            Cause(
                text % {"count": ours.fresh},
                _("Compare again in two hours."),
                reverse("admin:dashboard_comparison_compare", args=[counter.pk]),
                _("Compare"),
                ours.fresh / max(all_ours, 1),
                acts=True,
            )
        )
    if comparison.facts.get("sampled"):
        found.append(
            Cause(
                _("Metrica's report is an estimate from a part of the visits, as the counter has very many."),
                _("Nothing needs to be done: differences of a few percent are the estimate's."),
                page,
                _("Open the counter"),
                0.05,
            )
        )
    if totals.matched is not None and totals.matched > MORE_THAN_OURS:
        found.append(
            Cause(
                _("Metrica has more orders than were delivered from here: something else uploads orders, too."),
                _("Look for a module or a script that sends orders of this site to Metrica, and leave only one."),
                page,
                _("Open the counter"),
                5,
            )
        )
    return found


def _of_goals(counter: Counter, comparison: Comparison) -> list[Cause]:
    found = []
    goals = f"{reverse('admin:goals_goal_changelist')}?counter__id__exact={counter.pk}"
    if missing := comparison.facts.get("missing_goals"):
        text = _("Metrica does not have these goals, so nothing reaches them: %(goals)s.")
        found.append(
            Cause(
                text % {"goals": _named(missing)},
                _("The counter's page offers to create them at Metrica, with exactly these identifiers."),
                reverse("admin:counters_counter_change", args=[counter.pk]),
                _("Open the counter"),
                0.2,
            )
        )
    if loose := comparison.facts.get("loose_goals"):
        text = _(
            "The condition of these goals at Metrica is not “matches exactly”, so other events may count: %(goals)s."
        )
        found.append(
            Cause(
                text % {"goals": _named(loose)},
                _("Change the condition to “matches exactly” in the goal's settings at Metrica."),
                goals,
                _("Open the goals"),
                0.1,
            )
        )
    return found


def _named(goals: Collection[str]) -> str:
    first = ", ".join(list(goals)[:_NAMED])
    rest = len(goals) - _NAMED
    if rest <= 0:
        return first
    return ngettext("%(first)s and %(count)s more", "%(first)s and %(count)s more", rest) % {
        "first": first,
        "count": rest,
    }
