"""What this app tells whoever listens; apps below subscribe in their AppConfig."""

from django.dispatch import Signal

# A counter's settings, account, mapping or goals changed so that held orders may be free now.
# Sent with: counter (Counter).
counter_changed = Signal()

# The goals of a counter were read along with it; sent in the transaction that makes the counter.
# Sent with: counter (Counter), goals (list of apps.metrica.client.GoalInfo).
goals_read = Signal()

# Metrica has not answered several calls in a row, and is not asked for a while; and: it answers again. Sent after the
# commit, once for each, by whichever process saw it.
# Sent with: host (of Metrica), account (MetricaAccount, or None where no account there gets an answer), since (aware:
# when the first call failed), code (of the last failure).
metrica_unreachable = Signal()
metrica_reachable = Signal()
