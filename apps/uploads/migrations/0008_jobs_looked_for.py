"""Jobs that did not go well, that somebody asked for, or that belong to a request are found among the many others."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("counters", "0007_calls_that_went_wrong"),
        ("uploads", "0007_divided_files"),
    ]

    operations = [
        AddIndexBeside(
            model_name="uploadjob",
            index=models.Index(
                condition=models.Q(("state", "succeeded"), _negated=True),
                fields=["counter", "state", "-id"],
                name="job_not_well",
            ),
        ),
        AddIndexBeside(
            model_name="uploadjob",
            index=models.Index(
                condition=models.Q(("trigger", "schedule"), _negated=True),
                fields=["counter", "trigger", "-id"],
                name="job_asked_for",
            ),
        ),
        AddIndexBeside(
            model_name="uploadjob",
            index=models.Index(
                condition=models.Q(("request_id", ""), _negated=True), fields=["request_id"], name="job_request"
            ),
        ),
    ]
