"""What this app tells whoever listens. The audit log does; agencies know nothing of it."""

from django.dispatch import Signal

# Sent inside the transaction of the act, with: action, agency (Agency | None), obj (model), before (dict | None),
# after (dict | None), actor (Actor).
acted = Signal()
