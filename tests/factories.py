"""People, agencies and keys for tests. Everything real, nothing shared between tests."""

import itertools
from collections.abc import Iterable
from typing import Any

from apps.agencies import services
from apps.agencies.actor import Actor, system
from apps.agencies.keys import KeyRefused, admit
from apps.agencies.models import Agency, ApiKey, Membership, Role, User
from apps.counters.models import Counter, MetricaAccount
from apps.counters.services import connect_account, create_counter

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


def opened(text: str, *, address: str | None = None) -> ApiKey | None:
    """The key that this text is; None where it opens nothing."""
    try:
        return admit(text, address=address)
    except KeyRefused:
        return None


def make_account(agency: Agency | None = None, *, token: str = "y0_test", base_url: str = "") -> MetricaAccount:
    """A connected Metrica account."""
    return connect_account(
        agency=agency or make_agency(), login=f"login-{next(_numbers)}", token=token, base_url=base_url
    )


def make_counter(agency: Agency | None = None, *, account: MetricaAccount | None = None, **fields: Any) -> Counter:
    """A counter in Europe/Moscow that nothing blocks; `account=None` makes it a connected one."""
    agency = agency or (account.agency if account else make_agency())
    number = fields.pop("metrica_id", 50_000_000 + next(_numbers))
    return create_counter(
        agency=agency,
        metrica_id=number,
        name=fields.pop("name", f"Site {number}"),
        account=account or make_account(agency),
        **{"time_zone": "Europe/Moscow", **fields},
    )
