"""Orders come with fewer identifiers than before: a form or the CRM has stopped passing them, and Metrica will find no
visits."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Case, CharField, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.alerts.causes.base import Cause, Facts, Finding, Look
from apps.alerts.models import Alert
from apps.counters.models import Counter
from apps.metrica.text import Text
from apps.orders.models import Order

OF_THE_DAY = 200
OF_A_SLICE = 70
SLICES = (timedelta(days=8), timedelta(days=6), timedelta(days=4))
"""Where the samples of the week before begin; each ends two days later."""

FEWEST_ORDERS = 20
"""Of fewer orders a share says nothing."""

KINDS: dict[str, tuple[str, ...]] = {
    "client_id": ("client_ids",),
    "email": ("emails", "emails_md5"),
    "phone": ("phones", "phones_md5"),
}
NAMES: dict[str, Text] = {"client_id": _("ClientID"), "email": _("e-mail"), "phone": _("phone")}


class Sample(Subquery):
    """`orders with-a-ClientID with-an-email with-a-phone` of a (sliced) query, in one text."""

    template = (
        "(SELECT COUNT(*) || ' ' || COALESCE(SUM(has_client_id), 0) || ' ' || COALESCE(SUM(has_email), 0) || ' ' || "
        "COALESCE(SUM(has_phone), 0) FROM (%(subquery)s) sample)"
    )
    output_field = CharField()


class MatchDropped(Cause):
    code = "match_dropped"
    title = _("Fewer orders can be matched")
    step = _("See whether the site's forms and the CRM still pass ClientID, e-mail and phone with each order.")
    calm = timedelta(hours=1)
    changes_slowly = True

    def find(self, look: Look) -> Iterable[Finding]:
        """Of each counter at most `OF_THE_DAY` orders of the last day and three times `OF_A_SLICE` of the week before,
        by index order_created, with their clients: some four hundred rows a counter, every few hours."""
        day = look.now - timedelta(days=1)
        counters = {counter.pk: counter for counter in look.counters}
        slices = [_sample(look.now - ago, look.now - ago + timedelta(days=2), OF_A_SLICE) for ago in SLICES]
        rows = Counter.objects.filter(pk__in=counters).order_by()
        for pk, today, *before in rows.values_list("pk", _sample(day, look.now, OF_THE_DAY), *slices):
            now_has, had = _read([today]), _read(before)
            if min(now_has["orders"], had["orders"]) < FEWEST_ORDERS:
                continue
            fell = {
                kind: {
                    "now": round(100 * now_has[kind] / now_has["orders"]),
                    "before": round(100 * had[kind] / had["orders"]),
                }
                for kind in KINDS
            }
            fell = {
                kind: seen
                for kind, seen in fell.items()
                if seen["before"] - seen["now"] >= look.rules.match_drop_points
            }
            if fell:
                yield self.of_counter(counters[pk], orders=now_has["orders"], fell=fell)

    def sentence(self, facts: Facts) -> str:
        parts = [
            _now("%(kind)s: %(now)s%%, %(before)s%% in the week before")
            % {"kind": NAMES[kind], "now": seen["now"], "before": seen["before"]}
            for kind, seen in facts["fell"].items()
        ]
        told = _now("Of %(n)s orders created in the last 24 hours fewer have identifiers.") % {"n": facts["orders"]}
        return f"{told} {'; '.join(parts)}."

    def page(self, alert: Alert) -> str:
        return f"{reverse('admin:orders_order_changelist')}?counter__id__exact={alert.counter_id}"


def _sample(start: datetime, end: datetime, size: int) -> Sample:
    orders: QuerySet[Order] = Order.objects.filter(
        counter=OuterRef("pk"), create_date_time__gte=start, create_date_time__lt=end
    )
    marks = {
        f"has_{kind}": Case(When(_has(keys), then=Value(1)), default=Value(0), output_field=IntegerField())
        for kind, keys in KINDS.items()
    }
    return Sample(orders.order_by("-create_date_time").values(**marks)[:size])


def _has(keys: tuple[str, ...]) -> Q:
    """The order's own identifiers, or its client's: what a row would carry (R5)."""
    return Q(identifiers__has_any_keys=keys) | Q(client__identifiers__has_any_keys=keys)


def _read(texts: list[str]) -> dict[str, int]:
    """Sums of samples by name."""
    sums = dict.fromkeys(("orders", *KINDS), 0)
    for text in texts:
        for name, value in zip(sums, text.split(), strict=True):
            sums[name] += int(value)
    return sums
