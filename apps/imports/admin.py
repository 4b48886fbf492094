"""Pages of imports, and what imports add to the pages of counters."""

from django.contrib import admin

from apps.counters import panels as counter_pages
from apps.counters.ui.acts import offer
from apps.imports.admin_pages.job import CANCEL, DISCARD, ImportJobAdmin
from apps.imports.admin_pages.recent import recent_imports_panel
from apps.imports.models import ImportJob

offer(ImportJob, CANCEL, DISCARD)
counter_pages.counter_panels.append(recent_imports_panel)
admin.site.register(ImportJob, ImportJobAdmin)
