"""Pages of receivers and of the log of what CRMs posted."""

from django.contrib import admin

from apps.receivers.admin_pages.post import PostAdmin
from apps.receivers.admin_pages.receiver import ReceiverAdmin
from apps.receivers.models import Post, Receiver

admin.site.register(Receiver, ReceiverAdmin)
admin.site.register(Post, PostAdmin)
