"""Tables of the sandbox: the site's side (counters, goals, visits), what was uploaded, and what a tester sets."""

from apps.sandbox.models.control import Endpoint, FaultKind, SandboxFault, SandboxRequest, SandboxSwitch
from apps.sandbox.models.crm import (
    Note,
    SandboxOrder,
    SandboxOrderEvent,
    SandboxReach,
    SandboxUploading,
    UploadFormat,
    UploadingStatus,
    UploadKind,
)
from apps.sandbox.models.customers import CustomerNote, SandboxCustomer, SandboxCustomerEvent
from apps.sandbox.models.oauth import SandboxApp, SandboxCode, SandboxGrant
from apps.sandbox.models.quotas import SandboxLimit, SandboxRunning, SandboxUsage
from apps.sandbox.models.schema import EntityType, SandboxAttribute, SandboxProduct, SandboxStatus
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
    "CustomerNote",
    "Endpoint",
    "EntityType",
    "FaultKind",
    "Note",
    "Permission",
    "SandboxAccess",
    "SandboxApp",
    "SandboxAttribute",
    "SandboxCode",
    "SandboxCounter",
    "SandboxCustomer",
    "SandboxCustomerEvent",
    "SandboxFault",
    "SandboxGoal",
    "SandboxGrant",
    "SandboxLimit",
    "SandboxOrder",
    "SandboxOrderEvent",
    "SandboxProduct",
    "SandboxReach",
    "SandboxRequest",
    "SandboxRunning",
    "SandboxStatus",
    "SandboxSwitch",
    "SandboxToken",
    "SandboxUploading",
    "SandboxUsage",
    "SandboxVisit",
    "SandboxVisitKey",
    "UploadFormat",
    "UploadKind",
    "UploadingStatus",
]
