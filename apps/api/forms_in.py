"""Files in: a form (multipart/form-data), read once; whatever is no good form is refused with a code."""

from collections.abc import Collection, Mapping
from typing import IO, Any

from django.core.exceptions import TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.http import UnreadablePostError
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import DataAndFiles, MultiPartParser
from rest_framework.request import Request

from apps.api import bodies
from apps.api.base import is_plain
from apps.api.problems import FieldError, Problem, bad_request, field_error, invalid

_ROOM_FOR_THE_REST = 1024 * 1024  # bytes of a form besides its file
_SEND_A_FORM = _("Send a form (multipart/form-data) with the file in its field “file”.")


class FormParser(MultiPartParser):
    """Raises a Problem (400)."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> "DataAndFiles[Any, Any]":
        try:
            return super().parse(stream, media_type, parser_context)
        except ParseError:
            raise bad_request("malformed_form", _("The body is no form."), _SEND_A_FORM) from None
        except UnreadablePostError:
            raise bodies.cut_off() from None
        except (TooManyFieldsSent, TooManyFilesSent):
            raise bad_request("too_many_fields", _("The form has too many fields."), _SEND_A_FORM) from None


def read_form(
    request: Request, *, fields: Collection[str], most: int, too_large: Problem
) -> tuple[UploadedFile, dict[str, str]]:
    """(the file, the other fields that are filled in) of a form with one field “file” and any of `fields`.

    `most`: bytes that the file may have; `too_large` is raised where the request announces more, before it is read.
    Raises a Problem: 400, 411, 413, 415.
    """
    if bodies.is_chunked(request._request):
        raise bodies.unknown_length()
    if request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower() not in ("", "identity"):
        raise Problem(
            status=415,
            code="unsupported_content_encoding",
            message=_("A compressed form is not taken here."),
            next_step=_("Send it plain, without Content-Encoding."),
        )
    if bodies.length(request._request) > most + _ROOM_FOR_THE_REST:
        raise too_large
    if not bodies.is_there(request._request):
        raise bad_request("empty_body", _("The body is empty."), _SEND_A_FORM)
    try:
        texts, files = request.POST, request.FILES
    except UnsupportedMediaType:
        message = _("This kind of body is not taken here.")
        raise Problem(status=415, code="unsupported_media_type", message=message, next_step=_SEND_A_FORM) from None
    errors: list[FieldError] = []
    given: dict[str, str] = {}
    known = _("Choose of: %(known)s.") % {"known": ", ".join(["file", *fields])}
    for name, values in [*texts.lists(), *files.lists()]:
        where = name[:100]
        if name not in ("file", *fields):
            errors.append(field_error(where, "unknown_field", _("There is no such field here."), known))
        elif len(values) > 1:
            errors.append(field_error(where, "repeated_field", _("Write this field once.")))
        elif isinstance(values[0], UploadedFile):
            if name != "file":
                errors.append(field_error(where, "not_a_text", _("This must be a text.")))
        elif name == "file":
            message = _("This must be a file, with a name.")
            errors.append(field_error(where, "not_a_file", message, _("With curl: -F file=@orders.csv")))
        elif not is_plain(values[0]):
            errors.append(field_error(where, "bad_text", _("This text holds characters that cannot be kept.")))
        elif values[0].strip() or values[0] == "\t":
            given[name] = values[0]
    file = files.get("file")
    if file is None and not any(error["field"] == "file" for error in errors):
        errors.append(field_error("file", "required", _("Send the file in the field “file”.")))
    if errors:
        raise invalid(errors)
    return file, given
