"""Identifiers may be sealed. The column stays what it is, so the database has nothing to do, and no row is rewritten:
`manage.py rotate_keys` does that, in batches."""

from django.db import migrations

import apps.counters.sealed_fields


class Migration(migrations.Migration):

    dependencies = [
        ('clients', '0007_second_word_of_a_name'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='client',
                    name='identifiers',
                    field=apps.counters.sealed_fields.SealedJSONField(blank=True, default=dict, verbose_name='identifiers'),
                ),
            ],
        ),
    ]
