"""Clients are found by what stands behind the first word of their name. Built beside whoever writes."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside
from apps.clients.words import AfterFirstWord


def look_at_it(apps, schema_editor):
    """PostgreSQL knows nothing of what an expression holds until it has looked, and would read all clients instead."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ANALYZE clients_client")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("clients", "0006_newest_of_a_counter")]

    operations = [
        AddIndexBeside(
            model_name="client",
            index=models.Index(
                models.F("counter"),
                AfterFirstWord(models.F("name")),
                condition=models.Q(("name", ""), _negated=True),
                name="client_by_second_word",
            ),
        ),
        migrations.RunPython(look_at_it, migrations.RunPython.noop, elidable=True),
    ]
