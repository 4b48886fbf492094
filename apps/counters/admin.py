"""Pages of accounts, counters and the ledger of calls."""

from django.contrib import admin

from apps.counters.admin_pages.account import MetricaAccountAdmin
from apps.counters.admin_pages.counter import CounterAdmin
from apps.counters.admin_pages.ledger import ApiCallAdmin
from apps.counters.models import ApiCall, Counter, MetricaAccount

admin.site.register(MetricaAccount, MetricaAccountAdmin)
admin.site.register(Counter, CounterAdmin)
admin.site.register(ApiCall, ApiCallAdmin)
