"""Actions in lists: who may, does it; to everybody else's rows, and by everybody else, nothing happens (R11)."""

from typing import Any

import pytest

from apps.orders.models import Order, StatusChange
from apps.uploads.models import UploadJob
from tests.admin.access import found
from tests.admin.access.asking import Visitor, changed, everything, undone
from tests.admin.access.table import ACTIONS
from tests.admin.access.who import DOES, NOTHING, OK, PEOPLE
from tests.admin.access.world import World


def test_every_action_has_its_line():
    missing = set(found.actions()) - set(ACTIONS)
    assert not missing, (
        "say in ACTIONS (tests/admin/access/table.py) who may, and an object that it does something to: "
        + ", ".join(f'"{name}": Action(DO, OBJECTS["{name.split(".")[0]}"])' for name in sorted(missing))
    )
    gone = set(ACTIONS) - set(found.actions())
    assert not gone, f"take out of ACTIONS what is no action any more: {gone}"


@pytest.mark.parametrize("name", found.actions())
def test_who_does_it(world: World, name: str):
    """Chosen by its key, and once more by “all of the list”, which is all of one's own, whatever keys are said to have
    been asked about."""
    model, action = name.split(".")
    line, row = ACTIONS[name], ACTIONS[name].row(world.place)
    url, problems = f"/admin/{model.replace('_', '/', 1)}/", []
    known = ",".join(str(key) for key in type(row)._base_manager.values_list("pk", flat=True))
    for person in PEOPLE:
        meets, visitor = getattr(line.who, person), Visitor(person, world)
        for across in ("0", "1"):
            data = {"action": action, "_selected_action": str(row.pk), "index": "0", "select_across": across}
            data["_asked"] = known
            said = f"{name} by {person}, select_across={across}"
            with undone():
                before, full = everything(), _of_the_full_counter(world)
                answer = visitor.ask("POST", url, {**data, "_confirmed": "1", "why": "because"})
                touched = changed(before)
                # By “all”, who is limited to the other counter may do it to what is theirs.
                if person == "outside" and across == "1" and full == _of_the_full_counter(world):
                    touched = []
            if answer.met != (OK if meets in (DOES, NOTHING) else meets):
                problems.append(f"{said}: {answer.met}, and the table says: {meets.value}")
            if meets == DOES and not touched:
                problems.append(f"{said}: nothing was done")
            if meets != DOES and touched:
                problems.append(f"{said}: it changed {touched}")
            if answer.leaks:
                problems.append(f"{said}: it shows {answer.leaks}")
    assert not problems, "\n".join(["", *problems])


def _of_the_full_counter(world: World) -> list[Any]:
    counter = {"counter": world.place.counter}
    return [list(model.objects.filter(**counter).order_by("pk").values()) for model in (Order, StatusChange, UploadJob)]
