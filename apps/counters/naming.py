"""What the counters of an agency are called, for who chooses among them or reads which were chosen."""

from collections.abc import Collection, Mapping

from apps.counters.models import Counter


def names_of(agency_id: int) -> list[tuple[int, str]]:
    """Metrica's number and a text of each counter of the agency, by their names. One query."""
    rows = Counter.objects.filter(agency=agency_id).order_by("name", "metrica_id").values_list("metrica_id", "name")
    return [(number, _text(number, name)) for number, name in rows]


def named(wanted: Mapping[int, Collection[int]]) -> dict[tuple[int, int], str]:
    """By agency and number the texts of these; what is not there is left out. One query."""
    numbers = {number for some in wanted.values() for number in some}
    rows = Counter.objects.filter(agency__in=wanted, metrica_id__in=numbers).order_by()
    found = rows.values_list("agency", "metrica_id", "name")
    return {(agency, number): _text(number, name) for agency, number, name in found}


def _text(number: int, name: str) -> str:
    return f"{name} · {number}"
