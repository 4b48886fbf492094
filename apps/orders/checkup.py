"""Steps of a counter's set-up that are about what came in."""

from collections.abc import Mapping, Sequence

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.counters.checkup import Finding, Level
from apps.counters.models import Counter
from apps.orders.models import Delivery, HoldReason, Order, StatusChange


def orders_step(counters: Sequence[Counter]) -> Mapping[int, Sequence[Finding]]:
    """One query for all of them."""
    held = StatusChange.objects.filter(
        counter=OuterRef("pk"), delivery=Delivery.HELD, hold_reason=HoldReason.UNMAPPED_STATUS
    )
    rows = Counter.objects.filter(pk__in=[counter.pk for counter in counters]).order_by()
    return {
        pk: [_orders_of(pk, came=came, unmapped=unmapped)]
        for pk, came, unmapped in rows.values_list(
            "pk", Exists(Order.objects.filter(counter=OuterRef("pk")).order_by()), Exists(held.order_by())
        )
    }


def _orders_of(counter: int, *, came: bool, unmapped: bool) -> Finding:
    title = _("Orders of the CRM")
    if not came:
        text = _("Not one has come in yet.")
        step = _("Let the CRM push them by REST, import a file, or add one by hand to see how it works.")
        return Finding("orders", title, Level.NEEDED, text, step, reverse("admin:orders_order_add"))
    if unmapped:
        text = _("Some came with a status that is not mapped; they are held.")
        url = f"{reverse('admin:orders_heldchange_changelist')}?counter__id__exact={counter}"
        reason = HoldReason.UNMAPPED_STATUS.value
        return Finding("orders", title, Level.NEEDED, text, _("Map these statuses."), f"{url}&reason={reason}")
    return Finding("orders", title, Level.DONE, _("They come in."))
