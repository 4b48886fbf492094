"""Append-only by trigger, and one entry per place of a chain on SQLite as well."""

from django.db import migrations, models

from apps.audit import triggers


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RemoveConstraint(model_name="auditlink", name="audit_position_per_agency"),
        migrations.AddConstraint(
            model_name="auditlink",
            constraint=models.UniqueConstraint(fields=["agency", "position"], name="audit_position_per_agency"),
        ),
        migrations.AddConstraint(
            model_name="auditlink",
            constraint=models.UniqueConstraint(
                fields=["position"], name="audit_position_of_platform", condition=models.Q(agency=None)
            ),
        ),
        migrations.RunPython(
            lambda apps, editor: triggers.create(editor.connection),
            lambda apps, editor: triggers.drop(editor.connection),
        ),
    ]
