"""Filters, searches and autocompletes: whatever is asked of them, they find one's own (R11)."""

from typing import Any

import pytest

from apps.agencies.tenancy import counter_path_of
from tests.admin.access import found
from tests.admin.access.asking import Answer, Visitor
from tests.admin.access.table import ADDRESSES, AUTOCOMPLETES, FILTERS
from tests.admin.access.who import OK, PEOPLE
from tests.admin.access.world import MARK, World, asked

pytestmark = pytest.mark.django_db

MODELS = sorted(found.registered())
HIDDEN_FROM = ("outsider", "outside")


def list_of(model: str) -> str:
    return f"/admin/{model.replace('_', '/', 1)}/"


def reader_of(model: str) -> str:
    """Who sees all of the full agency's rows."""
    return "owner" if ADDRESSES[f"{model}_changelist"].get.owner == OK else "staff"


def readers_among(model: str, people: tuple[str, ...]) -> list[str]:
    return [person for person in people if getattr(ADDRESSES[f"{model}_changelist"].get, person) == OK]


def rows_of(model: str, world: World) -> set[Any]:
    """Keys of all that is the full agency's, and not at the counter of whoever is limited to the other one."""
    rows: Any = found.registered()[model].model._default_manager.all()
    if not hasattr(rows, "agency_path"):
        return {found.object_of(model, world.place).pk}
    rows = rows.filter(**{rows.agency_path: world.place.agency.pk})
    path = counter_path_of(rows.model)
    if path:
        rows = rows.filter(**{path: world.place.counter.metrica_id})
    return set(rows.values_list("pk", flat=True))


@pytest.mark.parametrize("model", MODELS)
def test_every_filter_has_its_line(model: str):
    offered, written = set(found.filters_of(model)), set(FILTERS.get(model, {}))
    missing = sorted(offered - written)
    assert not missing, (
        f'say in FILTERS["{model}"] (tests/admin/access/table.py) which values of '
        + ", ".join(missing)
        + " find something of the full agency, and which others there are"
    )
    assert not written - offered, f'take out of FILTERS["{model}"] what its list has no more: {written - offered}'


@pytest.mark.parametrize("model", [model for model in MODELS if model in FILTERS])
def test_filters_find_ones_own(world: World, model: str):
    theirs, problems = rows_of(model, world), []
    reader = Visitor(reader_of(model), world)
    strangers = [Visitor(person, world) for person in readers_among(model, HIDDEN_FROM)]
    for parameter, values in FILTERS[model].items():
        found_some = False
        for value in (asked(one, world.place) for one in values):
            query, where = {parameter: value}, f"{model}, {parameter}={value}"
            answer = reader.ask("GET", list_of(model), query)
            if answer.met != OK or "cl" not in (answer.raw.context or {}):
                problems.append(f"{where} by {reader.name}: {answer.met} {answer.raw.headers.get('Location')}")
                continue
            found_some = found_some or bool(theirs.intersection(answer.listed))
            for stranger in strangers:
                problems += _shown(
                    stranger.ask("GET", list_of(model), query), theirs, f"{model} by {stranger.name}, {query}"
                )
        if not found_some and not parameter.endswith("_1"):  # the times that go with the days `…_0`
            problems.append(f"no value of {parameter} in FILTERS finds something in {model}: then it shows nothing")
    assert not problems, "\n".join(["", *problems])


def _shown(answer: Answer, theirs: set[Any], said: str) -> list[str]:
    """What a stranger's list shows of the full agency. The page repeats words that were asked for."""
    if answer.met != OK:
        return [f"{said}: {answer.met}"]
    if "cl" in (answer.raw.context or {}):
        rows = theirs.intersection(answer.listed)
        repeats = MARK.lower() in said.lower()
        return [f"{said} shows {[*rows, *answer.leaks]}"] if rows or (answer.leaks and not repeats) else []
    return [f"{said} shows {answer.leaks}"] if answer.leaks else []


@pytest.mark.parametrize("model", MODELS)
def test_searches_find_ones_own(world: World, model: str):
    """By the name of a thing of the full agency, and by what stands in every text of it."""
    theirs, problems = rows_of(model, world), []
    obj = found.object_of(model, world.place)
    words = [str(obj), str(obj.pk), MARK, MARK.lower(), f"{MARK}-1", f"{MARK.lower()}@mail.example", f"{MARK}-client"]
    for person in readers_among(model, HIDDEN_FROM):
        stranger = Visitor(person, world)
        for word in words:
            shown = stranger.ask("GET", list_of(model), {"q": word})
            problems += _shown(shown, theirs, f"{model}, q={word} by {person}, and the page repeats {MARK}")
    assert not problems, "\n".join(["", *problems])


# ---- autocompletes ----

AUTOCOMPLETE = "/admin/autocomplete/"


def test_every_autocomplete_has_its_line():
    missing = set(found.autocompletes()) - set(AUTOCOMPLETES)
    assert not missing, "say in AUTOCOMPLETES (tests/admin/access/table.py) who gets answers: " + ", ".join(
        f'"{name}": EVERYBODY' for name in sorted(missing)
    )
    gone = set(AUTOCOMPLETES) - set(found.autocompletes())
    assert not gone, f"take out of AUTOCOMPLETES what no form has any more: {gone}"


@pytest.mark.parametrize("name", found.autocompletes())
def test_who_gets_answers(world: World, name: str):
    model, field = name.split(".")
    app, model_name = model.split("_", 1)
    query = {"app_label": app, "model_name": model_name, "field_name": field, "term": ""}
    target = found.name_of(found.registered()[model].model._meta.get_field(field).related_model)
    theirs, problems = rows_of(target, world), []
    for person in PEOPLE:
        answer = Visitor(person, world).ask("GET", AUTOCOMPLETE, query)
        if answer.met != getattr(AUTOCOMPLETES[name], person):
            problems.append(f"{name} by {person}: {answer.met}")
            continue
        if answer.met == OK:
            offered = {int(row["id"]) for row in answer.raw.json()["results"]}
            if person in HIDDEN_FROM and (theirs & offered or answer.leaks):
                problems.append(f"{name} offers {person} {theirs & offered} {answer.leaks}")
            if person not in HIDDEN_FROM and not theirs & offered:
                problems.append(f"{name} offers {person} nothing of their own")
    assert not problems, "\n".join(["", *problems])


def test_the_autocomplete_offers_nobodys_rows_by_any_relation(world: World):
    """Django answers for every relation to something that has pages, whether a form asks for it or not."""
    problems, rows = [], {model: {str(pk) for pk in rows_of(model, world)} for model in found.registered()}
    for person in ("anonymous", "no_agency", *HIDDEN_FROM, "analyst", "inside"):
        visitor = Visitor(person, world)
        for app, model, field, target in found.relations():
            closed = getattr(ADDRESSES[f"{target}_changelist"].get, person) != OK
            for term in ("", MARK, f"{MARK}-1"):
                query = {"app_label": app, "model_name": model, "field_name": field, "term": term}
                answer = visitor.ask("GET", AUTOCOMPLETE, query)
                results = answer.raw.json()["results"] if answer.raw.get("Content-Type") == "application/json" else []
                foreign = rows[target].intersection(str(row["id"]) for row in results)
                if (closed and results) or (person in HIDDEN_FROM and (foreign or answer.leaks)):
                    problems.append(f"{query} offers {person} {results}")
    assert not problems, "\n".join(["", *problems])
