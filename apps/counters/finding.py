"""Counters in the search everywhere."""

from django.db.models import Q
from django.urls import reverse

from apps.agencies.actor import Actor
from apps.agencies.panels import MOST_FOUND, Found
from apps.counters.models import Counter

_LONGEST_NUMBER = 18


def counters_found(actor: Actor, term: str) -> list[Found]:
    """Counters by a part of their name or site, or by their number. One query; an agency has some hundreds of them."""
    meant = Q(name__icontains=term) | Q(site__icontains=term)
    if term.isascii() and term.isdecimal() and len(term) <= _LONGEST_NUMBER:
        meant |= Q(metrica_id=int(term))
    rows = Counter.objects.visible_to(actor).filter(meant).order_by("name", "metrica_id")[:MOST_FOUND]
    return [
        Found(
            counter.name,
            " · ".join(filter(None, [str(Counter._meta.verbose_name), str(counter.metrica_id), counter.site])),
            reverse("admin:counters_counter_change", args=[counter.pk]),
            "speed",
        )
        for counter in rows
    ]
