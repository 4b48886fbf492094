"""Pages of webhooks and of the log of what was sent."""

from django.contrib import admin

from apps.hooks.admin_pages.delivery import DeliveryAdmin
from apps.hooks.admin_pages.endpoint import EndpointAdmin
from apps.hooks.models import Delivery, Endpoint

admin.site.register(Endpoint, EndpointAdmin)
admin.site.register(Delivery, DeliveryAdmin)
