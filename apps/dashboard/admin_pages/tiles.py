"""What the comparison adds to the pages of counters and upload jobs."""

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from apps.agencies.links import page_of
from apps.counters.models import Counter
from apps.dashboard.admin_pages.comparison import percent, tone_of
from apps.dashboard.models import Comparison
from apps.uploads.panels import NextPage


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


def comparison_page(request: HttpRequest, counter: Counter) -> NextPage | None:
    """What Metrica's reports say of what was delivered. No query: every counter has such a page."""
    url = page_of(request, Comparison(counter=counter))
    return NextPage(_("Compare with Metrica"), url, "balance") if url else None
