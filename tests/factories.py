"""People, agencies and keys for tests. Everything real, nothing shared between tests."""

import itertools
from collections.abc import Iterable
from typing import Any

from apps.agencies import services
from apps.agencies.actor import Actor, system
from apps.agencies.models import Agency, ApiKey, Membership, Role, User

PASSWORD = "correct horse battery"
SYSTEM: Actor = system("tests")

_numbers = itertools.count(1)


def make_agency(slug: str = "", name: str = "") -> Agency:
    slug = slug or f"agency-{next(_numbers)}"
    return Agency.objects.create(slug=slug, name=name or slug.title())


def make_user(email: str = "", *, password: str = PASSWORD, **fields: Any) -> User:
    return User.objects.create_user(email or f"person{next(_numbers)}@example.com", password, **fields)


def make_staff(email: str = "", **fields: Any) -> User:
    """One of the platform's own staff."""
    return make_user(email, is_superuser=True, **fields)


def make_membership(agency: Agency | None = None, user: User | None = None, role: str = Role.OWNER) -> Membership:
    return Membership.objects.create(agency=agency or make_agency(), user=user or make_user(), role=role)


def make_member(agency: Agency, role: str = Role.OWNER, email: str = "") -> User:
    """A new person with that role in the agency."""
    return make_membership(agency, make_user(email), role).user


def make_key(
    agency: Agency | None = None, *, name: str = "", scopes: Iterable[str] = ("read", "write"), **fields: Any
) -> tuple[ApiKey, str]:
    """The key and its text, as `Authorization: Bearer <text>` takes it."""
    return services.create_api_key(
        actor=SYSTEM, agency=agency or make_agency(), name=name or f"key {next(_numbers)}", scopes=scopes, **fields
    )
