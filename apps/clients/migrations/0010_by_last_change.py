"""Whoever follows the clients of a counter reads them by when they changed last. Built beside whoever writes.

Of those that are present: an index of all rows that begins with the counter would be taken for the look-up by id of
a counter whose rows are newer than PostgreSQL's statistics, and each look-up would read all of them."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("clients", "0009_keyed_lookup")]

    operations = [
        AddIndexBeside(
            model_name="client",
            index=models.Index(
                condition=models.Q(("merged_into__isnull", True)),
                fields=["counter", "updated_at", "id"],
                name="client_by_update",
            ),
        ),
    ]
