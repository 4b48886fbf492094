"""Orders that wait for a person: held changes, and windows of Metrica that close meanwhile."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db.models import DateTimeField, Exists, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.alerts.causes.base import Cause, Facts, Finding, Look, holds_page, number, orders_page, when
from apps.alerts.models import Alert, Severity
from apps.counters.models import Counter
from apps.metrica import rules
from apps.orders import numbers
from apps.orders.hold_advice import sentence
from apps.orders.models import Delivery, HoldReason, Order, StatusChange
from apps.orders.numbers import CappedCount, CappedEarliest

LOOKED_AT = 2000
"""Open changes of a counter whose orders' windows are looked at, of each kind."""

OLDEST_AMONG = 200

NOT_TOLD = frozenset({HoldReason.FUTURE_DATE, HoldReason.BY_HAND, HoldReason.ACCOUNT_DISCONNECTED})
"""They go by themselves, are meant so, or have a cause of their own."""


def _open(delivery: Delivery, **more: Any) -> QuerySet[StatusChange]:
    return StatusChange.objects.filter(counter=OuterRef("pk"), delivery=delivery, **more).order_by()


class HoldsWaiting(Cause):
    code = "holds_waiting"
    title = _("Status changes are held")
    step = _("Open the holds: each reason has its remedy beside it.")

    def find(self, look: Look) -> Iterable[Finding]:
        """One look into index change_held_why for all counters; for those that hold something, at most a thousand index
        rows and `OLDEST_AMONG` rows a reason, in two queries more."""
        counters = {counter.pk: counter for counter in look.counters}
        holding = Counter.objects.filter(Exists(_open(Delivery.HELD)), pk__in=counters)
        keys = list(holding.order_by().values_list("pk", flat=True))
        if not keys:
            return
        counts = numbers.held_by_reason(keys)
        oldest = self._oldest(keys)
        late = look.now - timedelta(hours=look.rules.held_hours)
        for pk, reasons in counts.items():
            told: dict[str, dict[str, Any]] = {}
            for reason, count in reasons.items():
                since = oldest[pk].get(reason)
                if reason in NOT_TOLD or (count < look.rules.held_count and (since is None or since > late)):
                    continue
                told[reason] = {"count": count, "oldest": since.isoformat() if since else None}
            if told:
                yield self.of_counter(counters[pk], reasons=told)

    def _oldest(self, keys: list[int]) -> dict[int, dict[str, datetime | None]]:
        """{counter: {reason: the earliest receipt among some}}."""
        earliest = {
            f"at_{reason.value}": CappedEarliest(
                _open(Delivery.HELD, hold_reason=reason).values("received_at")[:OLDEST_AMONG]
            )
            for reason in HoldReason
            if reason not in NOT_TOLD
        }
        rows: QuerySet[Counter, Any] = Counter.objects.filter(pk__in=keys).order_by().values("pk", **earliest)
        return {row["pk"]: {name[3:]: at for name, at in row.items() if name != "pk"} for row in rows}

    def sentence(self, facts: Facts) -> str:
        parts = []
        for reason, told in sorted(facts["reasons"].items(), key=lambda item: -item[1]["count"]):
            count = number(told["count"], at_least=told["count"] >= numbers.LIMIT)
            text = _now("%(reason)s: %(count)s") % {"reason": HoldReason(reason).label, "count": count}
            if told["oldest"]:
                text = _now("%(text)s (since %(time)s)") % {"text": text, "time": when(told["oldest"])}
            parts.append(text)
        return "; ".join(parts) + "."

    def advice(self, facts: Facts) -> str:
        only = list(facts["reasons"])
        return str(sentence(only[0])) if len(only) == 1 else str(self.step)

    def page(self, alert: Alert) -> str:
        only = list(alert.facts["reasons"])
        return holds_page(alert, only[0] if len(only) == 1 else "")


class _WindowClosing(Cause):
    """Orders with changes that have not gone, whose window closes within some days."""

    severity = Severity.URGENT
    calm = timedelta(minutes=15)
    window: ClassVar[timedelta]
    never_sent: ClassVar[bool]

    def find(self, look: Look) -> Iterable[Finding]:
        """One look into indexes change_held_newest and change_waiting for all counters; for those with open changes at
        most `LOOKED_AT` of each kind and their orders by primary key, in one query; once more for those that are
        told."""
        counters = {counter.pk: counter for counter in look.counters}
        waits = Exists(_open(Delivery.HELD)) | Exists(_open(Delivery.WAITING))
        keys = list(Counter.objects.filter(waits, pk__in=counters).order_by().values_list("pk", flat=True))
        if not keys:
            return
        first = look.now - self.window
        closing = {
            "create_date_time__gt": first,
            "create_date_time__lte": first + timedelta(days=look.rules.window_days),
        }
        held = self._orders(Delivery.HELD).filter(**closing)
        waiting = self._orders(Delivery.WAITING).filter(~Exists(_of_order(Delivery.HELD)), **closing)
        counts = Counter.objects.filter(pk__in=keys).order_by()
        rows = counts.values_list(
            "pk",
            CappedCount(held.values("pk")[: numbers.LIMIT]),
            CappedCount(waiting.values("pk")[: numbers.LIMIT]),
        )
        found = {pk: of for pk, *of in rows if sum(of) >= look.rules.window_orders}
        earliest = Counter.objects.filter(pk__in=found).order_by()
        for pk, *times in earliest.values_list(
            "pk",
            _Earliest(held.values("create_date_time")[: numbers.LIMIT]),
            _Earliest(waiting.values("create_date_time")[: numbers.LIMIT]),
        ):
            closes = min(at for at in times if at is not None) + self.window
            facts = {"orders": sum(found[pk]), "held": found[pk][0], "closes": closes.isoformat()}
            yield self.of_counter(counters[pk], **facts)

    def _orders(self, delivery: Delivery) -> QuerySet[Order]:
        some = StatusChange.objects.filter(counter=OuterRef(OuterRef("pk")), delivery=delivery).order_by()
        orders = Order.objects.filter(pk__in=some.values("order_id")[:LOOKED_AT]).order_by()
        went = Exists(_of_order(Delivery.DELIVERED, Delivery.SENDING))
        return orders.filter(~went) if self.never_sent else orders.filter(went)

    def page(self, alert: Alert) -> str:
        return holds_page(alert) if alert.facts["held"] else orders_page(alert, "waiting")

    def numbers_of(self, facts: Facts) -> dict[str, str]:
        return {"n": number(facts["orders"], at_least=facts["orders"] >= numbers.LIMIT), "time": when(facts["closes"])}


class _Earliest(Subquery):
    """The earliest creation among the orders of a (sliced) query."""

    template = "(SELECT MIN(create_date_time) FROM (%(subquery)s) earliest)"
    output_field = DateTimeField()


def _of_order(*deliveries: Delivery) -> QuerySet[StatusChange]:
    return StatusChange.objects.filter(order=OuterRef("pk"), delivery__in=deliveries).order_by()


class BindingWindowClosing(_WindowClosing):
    code = "binding_window"
    title = _("Orders will soon be too old to be matched")
    step = _("Free what is held, or upload what waits, before that time: Metrica matches orders for 21 days.")
    window = rules.BINDING_WINDOW
    never_sent = True

    def sentence(self, facts: Facts) -> str:
        text = ngettext(
            "%(n)s order was never sent and will be too old for Metrica to match it with a visit, on %(time)s.",
            "%(n)s orders were never sent and will be too old for Metrica to match them with visits, the first on "
            "%(time)s.",
            facts["orders"],
        )
        return text % self.numbers_of(facts)


class UpdateWindowClosing(_WindowClosing):
    code = "update_window"
    title = _("Metrica will soon take no more changes of orders")
    step = _("Free what is held, or upload what waits, before that time: Metrica changes orders for 111 days.")
    window = rules.UPDATE_WINDOW
    never_sent = False

    def sentence(self, facts: Facts) -> str:
        text = ngettext(
            "%(n)s order has changed, but Metrica takes no more changes of it from %(time)s on.",
            "%(n)s orders have changed, but Metrica takes no more changes of them; the first closes on %(time)s.",
            facts["orders"],
        )
        return text % self.numbers_of(facts)
