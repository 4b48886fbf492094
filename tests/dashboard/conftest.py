"""The same agencies as for the admin pages."""

from tests.admin.conftest import browser, login, other, place

__all__ = ["browser", "login", "other", "place"]
