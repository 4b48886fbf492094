"""Clients are found by what stands behind the first word of their name. Built beside whoever writes."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside
from apps.clients.words import AfterFirstWord


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
    ]
