"""Pages of upload jobs, and what uploads add to the pages of counters and orders."""

from django.contrib import admin

from apps.counters import panels as counter_pages
from apps.counters.ui.acts import offer
from apps.orders import panels as order_pages
from apps.orders.models import Order
from apps.uploads.admin_pages import facts, going_on
from apps.uploads.admin_pages.acts import CANCEL, RETRY, UPLOAD_COUNTER, UPLOAD_ORDER, UPLOAD_ORDERS
from apps.uploads.admin_pages.job import UploadJobAdmin
from apps.uploads.admin_pages.mode import TO_DETAILED, TO_SIMPLE, detailed_panel
from apps.uploads.admin_pages.recent import recent_jobs_panel
from apps.uploads.admin_pages.rejected import RETRY_REJECTED, JobFilter
from apps.uploads.admin_pages.sent_row import sent_row
from apps.uploads.admin_pages.workers import HeartbeatAdmin
from apps.uploads.models import Heartbeat, UploadJob
from apps.uploads.panels import next_pages

offer(UploadJob, CANCEL, RETRY, RETRY_REJECTED)
order_pages.rejected_filters.append(JobFilter)
order_pages.change_filters.append(JobFilter)
offer(Order, UPLOAD_ORDER)
counter_pages.counter_actions(UPLOAD_COUNTER, TO_DETAILED, TO_SIMPLE)
counter_pages.counter_panels.extend([detailed_panel, recent_jobs_panel])
order_pages.order_bulk_acts.append(UPLOAD_ORDERS)
order_pages.upload_facts.append(facts.of_uploads)
order_pages.resend_facts.append(facts.of_resends)
order_pages.sent_rows.append(sent_row)
next_pages.extend([going_on.upload_now, going_on.dry_run])
admin.site.register(UploadJob, UploadJobAdmin)
admin.site.register(Heartbeat, HeartbeatAdmin)
