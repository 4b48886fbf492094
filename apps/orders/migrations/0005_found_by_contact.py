"""Orders are found by the beginning of their ids and by their people's contacts from an index: fills the look-up of
contacts with those of orders and clients that are there already, in flat memory."""

from django.db import migrations
from django.db.models import Min

from apps.clients.contacts import unkeyed as digest

ROWS = 5000


def compare_by_bytes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute('ALTER TABLE orders_order ALTER COLUMN order_id TYPE varchar(255) COLLATE "C"')


def fill(apps, schema_editor):
    Client, Contact = apps.get_model("clients", "Client"), apps.get_model("clients", "Contact")
    Order = apps.get_model("orders", "Order")
    last = 0
    while clients := list(Client.objects.filter(pk__gt=last).order_by("pk")[:ROWS]):
        last = clients[-1].pk
        of_clients = Order.objects.filter(client__in=[one.pk for one in clients]).order_by()
        first = dict(of_clients.values_list("client_id").annotate(Min("pk")))
        Contact.objects.bulk_create(
            [
                Contact(digest=digest(kind, value), counter_id=one.counter_id, client_id=one.pk, **told)
                for one in clients
                if one.pk in first
                for told in [{"order_key": first[one.pk], "told_at": one.created_at}]
                for kind, values in one.identifiers.items()
                for value in values
            ],
            batch_size=ROWS,
        )
    last = 0
    while orders := list(Order.objects.filter(pk__gt=last).select_related("client").order_by("pk")[:ROWS]):
        last = orders[-1].pk
        Contact.objects.bulk_create(
            [
                Contact(digest=digest(kind, value), counter_id=one.counter_id, order_key=one.pk, told_at=one.created_at)
                for one in orders
                for kind, values in one.identifiers.items()
                for value in values
                if one.client is None or value not in one.client.identifiers.get(kind, ())
            ],
            batch_size=ROWS,
        )


class Migration(migrations.Migration):
    dependencies = [
        ("clients", "0004_contacts"),
        ("orders", "0004_rejections"),
    ]

    operations = [
        migrations.RunPython(compare_by_bytes, migrations.RunPython.noop),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
