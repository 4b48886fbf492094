"""Kinds of goals and of their conditions (addGoal page)."""

CONDITION_TYPES = ("exact", "contain", "start", "regexp")

# Kinds that people make, with what each must have besides its name. Further kinds appear by themselves.
GOAL_TYPES: dict[str, str] = {
    "action": "conditions",
    "url": "conditions",
    "number": "depth",
    "step": "steps",
    "phone": "",
    "email": "",
    "payment_system": "",
    "messenger": "conditions",
    "file": "conditions",
    "search": "conditions",
    "social": "conditions",
    "visit_duration": "duration",
}
FLAGS = ("", "basket", "order")
