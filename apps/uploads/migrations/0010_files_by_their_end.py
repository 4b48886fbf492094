"""Kept files are found by when they ended, so that those whose time is over are found without reading all uploads."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("uploads", "0009_kept_files"),
    ]

    operations = [
        AddIndexBeside(
            model_name="upload",
            index=models.Index(
                condition=models.Q(("file_gone_at__isnull", True), models.Q(("file", ""), _negated=True)),
                fields=["finished_at"],
                name="upload_keeps_file",
            ),
        ),
    ]
