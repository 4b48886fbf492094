"""Lists of many counters are read counter by counter, so each index begins with one and has the list's order behind it.

Orders by creation tell their key as well, and those of a client stand in order. Built beside whoever writes: on ten
million orders that takes minutes.
"""

import django.db.models.deletion
from django.db import migrations, models

from apps.agencies.building import AddIndexBeside, RemoveIndexBeside


def drop_index_of_client(apps, schema_editor):
    """The foreign key's own, whose name Django draws; `order_of_client` has it at its beginning."""
    Order = apps.get_model("orders", "Order")
    column = Order._meta.get_field("client").column
    names = schema_editor._constraint_names(Order, [column], index=True, unique=False, primary_key=False)
    for name in names:
        schema_editor.execute(schema_editor._delete_index_sql(Order, name))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("clients", "0005_merged_and_erased"),
        ("counters", "0007_calls_that_went_wrong"),
        ("orders", "0005_found_by_contact"),
    ]

    operations = [
        AddIndexBeside(
            model_name="order",
            index=models.Index(fields=["counter", "create_date_time", "id"], name="order_created"),
        ),
        RemoveIndexBeside(model_name="order", name="order_by_creation"),
        AddIndexBeside(
            model_name="order",
            index=models.Index(
                condition=models.Q(("client__isnull", False)), fields=["client", "id"], name="order_of_client"
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="order",
                    name="client",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="orders",
                        to="clients.client",
                        verbose_name="client",
                    ),
                ),
            ],
            # Django would write the whole table anew on SQLite.
            database_operations=[migrations.RunPython(drop_index_of_client, migrations.RunPython.noop)],
        ),
        AddIndexBeside(
            model_name="statuschange",
            index=models.Index(
                condition=models.Q(("delivery", "held")), fields=["counter", "id", "order"], name="change_held_newest"
            ),
        ),
        AddIndexBeside(
            model_name="statuschange",
            index=models.Index(
                condition=models.Q(("delivery", "held")),
                fields=["counter", "hold_reason", "id"],
                name="change_held_why",
            ),
        ),
        AddIndexBeside(
            model_name="statuschange",
            index=models.Index(condition=models.Q(("delivery", "held")), fields=["id"], name="change_held_all"),
        ),
        RemoveIndexBeside(model_name="statuschange", name="change_held"),
        AddIndexBeside(
            model_name="statuschange",
            index=models.Index(
                condition=models.Q(("delivery", "rejected")),
                fields=["counter", "id", "order"],
                name="change_rejected_newest",
            ),
        ),
        AddIndexBeside(
            model_name="statuschange",
            index=models.Index(condition=models.Q(("delivery", "rejected")), fields=["id"], name="change_rejected_all"),
        ),
        RemoveIndexBeside(model_name="statuschange", name="change_rejected"),
    ]
