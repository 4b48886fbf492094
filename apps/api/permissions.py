"""Reading takes the scope `read`, everything else `write`; whose things they are is asked by `visible_to` (R11)."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from apps.agencies.actor import Actor, Right
from apps.api.problems import Problem

if TYPE_CHECKING:  # REST framework loads this module while it loads its views
    from rest_framework.views import APIView


class ScopePermission(BasePermission):
    def has_permission(self, request: Request, view: "APIView") -> bool:
        actor = request.user
        if not isinstance(actor, Actor):
            return False
        if request.method not in view.allowed_methods:
            return True  # answered with 405 to every key
        right, scope = (Right.READ, "read") if request.method in SAFE_METHODS else (Right.OPERATE, "write")
        if not actor.can(right):
            raise missing_scope(scope)
        return True


def missing_scope(scope: str) -> Problem:
    message = _("This key lacks the scope “%(scope)s”.")
    return Problem(
        status=403,
        code="missing_scope",
        message=message % {"scope": scope},
        next_step=_("Ask the owner of the agency for a key with this scope."),
    )
