"""Checks that several services share. Each raises ValidationError."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.agencies.models import Role


def check_fields(**checks: Any) -> None:
    """Run a check for each field and raise all their complaints as one ValidationError."""
    errors: dict[str, ValidationError] = {}
    for field, check in checks.items():
        try:
            check()
        except ValidationError as error:
            errors[field] = error
    if errors:
        raise ValidationError({field: error.error_list for field, error in errors.items()})


def check_role(role: str) -> None:
    if role not in Role.values:
        message = _("Choose one of: %(choices)s.")
        raise ValidationError(message, code="invalid_choice", params={"choices": ", ".join(Role.values)})


def check_limit(role: str, counter_ids: list[int] | None) -> None:
    if counter_ids is None:
        return
    if not counter_ids:
        message = _("Choose at least one counter, or all of them.")
        raise ValidationError(message, code="none_chosen")
    checked_counters(counter_ids)
    if role == Role.OWNER:
        message = _("An owner has all counters. Name none, or choose another role.")
        raise ValidationError(message, code="owner_has_all")


def limit_of(counter_ids: Iterable[int] | None) -> list[int] | None:
    """The numbers as they are kept: each once, sorted. None is no limit; no number at all is a limit to nothing, which
    `check_limit` refuses."""
    return None if counter_ids is None else sorted(set(counter_ids))


def checked_counters(counter_ids: Iterable[int] | None) -> list[int] | None:
    if counter_ids is None:
        return None
    numbers = list(dict.fromkeys(counter_ids))
    if not numbers or any(type(number) is not int or number < 1 for number in numbers):
        message = _("Write the numbers of counters, or leave this empty for all of them.")
        raise ValidationError(message, code="invalid")
    return numbers
