"""Identifiers may be sealed. The column stays what it is, so the database has nothing to do, and no row is rewritten:
`manage.py rotate_keys` does that, in batches."""

from django.db import migrations

import apps.counters.sealed_fields


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0007_changes_by_counter'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='order',
                    name='identifiers',
                    field=apps.counters.sealed_fields.SealedJSONField(blank=True, default=dict, verbose_name='identifiers'),
                ),
            ],
        ),
    ]
