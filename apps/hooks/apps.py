from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HooksConfig(AppConfig):
    name = "apps.hooks"
    verbose_name = _("Webhooks")

    def ready(self) -> None:
        from apps.hooks import recording, rounds
        from apps.orders.events import changes_settled
        from apps.uploads.events import job_finished, ticked

        changes_settled.connect(recording.changes_settled, dispatch_uid="hooks")
        job_finished.connect(recording.job_finished, dispatch_uid="hooks")
        ticked.connect(rounds.on_tick, dispatch_uid="hooks")
