"""What a CRM tells a counter about itself: statuses, attributes, products. Each call is one transaction."""

import hashlib
import uuid
from collections.abc import Sequence

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from apps.metrica.serving.schema_bodies import Attribute, Status
from apps.metrica.serving.system_schema import system_names
from apps.sandbox import switches
from apps.sandbox.bulk import write_rows
from apps.sandbox.models import (
    EntityType,
    SandboxAttribute,
    SandboxCounter,
    SandboxProduct,
    SandboxStatus,
    SandboxUploading,
    UploadFormat,
    UploadingStatus,
    UploadKind,
)

_PRODUCTS_AT_A_TIME = 2000


class AttributeRefused(ValueError):
    """An attribute cannot be made; `number` is its place in the list, `taken` that the name is used already."""

    def __init__(self, number: int, message: str, *, taken: bool = False) -> None:
        super().__init__(message)
        self.number = number
        self.message = message
        self.taken = taken


class TooManyStatuses(ValueError):
    """The counter would have more mapped statuses than the switch `mapped_statuses` allows."""


@transaction.atomic
def map_statuses(*, counter: SandboxCounter, statuses: Sequence[Status]) -> None:
    """Takes over the mapping: by the switch `status_mapping`, beside the earlier one or in its place.

    Raises TooManyStatuses, by the switch `mapped_statuses`.
    """
    _locked(counter)
    moved = switches.values()
    if moved["status_mapping"] == "replace":
        SandboxStatus.objects.filter(counter=counter).exclude(status_id__in=[status.id for status in statuses]).delete()
    now = timezone.now()
    SandboxStatus.objects.bulk_create(
        (
            SandboxStatus(
                counter=counter,
                status_id=status.id,
                humanized=status.humanized,
                type=status.type.value,
                goal_action_ids=list(status.goal_action_ids),
                updated_at=now,
            )
            for status in statuses
        ),
        batch_size=500,
        update_conflicts=True,
        unique_fields=["counter", "status_id"],
        update_fields=["humanized", "type", "goal_action_ids", "updated_at"],
    )
    most = moved["mapped_statuses"]
    if most != "any" and SandboxStatus.objects.filter(counter=counter).count() > int(most):
        raise TooManyStatuses(f"A counter has at most {most} mapped statuses.")


@transaction.atomic
def create_attributes(*, counter: SandboxCounter, entity_type: EntityType, attributes: Sequence[Attribute]) -> None:
    """Raises AttributeRefused for the name of a system attribute and, by a switch, for one that is there already."""
    _locked(counter)
    if switches.values()["existing_attribute"] == "conflict":
        names = SandboxAttribute.objects.filter(counter=counter, entity_type=entity_type)
        held = set(names.values_list("name", flat=True))
    else:
        held = set()
    for number, attribute in enumerate(attributes):
        if attribute.name in system_names(entity_type):
            raise AttributeRefused(number, "This is the name of a system attribute.")
        if attribute.name in held:
            raise AttributeRefused(number, "There is such an attribute already.", taken=True)
    SandboxAttribute.objects.bulk_create(
        (
            SandboxAttribute(
                counter=counter,
                entity_type=entity_type,
                name=attribute.name,
                humanized=attribute.humanized,
                type_name=attribute.type_name,
                type_group=attribute.type_group,
                type_humanized=attribute.type_humanized,
                multivalued=attribute.multivalued,
            )
            for attribute in attributes
        ),
        batch_size=500,
        update_conflicts=True,
        unique_fields=["counter", "entity_type", "name"],
        update_fields=["humanized", "type_name", "type_group", "type_humanized", "multivalued"],
    )


def create_products(
    *, counter: SandboxCounter, attributes: Sequence[Attribute], items: Sequence[tuple[str, str]], raw: bytes = b""
) -> SandboxUploading:
    """Adds products, (id, name for people) each, or gives them new names. `raw` is the body as it was received."""
    uploading = SandboxUploading(
        counter=counter,
        uuid=uuid.uuid4(),
        kind=UploadKind.PRODUCTS,
        uploading_format=UploadFormat.JSON,
        received_at=timezone.now(),
        status=UploadingStatus.PASSED,
        elements_count=len(items),
        size=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
    )
    # Before the transaction: storing a large file would hold the database.
    uploading.body.save(f"{uploading.uuid}.json", ContentFile(raw), save=False)
    try:
        with transaction.atomic():
            create_attributes(counter=counter, entity_type=EntityType.PRODUCT, attributes=attributes)
            for start in range(0, len(items), _PRODUCTS_AT_A_TIME):
                write_rows(
                    model=SandboxProduct,
                    columns=("counter", "name", "humanized"),
                    rows=((counter.pk, *item) for item in items[start : start + _PRODUCTS_AT_A_TIME]),
                    conflict=("counter", "name"),
                    update=("humanized",),
                )
            uploading.save()
    except BaseException:
        uploading.body.delete(save=False)
        raise
    return uploading


def _locked(counter: SandboxCounter) -> SandboxCounter:
    """One change of a counter's schema at a time."""
    return SandboxCounter.objects.select_for_update().get(pk=counter.pk)
