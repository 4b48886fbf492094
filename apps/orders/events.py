"""What this app tells whoever listens; uploads subscribe."""

from django.dispatch import Signal

# After the commit of accepted changes. Sent with: counter_id (primary key).
changes_accepted = Signal()
