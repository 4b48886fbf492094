"""Whoever follows the clients of a counter reads them by when they changed last. Built beside whoever writes."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("clients", "0009_keyed_lookup")]

    operations = [
        AddIndexBeside(
            model_name="client",
            index=models.Index(fields=["counter", "updated_at", "id"], name="client_by_update"),
        ),
    ]
