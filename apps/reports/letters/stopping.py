"""The signed address at the end of each letter, by which its recipient stops it without a login."""

from django.core.signing import BadSignature, Signer
from django.urls import reverse

from apps.reports.models import Recipient


def path_of(recipient: Recipient) -> str:
    return reverse("report-letters", args=[_signer().sign(f"{recipient.pk}")])


def recipient_of(token: str) -> Recipient | None:
    """Whose address it is; None where it is nobody's. One query."""
    try:
        key = _signer().unsign(token)
    except BadSignature:
        return None
    rows = Recipient.objects.select_related("link__counter__agency__look")
    return rows.filter(pk=int(key)).first()


def _signer() -> Signer:
    return Signer(salt="apps.reports.letters")
