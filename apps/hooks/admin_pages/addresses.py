"""Pages of things with an address (`url`) that is called: webhooks, channels of alerts."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.hooks import door
from apps.hooks.door import DoorClosed, NotReached


class AddressMixin:
    """For a TenantAdmin: the form refuses an address that leads where nobody may go; who only reads sees no secrets
    that stand in it."""

    def address_field(self, request: HttpRequest) -> str:
        return "url" if self.has_change_permission(request) else "show_address"  # type: ignore[attr-defined]

    @display(description=_("address"))
    def show_address(self, obj: Any) -> str:
        return door.shown(obj.url)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        admin: Any = self
        may = admin.has_add_permission(request) if object_id is None else admin.has_change_permission(request)
        if request.method == "POST" and may and (object_id is None or admin.get_object(request, object_id) is not None):
            # Looked up before Django opens the form's transaction: a name server takes its time.
            _refuse_address(request)
        return super().changeform_view(request, object_id, form_url, extra_context)  # type: ignore[misc]


def _refuse_address(request: HttpRequest) -> None:
    """Let the form refuse an address that leads nowhere good, or nowhere at all."""
    url = request.POST.get("url", "").strip()
    if not url:
        return
    try:
        door.check(url)
    except (DoorClosed, NotReached) as problem:
        refusal = ValidationError(str(problem), code=problem.code)
        request.refusal = ValidationError({"url": refusal})  # type: ignore[attr-defined]
