from typing import Any

from django.apps import AppConfig
from django.db import transaction
from django.utils.translation import gettext_lazy as _


def _review_holds_later(counter: Any, **_rest: Any) -> None:
    """A counter changed: what it holds is looked at again, by the worker, once the change is committed."""
    from django_q.tasks import async_task

    transaction.on_commit(lambda: async_task("apps.orders.tasks.review_holds", counter.pk), robust=True)


class OrdersConfig(AppConfig):
    name = "apps.orders"
    verbose_name = _("Orders")

    def ready(self) -> None:
        from apps.agencies.panels import finders
        from apps.counters.events import counter_changed
        from apps.orders.finding import orders_found

        finders.append(orders_found)
        counter_changed.connect(_review_holds_later, dispatch_uid="orders.review_holds")
