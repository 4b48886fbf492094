"""What every endpoint stands on: the actor, the counter that they may see (R11), strict bodies and parameters."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar, cast
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.agencies.actor import NOBODY, Actor
from apps.agencies.models import ApiKey
from apps.api import bodies, limits, repeating
from apps.api.compressing import compress
from apps.api.parsing import StrictJSONParser
from apps.api.problems import FieldError, bad_request, field_error, invalid, not_found
from apps.counters.models import Counter
from apps.metrica.dates import DateError, parse_any

MAX_COUNTER = 2**31 - 1
# A plus sign in a query means a space, so an offset often arrives without its sign.
_LOST_PLUS = re.compile(r"(T\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d:?\d\d)")


class JSONOnly(BaseContentNegotiation):
    """Answers are JSON whatever Accept says, so that an address can be opened in a browser too."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        wanted = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == wanted), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        renderer = cast(BaseRenderer, renderers[0])
        return renderer, renderer.media_type


class ApiView(APIView):
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    parser_classes = [StrictJSONParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = JSONOnly

    # False where it asks another host meanwhile: no transaction waits for that. Then it must be harmless to do twice.
    acts_in_one_transaction: ClassVar[bool] = True
    _standing: limits.Standing | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As the framework's, but that a method acts once for each Idempotency-Key."""
        self.args, self.kwargs = args, kwargs
        self.request = asked = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        response: HttpResponseBase
        try:
            self.initial(asked, *args, **kwargs)
            name = (asked.method or "").lower()
            handler = getattr(self, name, None) if name in self.http_method_names else None
            if handler is None:
                self.http_method_not_allowed(asked, *args, **kwargs)
            response = repeating.once(self, asked, lambda: self._rendered(handler(asked, *args, **kwargs)))  # type: ignore[misc]
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(asked, response, *args, **kwargs)
        return response

    def check_throttles(self, request: Request) -> None:
        """Raises a Problem (429)."""
        if isinstance(request.auth, ApiKey):
            self._standing = limits.enter(request.auth.pk)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        rendered: Any = self._rendered(response)
        response = super().finalize_response(request, rendered, *args, **kwargs)
        for name, value in limits.headers(self._standing).items() if self._standing is not None else ():
            response.headers.setdefault(name, value)
        compress(request._request, response)
        return response

    def _rendered(self, response: Any) -> HttpResponseBase:
        if isinstance(response, Response) and not response.is_rendered:
            super().finalize_response(self.request, response)
            response.render()
        return cast(HttpResponseBase, response)

    def may_repeat(self, request: Request) -> None:
        """Raise a Problem (400) where an Idempotency-Key cannot be kept to."""

    def takes_rows(self, number: int) -> None:
        """Count so many rows, of orders or clients, for the key. Raises a Problem (429)."""
        if isinstance(self.request.auth, ApiKey):
            limits.take(self.request.auth.pk, number)

    @property
    def actor(self) -> Actor:
        return self.request.user if isinstance(self.request.user, Actor) else NOBODY

    def counter(self, metrica_id: int, *, alone: bool = False) -> Counter:
        """The counter with its agency and account (or `alone`), if the key may see it. One query. Raises a Problem
        (404)."""
        found = None
        if metrica_id <= MAX_COUNTER:
            counters = Counter.objects.visible_to(self.actor).filter(metrica_id=metrica_id).order_by()
            # A number is an agency's only once, so nothing needs to be sorted.
            found = next(iter((counters if alone else counters.select_related("agency", "account"))[:1]), None)
        if found is None:
            raise not_found(_("There is no counter %(number)s.") % {"number": str(metrica_id)[:20]}, "unknown_counter")
        return found

    def payload(self) -> Any:
        """The parsed body. Raises a Problem (400, 411, 413) or UnsupportedMediaType (415)."""
        if bodies.is_chunked(self.request._request):
            raise bodies.unknown_length()
        if not bodies.is_there(self.request._request):
            raise bad_request("empty_body", _("The body is empty."), _("Send JSON."))
        return self.request.data

    def payload_object(self, *, known: Collection[str], required: Collection[str] = ()) -> dict[str, Any]:
        """The body as an object with these fields and no others. Raises a Problem (400)."""
        return checked_object(self.payload(), known=known, required=required)

    def no_payload(self) -> None:
        """An act without parameters takes an empty body or `{}`."""
        if bodies.is_there(self.request._request):
            self.payload_object(known=())

    def parameters(self, *known: str) -> dict[str, str]:
        """The query's parameters, each once, blank ones left out. Raises a Problem (400) for others."""
        found: dict[str, str] = {}
        errors: list[FieldError] = []
        for name, values in self.request.query_params.lists():
            if name not in known:
                message = _("There is no parameter “%(name)s” here.") % {"name": name[:100]}
                next_step = _("Choose of: %(known)s.") % {"known": ", ".join(known)} if known else ""
                errors.append(field_error(name[:100], "unknown_parameter", message, next_step))
            elif len(values) > 1:
                errors.append(field_error(name, "repeated_parameter", _("Write this parameter once.")))
            elif not is_plain(values[0]):
                errors.append(field_error(name, "bad_text", _("This text holds characters that cannot be kept.")))
            elif values[0].strip():
                found[name] = values[0].strip()
        if errors:
            raise invalid(errors)
        return found


def is_plain(text: str) -> bool:
    """True where both databases can hold the text: no NUL, no half surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def checked_object(value: Any, *, known: Collection[str], required: Collection[str] = ()) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad_request("not_an_object", _("The body must be a JSON object."), _("Write {…}."))
    errors = [
        field_error(name[:100], "unknown_field", _("There is no such field here."), _known(known))
        for name in value
        if name not in known
    ]
    errors += [field_error(name, "required", _("This field is required.")) for name in required if name not in value]
    if errors:
        raise invalid(errors)
    return value


def text_field(values: Mapping[str, Any], name: str, errors: list[FieldError], *, default: str = "") -> str:
    """A field that is a text, or left out or null. Anything else goes to `errors`."""
    value = values.get(name)
    if value is None:
        return default
    if isinstance(value, str) and is_plain(value):
        return value
    errors.append(field_error(name, "not_a_text", _("This must be a text.")))
    return default


def moment(text: str, *, field: str, zone: ZoneInfo | None) -> datetime:
    """A time out of the query: ISO 8601 or a CSV form, the counter's where it has no offset. Raises a Problem (400)."""
    try:
        return parse_any(_LOST_PLUS.sub(r"\1+\2", text), zone or ZoneInfo("UTC")).at
    except DateError as error:
        raise bad_request(error.code, error.message, field=field) from None


def choice(text: str, *, field: str, choices: Collection[str]) -> str:
    """One word of a list. Raises a Problem (400) that names the list."""
    if text not in choices:
        message = _("“%(text)s” is not possible here.") % {"text": text[:100]}
        raise bad_request("invalid_choice", message, _known(choices), field=field)
    return text


def _known(names: Collection[str]) -> Any:
    return _("Choose of: %(known)s.") % {"known": ", ".join(names)} if names else ""
