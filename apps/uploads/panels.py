"""What the apps below put on the pages of this one: uploads know nothing of comparisons, their pages do."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest

from apps.counters.models import Counter
from apps.metrica.text import Text


@dataclass(frozen=True, slots=True)
class NextPage:
    """Where one goes on from a job, as admin/orders/fix.html draws it. `asks`: the address opens as a dialog."""

    button: Text
    url: str
    icon: str
    asks: bool = False


next_pages: list[Callable[[HttpRequest, Counter], NextPage | None]] = []
"""Pages about a counter that its jobs lead to; None where a page is closed to this person."""
