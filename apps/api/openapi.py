"""How endpoints describe themselves: OpenAPI from the same typed shapes that build the answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import resolve_type_hint
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from apps.api.error_docs import problem_example
from apps.api.paging import DEFAULT_LIMIT, MAX_LIMIT
from apps.api.problems import CONTENT_TYPE, ProblemShape

Schema = dict[str, Any]
View = TypeVar("View", bound=Callable[..., Any])

TEXT: Schema = {"type": "string"}
SHORT_TEXT: Schema = {"type": "string", "maxLength": 255}
GOAL_ID: Schema = {"type": "string", "pattern": '^[^/\\\\&#?=",\\x00-\\x1f]{1,255}$'}
MONEY: Schema = {"type": "string", "format": "decimal", "example": "5000.00"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
NUMBER_OF_COUNTER: Schema = {"type": "integer", "minimum": 0, "maximum": 999999999999999999}

JSON = "application/json"
_REQUEST_ID = "The id under which the log has this request; the same as in problems. Send one to choose it."

_ERRORS = {
    400: "Something in the request does not fit; errors says what and where.",
    401: "No key, or one that opens nothing.",
    403: "The key lacks the scope.",
    404: "Not there, or not yours.",
    409: "The state of the thing forbids it now.",
    411: "The request does not say how long it is.",
    412: "The thing has changed since: its ETag is another than If-Match names.",
    413: "Too much at once.",
    415: "Another kind of body than this address takes.",
    429: "More than the key may do in a minute; Retry-After says how long to wait.",
    502: "Metrica refused, or its answer was lost; code and next_step say what it said.",
    503: "Metrica does not take this now; try later.",
}


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "apps.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        return {"type": "http", "scheme": "bearer", "description": "An API key with the scope read or write."}


def require_bodies(result: Schema, **_details: Any) -> Schema:
    """A hook of drf-spectacular, which leaves it open whether a body that is described by a schema must be there. It
    must, but for acts that have nothing to say."""
    for operations in result["paths"].values():
        for operation in operations.values():
            for described in operation.get("requestBody", {}).get("content", {}).values():
                if described["schema"].keys() - {"type", "additionalProperties"}:
                    operation["requestBody"]["required"] = True
    return result


def of(shape: Any) -> Schema:
    """The schema of a TypedDict, a list of them, a Literal …"""
    schema: Schema = resolve_type_hint(shape)
    return schema


def page_of(shape: Any) -> Schema:
    return {
        "type": "object",
        "properties": {
            "results": {"type": "array", "items": of(shape)},
            "next": {"type": "string", "format": "uri", "nullable": True},
        },
        "required": ["results", "next"],
    }


def query(name: str, description: str, *, values: Sequence[str] = (), kind: Any = str) -> OpenApiParameter:
    """`kind`: a type, or a schema."""
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description, enum=list(values) or None)


PAGE_PARAMETERS = (
    query("cursor", "Where the page begins: take the address in `next` as it is."),
    query(
        "limit",
        f"Rows on a page, 1 to {MAX_LIMIT}; {DEFAULT_LIMIT} if left out.",
        kind={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
)


_REPEATING = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="1 to 255 printable ASCII characters. The same request with the same key acts once and is answered the "
    "same for 24 hours; another request with it is 409.",
)
STREAMED = "application/x-ndjson"


def example(name: str, value: Any, *, status: int | None = None, kind: str = JSON) -> OpenApiExample:
    """An example of the request's body, or of the answer with this status."""
    if status is None:
        return OpenApiExample(name, value=value, request_only=True, media_type=kind)
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)], media_type=kind)


def header(
    name: str, description: str, *, statuses: Sequence[int] | None = None, required: bool = False
) -> OpenApiParameter:
    """A header of the answers with these statuses; without any, of the request."""
    of_answers = False if statuses is None else [str(status) for status in statuses]
    return OpenApiParameter(
        name, str, OpenApiParameter.HEADER, description=description, response=of_answers, required=required
    )


def described(
    *,
    name: str,
    summary: str,
    description: str = "",
    answers: Mapping[int, Schema | None],
    errors: Sequence[int] = (404,),
    body: Schema | None = None,
    form: Schema | None = None,
    kind: str = JSON,
    parameters: Sequence[OpenApiParameter] = (),
    examples: Sequence[OpenApiExample] = (),
    tags: Sequence[str] = (),
    exclude: bool = False,
    streamed: tuple[Schema, Schema] | None = None,
    repeats: bool = True,
) -> Callable[[View], View]:
    """What an operation takes and gives. `name`: how generated clients call it. `form`: a body of multipart/form-data;
    `kind`: of the answers. To `errors` come 401, 403 and 429, and for what writes what may be said of an
    Idempotency-Key, each with an example of its own. `streamed`: a line in, and a line of the answer, of operations
    that take lines as well; `repeats`: whether an Idempotency-Key can be kept to."""
    responses: dict[Any, Any] = {
        (status, kind) if schema else status: OpenApiResponse(schema, description=summary if schema else "No body.")
        for status, schema in answers.items()
    }
    bodies = {kind: schema for kind, schema in ((JSON, body), ("multipart/form-data", form)) if schema is not None}
    if streamed is not None:
        bodies[STREAMED], responses[200, STREAMED] = streamed

    def decorated(view: View) -> View:
        writes = view.__name__ in ("post", "put", "patch")
        wrong = sorted({401, 403, 429, *errors, *((400, 409) if writes else ())})
        for status in wrong:
            responses[status, CONTENT_TYPE] = OpenApiResponse(of(ProblemShape), description=_ERRORS[status])
        told = [*answers, *wrong]
        decorate = extend_schema(
            operation_id=name or None,
            summary=summary,
            description=description or summary,
            request=bodies or None,
            responses=responses,
            parameters=[
                *parameters,
                *([_REPEATING] if writes and repeats else []),
                header("X-Request-ID", _REQUEST_ID, statuses=told),
            ],
            examples=[*examples, *(problem_example(status) for status in wrong)],
            tags=list(tags) or None,
            exclude=exclude,
        )
        return decorate(view)

    return decorated
