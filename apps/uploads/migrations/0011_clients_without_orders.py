"""Clients without orders are gone through as orders are."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("uploads", "0010_files_by_their_end")]

    operations = [
        migrations.AddField(model_name="retention", name="clients_up_to", field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name="retention", name="last_client", field=models.BigIntegerField(db_default=0, default=0)
        ),
    ]
