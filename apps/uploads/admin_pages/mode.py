"""The counter's mode on its page: switching it after having read what will happen, and how clients stand in detailed
mode."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.clients.models import Client
from apps.counters.models import Counter, CustomAttribute, Mode, Product
from apps.counters.ui.acts import Act, ActForm
from apps.orders.numbers import LIMIT
from apps.uploads.modes import Consequence, consequences, switch_mode


class DetailedForm(ActForm):
    template_after = "admin/uploads/switch.html"
    mode = Mode.DETAILED

    def consequences(self) -> list[Consequence]:
        return consequences(counter=self.obj, mode=self.mode)


class SimpleForm(DetailedForm):
    mode = Mode.SIMPLE


def _to_detailed(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    switch_mode(counter=counter, mode=Mode.DETAILED)
    return _now("The counter delivers in detailed mode now. Its clients go with the next upload, before their orders.")


def _to_simple(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    switch_mode(counter=counter, mode=Mode.SIMPLE)
    return _now("The counter delivers in simple mode now.")


TO_DETAILED = Act(
    name="to_detailed",
    title=_("Switch to detailed mode"),
    icon="schema",
    question=lambda request, counter: _(
        "Clients and orders will go to Metrica in files of their own, and each status under its own id. If you switch:"
    ),
    form=DetailedForm,
    do=_to_detailed,
    button=_("Switch"),
    shown=lambda request, counter: counter.mode == Mode.SIMPLE,
)
TO_SIMPLE = Act(
    name="to_simple",
    title=_("Switch to simple mode"),
    icon="schema",
    question=lambda request, counter: _(
        "Orders and their clients will go to Metrica in one file, and each status as its type. If you switch:"
    ),
    form=SimpleForm,
    do=_to_simple,
    button=_("Switch"),
    shown=lambda request, counter: counter.mode == Mode.DETAILED,
)


def detailed_panel(request: HttpRequest, counter: Counter) -> str:
    """Six cheap queries in detailed mode, none in simple mode."""
    if not counter.is_detailed:
        return ""
    clients = Client.objects.filter(counter=counter)
    context = {
        "counter": counter,
        "due": _at_most(clients.due()),
        "refused": list(clients.exclude(reject_code="").order_by("-id")[:20]),
        "crowded": list(clients.filter(crowded_at__isnull=False).order_by("-id")[:20]),
        "attributes": list(CustomAttribute.objects.filter(counter=counter)),
        "products": _at_most(Product.objects.filter(counter=counter)),
        "limit": LIMIT,
        "attributes_wait": counter.attributes_revision > counter.attributes_sent,
        "products_wait": counter.products_revision > counter.products_sent,
    }
    return render_to_string("admin/uploads/detailed.html", context, request=request)


def _at_most(rows: Any) -> int:
    return len(rows.order_by().values_list("pk")[:LIMIT])
