"""What this app tells whoever listens; apps below subscribe in their AppConfig."""

from django.dispatch import Signal

# A counter's settings, account, mapping or goals changed so that held orders may be free now.
# Sent with: counter (Counter).
counter_changed = Signal()

# The goals of a counter were read along with it; sent in the transaction that makes the counter.
# Sent with: counter (Counter), goals (list of apps.metrica.client.GoalInfo).
goals_read = Signal()
