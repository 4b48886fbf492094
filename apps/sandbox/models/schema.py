"""What a counter was told about the CRM: its statuses, its attributes, its products (pages: mapOrderStatuses,
createAttributes, createProducts)."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.metrica.text import Text
from apps.metrica.vocabulary import OrderType
from apps.sandbox.models.site import SandboxCounter


class SandboxStatus(models.Model):
    """A CRM status mapped to one of Metrica's types."""

    counter = models.ForeignKey(SandboxCounter, models.CASCADE, related_name="statuses", verbose_name=_("counter"))
    status_id = models.CharField(_("status"), max_length=255)
    humanized = models.TextField(_("name"), blank=True)
    type = models.CharField(_("type"), max_length=16, choices=[(kind.value, kind.value) for kind in OrderType])
    goal_action_ids = models.JSONField(_("goals"), default=list, blank=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("mapped status")
        verbose_name_plural = _("mapped statuses")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["counter", "status_id"], name="sandbox_status_once")]

    def __str__(self) -> str:
        return self.status_id

    @property
    def type_label(self) -> Text:
        return OrderType(self.type).label


class EntityType(models.TextChoices):
    """Whose attribute it is. PRODUCT is no `entity_type` of the API: the product list brings its own attributes."""

    CONTACT = "CONTACT", _("customers")
    COMPANY = "COMPANY", _("companies")
    ORDER = "ORDER", _("orders")
    SIMPLE_ORDER = "SIMPLE_ORDER", _("orders of the simple format")
    PRODUCT = "PRODUCT", _("products")


class SandboxAttribute(models.Model):
    """An attribute of the CRM's own. It must be there before an upload carries it."""

    counter = models.ForeignKey(SandboxCounter, models.CASCADE, related_name="attributes", verbose_name=_("counter"))
    entity_type = models.CharField(_("of"), max_length=16, choices=EntityType.choices)
    name = models.CharField(_("attribute"), max_length=255)
    humanized = models.TextField(_("name"), blank=True)
    type_name = models.CharField(_("type"), max_length=255)
    type_group = models.CharField(_("group of types"), max_length=16)
    type_humanized = models.TextField(_("name of the type"), blank=True)
    multivalued = models.BooleanField(_("several values"), default=False)

    class Meta:
        verbose_name = _("attribute")
        verbose_name_plural = _("attributes")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["counter", "entity_type", "name"], name="sandbox_attribute_once")
        ]

    def __str__(self) -> str:
        return self.name


class SandboxProduct(models.Model):
    """A product with a name for people; orders may name products that are not in the list."""

    counter = models.ForeignKey(SandboxCounter, models.CASCADE, related_name="products", verbose_name=_("counter"))
    name = models.CharField(_("product"), max_length=255)
    humanized = models.TextField(_("name"), blank=True)

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["counter", "name"], name="sandbox_product_once")]

    def __str__(self) -> str:
        return self.humanized or self.name
