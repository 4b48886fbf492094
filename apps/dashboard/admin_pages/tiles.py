"""What the comparison adds to the pages of counters."""

from django.http import HttpRequest
from django.template.loader import render_to_string

from apps.counters.models import Counter
from apps.dashboard.admin_pages.comparison import percent, tone_of
from apps.dashboard.models import Comparison


def matched_tile(request: HttpRequest, counter: Counter) -> str:
    """The share that Metrica matched, with the comparison behind it. One query."""
    comparison = Comparison.objects.filter(counter=counter).first() or Comparison(counter=counter)
    context = {
        "counter": counter,
        "comparison": comparison,
        "matched": percent(comparison.matched),
        "tone": tone_of(comparison),
    }
    return render_to_string("admin/dashboard/tile.html", context, request=request)
