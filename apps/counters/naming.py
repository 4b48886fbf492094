"""What the counters of an agency are called, for who chooses among them."""

from apps.counters.models import Counter


def names_of(agency_id: int) -> list[tuple[int, str]]:
    """Metrica's number and a text of each counter of the agency, by their names. One query."""
    rows = Counter.objects.filter(agency=agency_id).order_by("name", "metrica_id").values_list("metrica_id", "name")
    return [(number, f"{name} · {number}") for number, name in rows]
