"""What was told of a client is found by the client: it is erased and handed over whole. Built beside whoever writes."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("clients", "0010_by_last_change")]

    operations = [
        AddIndexBeside(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("client__isnull", False)), fields=["client"], name="contact_by_client"
            ),
        ),
    ]
