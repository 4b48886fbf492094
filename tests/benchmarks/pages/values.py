"""What people look for and choose, taken from the rows that are there: of each kind one that is found, and one that is
not."""

from collections import Counter as Tally
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Model, QuerySet
from django.utils import timezone

from apps.agencies.actor import Actor
from apps.agencies.merging import Parts, merged
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.orders.models import Order, StatusChange
from apps.uploads.models import Upload, UploadJob

NOTHING = "nobody-has-this"
KINDS = ("client_ids", "emails", "phones", "emails_md5", "phones_md5")


class Unknown(Exception):
    """Nobody has told what to put there."""


def searches(model: type[Model], rows: QuerySet[Any], actor: Actor) -> Iterator[tuple[str, str]]:
    """(kind, words) for the search of a list. `rows`: those that the list shows."""
    yield "nothing there", NOTHING
    label = model._meta.label
    if label in ("orders.Order", "clients.Client"):
        yield from _people(Order.objects.visible_to(actor), Client.objects.visible_to(actor), actor)
        if label == "orders.Order":
            order = _late(rows)
            yield "order id", order.order_id
            yield "beginning of an id", order.order_id[:3]
            yield "status", order.order_status
            yield "status nobody stands at", "Замер назначен"
        return
    first = rows.order_by("-pk").first()
    if first is None:
        return
    if isinstance(first, StatusChange):
        yield "order id", first.order.order_id
        yield "status", first.order_status
        yield "rare status", "Перезвонить"
    words = {
        "request_id": getattr(first, "request_id", ""),
        "name": getattr(first, "name", ""),
        "label": getattr(first, "label", ""),
        "object_label": getattr(first, "object_label", ""),
        "actor_label": getattr(first, "actor_label", ""),
        "metrica_id": str(getattr(first, "metrica_id", "")),
        "subject": str(getattr(first, "subject", "") or ""),
        "action": getattr(first, "action", "").partition(".")[0],
        "object_id": getattr(first, "object_id", ""),
        "event": str(getattr(first, "event_id", "") or ""),
        "id": str(first.pk),
    }
    for kind, text in words.items():
        if text and text != "None":
            yield kind, text


def _people(orders: QuerySet[Order], clients: QuerySet[Client], actor: Actor) -> Iterator[tuple[str, str]]:
    counters = Parts("counter", tuple(Counter.objects.visible_to(actor).values_list("pk", flat=True)))
    some = list(merged(orders.order_by("-pk"), counters, stop=400))
    for kind in KINDS:
        value = next((found[0] for order in some if (found := order.identifiers.get(kind))), "")
        if not value:
            continue
        yield kind, value
        if kind == "phones":
            yield "phone as people write it", f"8 ({value[1:4]}) {value[4:7]}-{value[7:9]}-{value[9:]}"
            yield "phone that nobody has", "+7 999 000-00-01"
    client = merged(clients.order_by("-pk"), counters, stop=1).first()
    if client is not None:
        yield "client id", client.uniq_id
        yield "beginning of a name", (client.name or "Anna")[:4]


def _late(rows: QuerySet[Any]) -> Any:
    return rows.order_by("-pk").first() or Order(order_id="1")


def choices(spec: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(which, parameters) for a filter of a list: each fixed choice, of many objects the first, middle and last."""
    names = [name for name in spec.expected_parameters() if name]
    kind = type(spec)
    if kind.__name__ in ("DayRangeFilter", "PeriodFilter") or any(name.endswith("_from") for name in names):
        yield from _periods(spec, names)
    elif getattr(spec, "lookup_choices", None):
        offered = [value for value, _label in spec.lookup_choices if value is not None]
        name = getattr(spec, "parameter_name", None) or getattr(spec, "lookup_kwarg", names[0])
        some = offered if len(offered) <= 12 else [offered[0], offered[len(offered) // 2], offered[-1]]
        for value in some:
            yield str(value), {name: value}
    elif getattr(spec, "field", None) is not None and spec.field.flatchoices:
        for value, _label in spec.field.flatchoices:
            yield str(value), {spec.lookup_kwarg: value}
    elif getattr(spec, "field", None) is not None and spec.field.get_internal_type() == "BooleanField":
        for value in ("1", "0"):
            yield value, {spec.lookup_kwarg: value}
    elif spec.parameter_name in TEXTS:
        for value in TEXTS[spec.parameter_name]():
            yield value, {spec.parameter_name: value}
    else:
        raise Unknown(f"the filter {kind.__name__} ({', '.join(names)})")


TEXTS: dict[str, Callable[[], list[str]]] = {
    "actor": lambda: ["owner@agency1.example", "manager", NOTHING],
    "action": lambda: ["counter.changed", "orders", NOTHING],
    "object_type": lambda: ["counters.counter", NOTHING],
    "object_id": lambda: [str(Counter.objects.order_by("pk").values_list("pk", flat=True).first()), NOTHING],
    "request_id": lambda: [
        str(UploadJob.objects.order_by("-pk").values_list("request_id", flat=True).first()),
        NOTHING,
    ],
    "client": lambda: [str(Client.objects.order_by("-pk").values_list("pk", flat=True).first()), "0"],
    "counter__id__in": lambda: [",".join(map(str, Counter.objects.order_by("pk").values_list("pk", flat=True)[:50]))],
    "goal": lambda: ["cdp_order_paid", "=own", NOTHING],
    "job": lambda: [str(UploadJob.objects.order_by("-pk").values_list("pk", flat=True).first())],
}


def _periods(spec: Any, names: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    today = timezone.localdate()
    name = spec.parameter_name
    split = any(each.endswith("_0") for each in names)
    for which, first, last in (
        ("yesterday", today - timedelta(days=1), today),
        ("a week a year ago", today - timedelta(days=372), today - timedelta(days=365)),
        ("all of a year", today - timedelta(days=365), today),
        ("before everything", today - timedelta(days=3000), today - timedelta(days=2000)),
    ):
        end = "_0" if split else ""
        yield which, {f"{name}_from{end}": first.strftime("%Y-%m-%d"), f"{name}_to{end}": last.strftime("%Y-%m-%d")}


def together(model: type[Model], actor: Actor) -> Iterator[tuple[str, dict[str, Any]]]:
    """Filters that people put together."""
    if model is not Order:
        return
    counter = Counter.objects.visible_to(actor).order_by("pk").values_list("pk", flat=True).first()
    today = timezone.localdate()
    year = {"create_date_time_from": today - timedelta(days=365), "create_date_time_to": today}
    chosen = {"counter__id__exact": counter}
    yield "one counter, a year", {**chosen, **year}
    yield "one counter, a status", {**chosen, "status": "PAID"}
    yield "one counter, something waits", {**chosen, "delivery": "waiting"}
    yield "a status, a year", {"status": "PAID", **year}
    yield "something rejected, a status", {"delivery": "rejected", "status": "PAID"}


def arguments(name: str, actor: Actor) -> list[tuple[str, list[Any]]] | None:
    """(which, values) for an address that wants something else than one object's key; None: it wants just that."""
    if name.endswith("uploadjob_file"):
        upload = Upload.objects.visible_to(actor).order_by("-pk").first()
        return [("", [upload.job_id, upload.pk])] if upload else []
    if name.endswith("orders_order_sent"):
        change = StatusChange.objects.visible_to(actor).filter(upload_id__isnull=False).order_by("-pk").first()
        return [("", [change.order_id, change.upload_id])] if change else []
    if "uploadjob_dry_run" in name:
        # The biggest counter, and one that has waited for weeks.
        counters = Counter.objects.visible_to(actor).order_by("pk")
        keys = {"": counters.first(), " (waits for weeks)": counters.filter(schedule="manual").first()}
        file = ["orders"] if name.endswith("_file") else []
        return [(which, [counter.pk, *file]) for which, counter in keys.items() if counter is not None]
    return None


def _dealer(actor: Actor) -> int | None:
    """The client that comes up most often among the newest orders of the first counter."""
    counter = Counter.objects.visible_to(actor).order_by("pk").first()
    newest = Order.objects.filter(counter=counter).order_by("-pk").values_list("client", flat=True)[:20_000]
    found = Tally(key for key in newest if key is not None)
    return found.most_common(1)[0][0] if found else None


def striking(model: type[Model], actor: Actor) -> Iterator[tuple[str, Any]]:
    """(which, primary key) of objects that are heavier than others of their kind."""
    rows: Any
    if model is Counter:
        rows = Counter.objects.visible_to(actor)
        yield "the first", rows.order_by("pk").values_list("pk", flat=True).first()
    if model is Order:
        rows = Order.objects.visible_to(actor)
        yield "the oldest", rows.order_by("pk").values_list("pk", flat=True).first()
    if model is Client:
        rows = Client.objects.visible_to(actor)
        yield "the oldest", rows.order_by("pk").values_list("pk", flat=True).first()
        yield "of one order in a thousand", _dealer(actor)
    if model is UploadJob:
        yield (
            "failed",
            UploadJob.objects.visible_to(actor)
            .filter(state="failed")
            .order_by("-pk")
            .values_list("pk", flat=True)
            .first(),
        )
