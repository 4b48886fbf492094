from django.db import migrations, models
from django.utils import timezone


def count_anew(apps, schema_editor):
    """Days that were counted before know nothing of statuses: the full re-count comes at once instead of tomorrow."""
    apps.get_model("dashboard", "CounterNumbers").objects.update(recount_at=timezone.now(), recount_day=None)


class Migration(migrations.Migration):

    dependencies = [
        ('dashboard', '0002_board'),
    ]

    operations = [
        migrations.AddField(
            model_name='daynumbers',
            name='other_money',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='daynumbers',
            name='statuses',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.RunPython(count_anew, migrations.RunPython.noop),
    ]
