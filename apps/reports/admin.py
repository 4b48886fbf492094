"""Pages of client reports, and what they add to the counter's page."""

from django.contrib import admin

from apps.counters import panels as counter_pages
from apps.counters.ui.acts import offer
from apps.reports.admin_pages.acts import NEW_ADDRESS, PROLONG, SEND_NOW, WITHDRAW
from apps.reports.admin_pages.link import ReportLinkAdmin
from apps.reports.admin_pages.look import AgencyLookAdmin
from apps.reports.admin_pages.panels import links_of_counter
from apps.reports.models import AgencyLook, ReportLink

offer(ReportLink, SEND_NOW, PROLONG, NEW_ADDRESS, WITHDRAW)
counter_pages.counter_panels.append(links_of_counter)
admin.site.register(ReportLink, ReportLinkAdmin)
admin.site.register(AgencyLook, AgencyLookAdmin)
