"""What this app tells whoever listens; apps below subscribe in their AppConfig."""

from django.dispatch import Signal

# Goalpost stopped calling an endpoint, which has to be mended by a person. Sent in the transaction that does so, with:
# endpoint (apps.hooks.models.Endpoint, as it is now), reason (apps.hooks.models.DisabledFor).
endpoint_disabled = Signal()
