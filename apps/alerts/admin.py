"""Pages of alerts, of the ways to people, and of the rules."""

from django.contrib import admin

from apps.alerts.admin_pages.alert import MUTE, UNMUTE, AlertAdmin
from apps.alerts.admin_pages.channel import FIND_CHAT, NEW_SECRET, TEST, ChannelAdmin
from apps.alerts.admin_pages.rules import AlertRulesAdmin
from apps.alerts.models import Alert, AlertRules, Channel
from apps.counters.ui.acts import offer

offer(Alert, MUTE, UNMUTE)
offer(Channel, TEST, FIND_CHAT, NEW_SECRET)
admin.site.register(Alert, AlertAdmin)
admin.site.register(Channel, ChannelAdmin)
admin.site.register(AlertRules, AlertRulesAdmin)
