"""Pages of comparisons with Metrica, and what they add to the pages of counters and upload jobs."""

from django.contrib import admin

from apps.counters import panels as counter_pages
from apps.counters.ui.acts import offer
from apps.dashboard.admin_pages.acts import COMPARE, COMPARE_COUNTER
from apps.dashboard.admin_pages.comparison import ComparisonAdmin
from apps.dashboard.admin_pages.identified import identified_panel
from apps.dashboard.admin_pages.marks import marks_of_work
from apps.dashboard.admin_pages.tiles import comparison_page, matched_tile
from apps.dashboard.models import Comparison
from apps.uploads.panels import next_pages

offer(Comparison, COMPARE)
counter_pages.counter_actions(COMPARE_COUNTER)
counter_pages.counter_tiles.append(matched_tile)
counter_pages.counter_panels.append(identified_panel)
counter_pages.counter_marks.append(marks_of_work)
next_pages.append(comparison_page)
admin.site.register(Comparison, ComparisonAdmin)
