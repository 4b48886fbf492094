"""The one gate between an agency and the rest: `visible_to()` (R11). It fails closed."""

from typing import Any, ClassVar, Self, TypeVar

from django.db import models

from apps.agencies.actor import Actor

M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M]):
    """A queryset that knows the way from its rows to their agency, and to their counter where they have one.

    `agency_path`: lookup of the agency's key; `counter_path`: lookup of Metrica's counter number, empty where the
    model has none (whoever is limited to counters then sees nothing of it).
    """

    agency_path: ClassVar[str] = "agency_id"
    counter_path: ClassVar[str] = ""

    def visible_to(self, actor: Actor | None) -> Self:
        if actor is None or (actor.agencies is not None and not actor.agencies):
            return self.none()
        rows = self
        if actor.agencies is not None:
            rows = rows.filter(**{f"{self.agency_path}__in": actor.agencies})
        if actor.counters is not None:
            if not self.counter_path:
                return self.none()
            rows = rows.filter(**{f"{self.counter_path}__in": actor.counters})
        return rows


def tenant_manager(*, agency_path: str = "agency_id", counter_path: str = "", base: Any = TenantQuerySet) -> Any:
    """A manager over `base` whose rows find their agency by `agency_path`."""
    queryset: Any = type(base.__name__, (base,), {"agency_path": agency_path, "counter_path": counter_path})
    return queryset.as_manager()


def counter_path_of(model: type[models.Model]) -> str:
    """The way from a model's rows to the number of their counter; empty where they have none."""
    return getattr(model._default_manager.all(), "counter_path", "")


def counter_of(obj: models.Model) -> int | None:
    """The number of the counter that the object is, or belongs to; None where it has none."""
    value: Any = obj
    for name in counter_path_of(obj._meta.model).split("__"):
        value = getattr(value, name, None) if name else None
    return value
