from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UploadsConfig(AppConfig):
    name = "apps.uploads"
    verbose_name = _("Uploads")

    def ready(self) -> None:
        from apps.orders import erasing, known
        from apps.orders.events import changes_accepted
        from apps.uploads.blanking import blank
        from apps.uploads.queueing import hide_queue_admin
        from apps.uploads.receivers import changes_were_accepted
        from apps.uploads.telling import uploads_of

        changes_accepted.connect(changes_were_accepted, dispatch_uid="uploads.changes_were_accepted")
        erasing.parts["uploads"] = blank
        known.more["uploads"] = uploads_of
        hide_queue_admin()
