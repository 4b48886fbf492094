"""The list of clients is read counter by counter."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("clients", "0005_merged_and_erased"),
        ("counters", "0007_calls_that_went_wrong"),
    ]

    operations = [
        AddIndexBeside(
            model_name="client",
            index=models.Index(
                condition=models.Q(("merged_into__isnull", True)), fields=["counter", "id"], name="client_newest"
            ),
        ),
    ]
