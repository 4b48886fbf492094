"""What this app tells whoever listens; apps below subscribe in their AppConfig."""

from django.dispatch import Signal

# At the end of each tick, outside any transaction: time for other sweepers. Sent with: now (aware).
ticked = Signal()

# An upload job ended, however it did: sent in the transaction that ends it. Sent with: job (UploadJob).
job_finished = Signal()
