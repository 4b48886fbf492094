"""Whose identifiers were kept for long enough is told from who never had any. The column is added without a look at the
rows."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("orders", "0011_erasures_that_break_off")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="forgotten_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="identifiers forgotten"),
        ),
    ]
