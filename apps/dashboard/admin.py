"""Pages of comparisons with Metrica, and what they add to the counter's page."""

from django.contrib import admin

from apps.counters import panels as counter_pages
from apps.counters.ui.acts import offer
from apps.dashboard.admin_pages.acts import COMPARE, COMPARE_COUNTER
from apps.dashboard.admin_pages.comparison import ComparisonAdmin
from apps.dashboard.admin_pages.identified import identified_panel
from apps.dashboard.admin_pages.marks import marks_of_work
from apps.dashboard.admin_pages.tiles import matched_tile
from apps.dashboard.models import Comparison

offer(Comparison, COMPARE)
counter_pages.counter_actions(COMPARE_COUNTER)
counter_pages.counter_tiles.append(matched_tile)
counter_pages.counter_panels.append(identified_panel)
counter_pages.counter_marks.append(marks_of_work)
admin.site.register(Comparison, ComparisonAdmin)
