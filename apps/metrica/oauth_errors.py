"""Every refusal of Yandex OAuth as an error with a code, a sentence and a next step. Pages: code-url, screen-code,
refresh-client, token-invalidate.
"""

from collections.abc import Mapping
from enum import StrEnum

from apps.metrica.catalogue import ErrorKind
from apps.metrica.exceptions import (
    AccessDenied,
    AuthorizationError,
    InvalidRequest,
    NoAnswer,
    NotSent,
    QuotaExceeded,
    ServerError,
)
from apps.metrica.text import _


class Step(StrEnum):
    """What was asked of Yandex; the same refusal means different things in different steps."""

    CONSENT = "consent"
    EXCHANGE = "exchange"
    REFRESH = "refresh"
    REVOKE = "revoke"
    LOGIN = "login"


_AGAIN = _("Begin again with “Connect Yandex”.")
_RECONNECT = _("Connect the account again with “Connect Yandex”.")
_APP = _(
    "Compare YANDEX_CLIENT_ID and YANDEX_CLIENT_SECRET with the app's page at oauth.yandex.ru, correct them and "
    "restart Goalpost."
)
_SELF = _("Nothing needs to be done at once: it is tried again. If it stays so, check this machine's network.")

CODE_EXPIRED = ErrorKind(
    AuthorizationError,
    "code_expired",
    _("The code has expired: it lives ten minutes."),
    _AGAIN,
)
BAD_CODE = ErrorKind(
    AuthorizationError,
    "bad_verification_code",
    _("Yandex does not know this code: it is mistyped, or was used already."),
    _("Copy the code once more as Yandex shows it, or begin again with “Connect Yandex”."),
)
NO_GRANT = ErrorKind(
    AuthorizationError,
    "invalid_grant",
    _("Yandex does not renew the token: the access was revoked, or the password of the Yandex login was changed."),
    _RECONNECT,
)
REFUSED_BY_PERSON = ErrorKind(
    AccessDenied,
    "consent_refused",
    _("The access was refused on Yandex's page."),
    _("Begin again and confirm the access, with the login that has the counters."),
)
BAD_CLIENT = ErrorKind(
    InvalidRequest, "invalid_client", _("Yandex does not know this app, or its password is wrong."), _APP
)
UNAUTHORIZED_CLIENT = ErrorKind(
    InvalidRequest,
    "unauthorized_client",
    _("Yandex does not serve this app: it was refused or is still waiting for approval."),
    _("Look at the app's state at oauth.yandex.ru."),
)
BAD_SCOPE = ErrorKind(
    InvalidRequest,
    "invalid_scope",
    _("The app does not have the rights that are asked for."),
    _(
        "Give the app at oauth.yandex.ru the rights that YANDEX_SCOPES and YANDEX_OPTIONAL_SCOPES name, or name only "
        "those that it has."
    ),
)
BAD_REDIRECT = ErrorKind(
    InvalidRequest,
    "invalid_redirect",
    _("The address to come back to is not among the app's own."),
    _("Add the return address that “Connect Yandex” shows to the app at oauth.yandex.ru, or use the typed code."),
)
NOT_REVOCABLE = ErrorKind(
    InvalidRequest,
    "unsupported_token_type",
    _("Yandex takes back only tokens that were issued for a device, and this one was not."),
    _("Take the access away by hand: id.yandex.ru, “Data access”."),
)
BAD_REQUEST = ErrorKind(
    InvalidRequest,
    "oauth_refused",
    _("Yandex OAuth refused the call."),
    _("Begin again. If it stays so, report this with the versions of Goalpost and the words of Yandex."),
)
TOKEN_REFUSED = ErrorKind(
    AuthorizationError, "login_refused", _("Yandex does not say whose token this is."), _RECONNECT
)
OAUTH_REDIRECT = ErrorKind(
    InvalidRequest,
    "oauth_redirect",
    _("The address of Yandex OAuth answered with a redirect, which is not followed: secrets would go elsewhere."),
    _("Check YANDEX_OAUTH_URL and YANDEX_LOGIN_URL. Yandex's own are https://oauth.yandex.ru and "
      "https://login.yandex.ru/info."),
)  # fmt: skip
OAUTH_NOT_SENT = ErrorKind(
    NotSent, "oauth_not_sent", _("No connection to Yandex OAuth came about. Nothing was sent."), _SELF
)
OAUTH_NO_ANSWER = ErrorKind(NoAnswer, "oauth_no_answer", _("Yandex OAuth was asked and gave no usable answer."), _SELF)
OAUTH_SERVER = ErrorKind(ServerError, "oauth_server_error", _("Yandex OAuth has a fault on its side."), _SELF)
OAUTH_QUOTA = ErrorKind(QuotaExceeded, "oauth_quota", _("Yandex OAuth asks for fewer calls."), _SELF)

NOT_CONFIGURED = ErrorKind(
    InvalidRequest,
    "oauth_not_configured",
    _("Goalpost has no app at Yandex OAuth: YANDEX_CLIENT_ID and YANDEX_CLIENT_SECRET are not set."),
    _("Register an app at oauth.yandex.ru, write both into the environment or .env, and restart Goalpost."),
)
UNREADABLE = ErrorKind(
    InvalidRequest,
    "unreadable_secret",
    _("The kept token cannot be decrypted: a key is missing in ENCRYPTION_KEYS."),
    _("Put the key back into ENCRYPTION_KEYS and restart Goalpost, or connect the account again."),
)
WRONG_LOGIN = ErrorKind(
    AccessDenied,
    "wrong_login",
    _("The access was given by another login than this account's. Nothing was changed."),
    _("Switch the login on Yandex's page, or connect the other login as an account of its own."),
)
LOGIN_UNKNOWN = ErrorKind(
    AccessDenied,
    "login_unknown",
    _("Neither Yandex nor Metrica says whose access this is. Nothing was changed."),
    _("Begin again and write the Yandex login into the form."),
)

_BY_ERROR: Mapping[str, ErrorKind] = {
    "access_denied": REFUSED_BY_PERSON,
    "bad_verification_code": BAD_CODE,
    "invalid_client": BAD_CLIENT,
    "invalid_grant": NO_GRANT,
    "invalid_scope": BAD_SCOPE,
    "redirect_uri_mismatch": BAD_REDIRECT,
    "unauthorized_client": UNAUTHORIZED_CLIENT,
    "unsupported_token_type": NOT_REVOCABLE,
}
OAUTH_KINDS: tuple[ErrorKind, ...] = (
    *_BY_ERROR.values(),
    *(CODE_EXPIRED, BAD_REQUEST, TOKEN_REFUSED, OAUTH_REDIRECT),
    *(NOT_CONFIGURED, UNREADABLE, WRONG_LOGIN, LOGIN_UNKNOWN),
    *(OAUTH_NOT_SENT, OAUTH_NO_ANSWER, OAUTH_SERVER, OAUTH_QUOTA),
)


def kind_of(*, step: Step, status: int, error: str, description: str) -> ErrorKind:
    """What a refusal means. `error` and `description` are Yandex's own words, blank where it had none."""
    if 300 <= status < 400:
        return OAUTH_REDIRECT
    if status in (420, 429):
        return OAUTH_QUOTA
    if status >= 500:
        return OAUTH_SERVER
    if step is Step.EXCHANGE and error in ("invalid_grant", "bad_verification_code"):
        return CODE_EXPIRED if "expired" in description.lower() else BAD_CODE
    if step is Step.LOGIN and status in (400, 401, 403):
        return TOKEN_REFUSED
    if known := _BY_ERROR.get(error):
        return known
    if status == 401 and step is not Step.CONSENT:
        return BAD_CLIENT
    return OAUTH_NO_ANSWER if status < 300 else BAD_REQUEST
