"""The address that CRMs post to. Who has no right address learns nothing, not even whether there is one."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse, UnreadablePostError
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from apps.agencies.actor import Actor
from apps.audit import trace
from apps.receivers import accepting, addresses, bodies, limits, proofs


@csrf_exempt
def receive(request: HttpRequest, public_id: str, receiver_secret: str) -> HttpResponse:
    """200 once the post is kept. 404 for any address that is not right and open, and for a post that does not prove
    itself; 405, 411, 413 and 429 only to who has the address."""
    receiver = addresses.find(public_id, receiver_secret)
    if receiver is None:
        raise Http404
    trace.set_actor(Actor(kind="system", label=receiver.label))
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if limits.too_many(receiver):
        answer = _refused(429, "too_many", _("Too many posts in a minute. Send it again later."))
        answer.headers["Retry-After"] = "60"
        return answer
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        return _refused(411, "length_required", _("Send Content-Length instead of Transfer-Encoding: chunked."))
    try:
        body = _body(request)
    except UnreadablePostError:
        return _refused(400, "cut_off", _("The request broke off before its end. Send it again."))
    if body is None:
        return _refused(413, "too_large", _("The post is larger than is taken. Send fewer orders at a time."))
    content_type = request.META.get("CONTENT_TYPE", "")
    try:
        document = bodies.read(body, content_type=content_type)
    except bodies.BadBody:
        document = None
    code = proofs.refusal(receiver, body=body, document=document, headers=request.headers, query=request.GET.dict())
    if code:
        accepting.refuse(receiver, code)
        raise Http404
    post, repeated = accepting.keep(receiver, body=body, content_type=content_type, document=document)
    return _answer(200, {"accepted": True, "post": str(post.pk), "repeated": repeated})


def _body(request: HttpRequest) -> bytes | None:
    """None where it is larger than is taken."""
    most = settings.RECEIVER_MAX_BYTES
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not announced.isdecimal() or int(announced) > most:
        return None
    body = request.read(most + 1)
    return body if len(body) <= most else None


def _refused(status: int, code: str, message: str) -> HttpResponse:
    return _answer(status, {"accepted": False, "code": code, "message": message})


def _answer(status: int, content: dict[str, object]) -> HttpResponse:
    answer = JsonResponse(content, status=status, json_dumps_params={"ensure_ascii": False})
    answer.headers["Cache-Control"] = "no-store"
    return answer
