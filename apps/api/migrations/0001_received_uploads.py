import apps.agencies.ids
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('counters', '0008_calls_of_a_request'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReceivedUpload',
            fields=[
                ('id', models.UUIDField(default=apps.agencies.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('simple_orders', 'Orders, simple'), ('contacts', 'Clients'), ('orders', 'Orders, detailed'), ('products', 'Products')], max_length=16, verbose_name='what')),
                ('format', models.CharField(choices=[('CSV', 'CSV'), ('JSON', 'JSON')], max_length=4, verbose_name='format')),
                ('merge_mode', models.CharField(blank=True, choices=[('SAVE', 'SAVE'), ('UPDATE', 'UPDATE'), ('APPEND', 'APPEND')], max_length=8, verbose_name='merge mode')),
                ('state', models.CharField(choices=[('PASSED', 'Taken in'), ('FAILED', 'Refused')], max_length=6, verbose_name='result')),
                ('filename', models.CharField(blank=True, max_length=255, verbose_name='file')),
                ('size', models.BigIntegerField(default=0, verbose_name='bytes')),
                ('sha256', models.CharField(blank=True, max_length=64, verbose_name='SHA-256')),
                ('elements', models.PositiveIntegerField(default=0, verbose_name='elements')),
                ('created', models.PositiveIntegerField(default=0, verbose_name='created')),
                ('updated', models.PositiveIntegerField(default=0, verbose_name='updated')),
                ('unchanged', models.PositiveIntegerField(default=0, verbose_name='unchanged')),
                ('held', models.PositiveIntegerField(default=0, verbose_name='held')),
                ('problems', models.JSONField(blank=True, default=list, verbose_name='why refused')),
                ('remarks', models.JSONField(blank=True, default=list, verbose_name='remarks')),
                ('ignored', models.JSONField(blank=True, default=list, verbose_name='ignored columns')),
                ('received_by', models.CharField(blank=True, max_length=255, verbose_name='by')),
                ('request_id', models.CharField(blank=True, max_length=64, verbose_name='request id')),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='received')),
                ('counter', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='received_uploads', to='counters.counter', verbose_name='counter')),
            ],
            options={
                'verbose_name': 'upload by a Metrica script',
                'verbose_name_plural': 'uploads by Metrica scripts',
                'ordering': ['-received_at', '-id'],
                'indexes': [models.Index(fields=['counter', '-received_at', '-id'], name='received_upload_newest'), models.Index(fields=['-received_at', '-id'], name='received_upload_all')],
            },
        ),
    ]
