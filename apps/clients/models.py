"""Clients of a counter's CRM and the identifiers by which Metrica can find their visits."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.clients.words import AfterFirstWord
from apps.counters.models import Counter
from apps.counters.sealed_fields import SealedJSONField


class ClientQuerySet(TenantQuerySet["Client"]):
    def due(self) -> Self:
        """Clients of whom Metrica does not have the present state, and that no file carries now (R2)."""
        return self.filter(revision__gt=F("settled_revision"), sending_revision=0)

    def present(self) -> Self:
        """Without those that were found to be somebody else, whose rows only remember that."""
        return self.filter(merged_into=None)


class Client(models.Model):
    """A customer as the CRM knows them (R5: never merged by guess).

    `identifiers` unites what every row with this uniq_id brought. In detailed mode clients are uploaded themselves, and
    their rows are the outbox: a change raises `revision`, a file takes it as `sending_revision`, and what Metrica said
    to that file makes it `settled_revision`. What changes while a file is under way is therefore due again.
    """

    counter = models.ForeignKey(
        Counter, models.CASCADE, related_name="clients", db_index=False, verbose_name=_("counter")
    )
    uniq_id = models.CharField(_("client id"), max_length=255)
    name = models.CharField(_("name"), max_length=255, blank=True)
    # {"client_ids": [...], "emails": [...], "phones": [...], "emails_md5": [...], "phones_md5": [...]}, normalised
    identifiers = SealedJSONField(_("identifiers"), default=dict, blank=True)
    # {"age": "41", "cities": ["Perm", "Omsk"]}: values as Metrica takes them, see counters.attributes
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("changed"), default=timezone.now, editable=False)
    # Database defaults: whoever inserts by the thousand need not name these.
    revision = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    sending_revision = models.PositiveIntegerField(default=0, db_default=0, editable=False)  # 0: in no file now
    settled_revision = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    # The upload that carries or carried the client. Plain: clients know nothing of uploads.
    upload_id = models.UUIDField(_("upload"), null=True, blank=True, editable=False)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True, editable=False)  # of any revision
    reject_code = models.CharField(_("rejection code"), max_length=64, blank=True, db_default="", editable=False)
    reject_message = models.TextField(_("why rejected"), blank=True, db_default="", editable=False)
    # Since when the client has nearly as many orders as Metrica takes of one.
    crowded_at = models.DateTimeField(_("nearly full"), null=True, blank=True, editable=False)

    # Of a duplicate: the client that it became. The row stays, so that what the CRM sends under its id goes there too.
    merged_into = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("merged into")
    )
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True, editable=False)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id", base=ClientQuerySet)

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["counter", "uniq_id"], name="client_per_counter")]
        indexes = [
            models.Index(fields=["counter", "id"], name="client_due", condition=Q(revision__gt=F("settled_revision"))),
            models.Index(fields=["upload_id"], name="client_upload", condition=Q(upload_id__isnull=False)),
            models.Index(fields=["counter"], name="client_crowded", condition=Q(crowded_at__isnull=False)),
            models.Index(fields=["counter"], name="client_refused", condition=~Q(reject_code="")),
            models.Index(fields=["counter", "name"], name="client_by_name", condition=~Q(name="")),
            models.Index(F("counter"), AfterFirstWord(F("name")), name="client_by_second_word", condition=~Q(name="")),
            models.Index(fields=["merged_into"], name="client_merged", condition=Q(merged_into__isnull=False)),
            models.Index(fields=["counter", "id"], name="client_newest", condition=Q(merged_into__isnull=True)),
            models.Index(
                fields=["counter", "updated_at", "id"], name="client_by_update", condition=Q(merged_into__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.uniq_id

    @property
    def audit_label(self) -> str:
        """In the audit log, which outlives an erasure."""
        return f"#{self.pk}"

    @property
    def is_due(self) -> bool:
        return self.revision > self.settled_revision


class Contact(models.Model):
    """That an order told an identifier which it, or its client, did not have before; see `clients.contacts`."""

    digest = models.BigIntegerField()
    # False: of before there was an IndexKey. A database default, for whoever writes with an older version.
    keyed = models.BooleanField(default=True, db_default=False, editable=False)
    counter = models.ForeignKey(Counter, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    order_key = models.BigIntegerField(db_index=True)  # plain: clients know nothing of orders
    client = models.ForeignKey(
        Client, models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    told_at = models.DateTimeField()

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("told identifier")
        verbose_name_plural = _("told identifiers")
        indexes = [
            models.Index(fields=["digest", "counter"], name="contact_by_digest"),
            models.Index(fields=["client"], name="contact_by_client", condition=Q(client__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.digest:x}"


class IndexKey(models.Model):
    """The installation's key of the look-up of people, one row; see `clients.blind`."""

    key_encrypted = models.TextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # How far the lines of before the key have been keyed, and since when all are.
    keyed_up_to = models.BigIntegerField(default=0, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("key of the look-up")
        verbose_name_plural = _("keys of the look-up")

    def __str__(self) -> str:
        return str(self.pk)
