"""Why an account is disconnected, kept as a code and told in the language of whoever reads it.

What a person wrote, and what was kept as a sentence before, stands as it is.
"""

from django.utils.translation import gettext as _

from apps.metrica import catalogue
from apps.metrica.catalogue import CATALOGUE, ErrorKind
from apps.metrica.errors import MetricaError

_SIGN = "metrica:"
_KINDS = {kind.code: kind for kind in [*CATALOGUE.values(), *vars(catalogue).values()] if isinstance(kind, ErrorKind)}


def refusal(error: MetricaError) -> str:
    """What `disconnect_account` keeps where Metrica refused the token: the error's code, and Metrica's own words."""
    return f"{_SIGN}{error.code}:{error.detail}"


def told(reason: str) -> str:
    """A kept reason as a sentence."""
    if not reason.startswith(_SIGN):
        return reason
    code, _colon, said = reason.removeprefix(_SIGN).partition(":")
    kind = _KINDS.get(code)
    why = f"{kind.message if kind else code}{f' ({said})' if said else ''}"
    return _("Metrica refused the token: %(why)s") % {"why": why}
