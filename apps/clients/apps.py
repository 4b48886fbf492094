from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ClientsConfig(AppConfig):
    name = "apps.clients"
    verbose_name = _("Clients")

    def ready(self) -> None:
        from apps.agencies.panels import finders
        from apps.clients.blind import make_key
        from apps.clients.finding import clients_found

        finders.append(clients_found)
        post_migrate.connect(make_key, sender=self, dispatch_uid="clients.index_key")
