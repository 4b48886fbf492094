"""Tables of the sandbox: the site's side (counters, goals, visits), what was uploaded, and what a tester sets."""

from apps.sandbox.models.control import Endpoint, FaultKind, SandboxFault, SandboxRequest, SandboxSwitch
from apps.sandbox.models.crm import (
    Note,
    SandboxOrder,
    SandboxOrderEvent,
    SandboxReach,
    SandboxUploading,
    UploadingStatus,
)
from apps.sandbox.models.quotas import SandboxLimit, SandboxRunning, SandboxUsage
from apps.sandbox.models.site import (
    Permission,
    SandboxAccess,
    SandboxCounter,
    SandboxGoal,
    SandboxToken,
    SandboxVisit,
    SandboxVisitKey,
)

__all__ = [
    "Endpoint",
    "FaultKind",
    "Note",
    "Permission",
    "SandboxAccess",
    "SandboxCounter",
    "SandboxFault",
    "SandboxGoal",
    "SandboxLimit",
    "SandboxOrder",
    "SandboxOrderEvent",
    "SandboxReach",
    "SandboxRequest",
    "SandboxRunning",
    "SandboxSwitch",
    "SandboxToken",
    "SandboxUploading",
    "SandboxUsage",
    "SandboxVisit",
    "SandboxVisitKey",
    "UploadingStatus",
]
