"""JavaScript goals of a counter: …/goals/, read from what Goalpost knows, made at Metrica."""

from decimal import Decimal, InvalidOperation
from typing import Any, TypedDict

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import answer_docs as docs
from apps.api.base import ApiView, text_field
from apps.api.openapi import GOAL_ID, SHORT_TEXT, Schema, described, example, of
from apps.api.problems import FieldError, field_error, invalid
from apps.counters.models import Counter
from apps.goals import sync
from apps.goals.goal_checks import goals_in_use, issues
from apps.goals.models import Goal, StatusMapping, StepState
from apps.metrica.client import GoalDraft

_MOST = Decimal(10) ** 14


class GoalShape(TypedDict):
    """`metrica_goal_id`: its number at Metrica, null while it is known from the mapping alone. `statuses`: CRM statuses
    that reach it. `issues`: codes of what is wrong with it, such as goal_deleted or goal_not_exact.
    """

    identifier: str
    name: str
    metrica_goal_id: int | None
    condition: str
    default_price: str | None
    is_favorite: bool
    statuses: list[str]
    issues: list[str]


class GoalListShape(TypedDict):
    results: list[GoalShape]


_FIELDS: dict[str, Schema] = {
    "identifier": {**GOAL_ID, "description": "What statuses and orders call it."},
    "name": {**SHORT_TEXT, "nullable": True, "description": "How Metrica shows it; the identifier if left out."},
    "default_price": {
        "oneOf": [
            {"type": "string", "pattern": r"^[0-9]{1,14}(\.[0-9]{1,4})?$"},
            {"type": "number", "minimum": 0, "maximum": 99999999999999, "multipleOf": 0.0001},
        ],
        "nullable": True,
        "example": "500.00",
    },
    "is_favorite": {"type": "boolean", "default": False, "nullable": True},
}
BODY: Schema = {"type": "object", "properties": _FIELDS, "required": ["identifier"], "additionalProperties": False}


class GoalsView(ApiView):
    acts_in_one_transaction = False

    @described(
        name="list_goals",
        summary="JavaScript goals",
        description="Those that Goalpost knows of: read at Metrica, or named by the mapping. With what reaches each, "
        "and what is wrong with it.",
        answers={200: of(GoalListShape)},
        examples=[example("One goal", docs.GOALS, status=200)],
        tags=["goals"],
    )
    def get(self, request: Request, metrica_id: int) -> Response:
        return Response({"results": _shapes(self.counter(metrica_id))})

    @described(
        name="create_goal",
        summary="Create a goal at Metrica",
        description="A “JavaScript event” with an exact match. 200 and nothing new where Metrica has it already.",
        body=BODY,
        answers={200: of(GoalShape), 201: of(GoalShape)},
        errors=[400, 404, 411, 413, 415, 502, 503],
        examples=[
            example("A good lead", {"identifier": "good_lead", "name": "Good lead", "is_favorite": True}),
            example("It was there already", docs.GOAL, status=200),
            example("It was made", docs.GOAL, status=201),
        ],
        tags=["goals"],
    )
    def post(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        draft = _read(self.payload_object(known=_FIELDS, required=["identifier"]))
        done = sync.create_goals(counter=counter, goals=[draft])
        shape = next(shape for shape in _shapes(counter) if shape["identifier"] == draft.identifier)
        return Response(shape, status=201 if done.created else 200)


def _shapes(counter: Counter) -> list[GoalShape]:
    """Three queries."""
    goals = {goal.identifier: goal for goal in Goal.objects.filter(counter=counter)}
    used = goals_in_use(StatusMapping.objects.filter(counter=counter))
    was_read = StepState.objects.filter(counter=counter, goals_read_at__isnull=False).exists()
    wrong: dict[str, list[str]] = {}
    for issue in issues(used=goals, goals=goals, was_read=was_read, now=timezone.now()):
        wrong.setdefault(issue.identifier, []).append(issue.code)
    return [
        {
            "identifier": goal.identifier,
            "name": goal.name,
            "metrica_goal_id": goal.metrica_goal_id,
            "condition": goal.condition,
            "default_price": None if goal.default_price is None else f"{goal.default_price:f}",
            "is_favorite": goal.is_favorite,
            "statuses": used.get(goal.identifier, []),
            "issues": wrong.get(goal.identifier, []),
        }
        for goal in goals.values()
    ]


def _read(values: dict[str, Any]) -> GoalDraft:
    """Raises a Problem (400)."""
    errors: list[FieldError] = []
    identifier = text_field(values, "identifier", errors).strip()
    name = text_field(values, "name", errors).strip()
    if not identifier and not errors:
        errors.append(field_error("identifier", "required", _("Write the goal's identifier.")))
    if len(name) > 255:
        errors.append(field_error("name", "max_length", _("Write at most 255 characters.")))
    favorite = values.get("is_favorite")
    if favorite not in (None, True, False) or (isinstance(favorite, (int, float)) and not isinstance(favorite, bool)):
        errors.append(field_error("is_favorite", "not_a_boolean", _("Write true or false.")))
    price = _price(values.get("default_price"), errors)
    if errors:
        raise invalid(errors)
    return GoalDraft(name=name or identifier, identifier=identifier, default_price=price, is_favorite=favorite is True)


def _price(value: Any, errors: list[FieldError]) -> Decimal | None:
    if value is None:
        return None
    try:
        price = Decimal(str(value)) if isinstance(value, (str, int, float, Decimal)) and value is not True else None
    except InvalidOperation:
        price = None
    if price is None or not price.is_finite() or not 0 <= price < _MOST or price != round(price, 4):
        message = _("Write an amount such as 500.00, not below zero, with at most four decimals.")
        errors.append(field_error("default_price", "bad_money", message))
        return None
    return price
