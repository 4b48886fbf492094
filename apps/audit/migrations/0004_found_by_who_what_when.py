"""The log is found by who acted, what was done, when, and on what: each from an index."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("agencies", "0004_sign_ins"),
        ("audit", "0003_counter_of_an_entry"),
    ]

    operations = [
        AddIndexBeside(
            model_name="auditentry",
            index=models.Index(fields=["agency", "actor_label", "-id"], name="audit_by_actor"),
        ),
        AddIndexBeside(
            model_name="auditentry",
            index=models.Index(fields=["agency", "action", "-id"], name="audit_by_action"),
        ),
        AddIndexBeside(
            model_name="auditentry",
            index=models.Index(fields=["agency", "-at"], name="audit_agency_time"),
        ),
        AddIndexBeside(
            model_name="auditentry",
            index=models.Index(fields=["-at"], name="audit_time"),
        ),
        AddIndexBeside(
            model_name="auditentry",
            index=models.Index(fields=["object_id"], name="audit_object_id"),
        ),
        AddIndexBeside(
            model_name="auditentry",
            index=models.Index(fields=["object_label"], name="audit_object_label", opclasses=["varchar_pattern_ops"]),
        ),
    ]
