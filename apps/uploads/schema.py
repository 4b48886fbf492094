"""Before rows of the detailed format go, Metrica must know what they name: statuses, custom attributes, products
(pages: mapOrderStatuses, createAttributes, createProducts). Each is sent when it has changed, and read first."""

from django.conf import settings
from django.utils.translation import gettext as _

from apps.counters import declaring
from apps.counters.gateway import metrica_client
from apps.counters.models import AttributeEntity, Counter, CustomAttribute, Product
from apps.goals.status_sync import ensure_in_step
from apps.metrica.client import Attribute, MetricaClient
from apps.metrica.client import Product as MetricaProduct
from apps.metrica.errors import AuthorizationError, MetricaError, TransientError, UnknownOutcome
from apps.metrica.vocabulary import EntityType
from apps.uploads import sender
from apps.uploads.lease import Lease


class Outdated(Exception):
    """The counter's settings have changed since it was read: nothing is to be planned by them."""


def confirm(counter: Counter) -> None:
    """Say after reading them that the counter's mapping and attributes are still those of its revision, which Metrica
    was found to know. Whoever changes them raises it in the same transaction. One query; raises Outdated."""
    if not Counter.objects.filter(pk=counter.pk, revision=counter.revision).exists():
        raise Outdated


def bring_in_step(*, counter: Counter, lease: Lease) -> None:
    """See that Metrica has the counter's statuses, attributes and products as they are now. No call where nothing has
    changed since they were seen to be the same. The lease is asked for, and renewed, before each call, which
    METRICA_TIMEOUT_SECONDS bounds; what came of the calls is noted in steps of it.

    Raises LeaseLost; JobFailed where a person is needed (statuses_out_of_step, attribute_differs, what Metrica
    refused), and TransientError (KeptBack among them) or UnknownOutcome: all is read again before anything is repeated.
    Call it outside any transaction.
    """
    account = counter.account
    assert account is not None, "a counter without an account is blocked"
    seconds = settings.METRICA_TIMEOUT_SECONDS

    def before_call() -> None:
        lease.extend(seconds=seconds)

    try:
        ensure_in_step(counter=counter, before_call=before_call, writing=lease.step)
        if counter.attributes_revision > counter.attributes_sent or counter.products_revision > counter.products_sent:
            with metrica_client(account, counter=counter, total_timeout=seconds, before_call=before_call) as metrica:
                _bring_attributes(metrica, counter, lease)
                _bring_products(metrica, counter, lease)
    except (TransientError, UnknownOutcome):
        raise
    except MetricaError as error:
        if isinstance(error, AuthorizationError):
            sender.disconnect(lease, account, error)
        raise sender.JobFailed(code=error.code, message=str(error)) from error


def _bring_attributes(metrica: MetricaClient, counter: Counter, lease: Lease) -> None:
    revision = counter.attributes_revision
    if revision == counter.attributes_sent:
        return
    declared = list(CustomAttribute.objects.filter(counter=counter))
    for entity in AttributeEntity:
        wanted = [one for one in declared if one.entity == entity]
        if not wanted:
            continue
        of_entity = EntityType(entity)
        known = {one.name: one for one in metrica.attributes(counter.metrica_id, entity_type=of_entity).custom}
        for one in wanted:
            there = known.get(one.name)
            if there is not None and (there.type_name != one.type or there.multivalued != one.multivalued):
                message = _("%(name)s is %(type)s there.") % {"name": one.name, "type": there.type_name}
                raise sender.JobFailed(code="attribute_differs", message=message)
        missing = [one for one in wanted if one.name not in known]
        if missing:
            specs = [_spec(one) for one in missing]
            metrica.create_attributes(counter.metrica_id, entity_type=of_entity, attributes=specs)
    with lease.step():
        declaring.attributes_sent(counter=counter, revision=revision)


def _bring_products(metrica: MetricaClient, counter: Counter, lease: Lease) -> None:
    revision = counter.products_revision
    if revision == counter.products_sent:
        return
    rows = Product.objects.filter(counter=counter).values_list("name", "humanized")
    metrica.upload_products(counter.metrica_id, [MetricaProduct(name, title) for name, title in rows])
    with lease.step():
        declaring.products_sent(counter=counter, revision=revision)


def _spec(attribute: CustomAttribute) -> Attribute:
    return Attribute(
        name=attribute.name,
        type_name=attribute.type,
        multivalued=attribute.multivalued,
        humanized=attribute.humanized or attribute.name,
    )
