"""What this app tells whoever listens; apps below subscribe in their AppConfig."""

from django.dispatch import Signal

# A counter's settings, account, mapping or goals changed so that held orders may be free now.
# Sent with: counter (Counter).
counter_changed = Signal()
