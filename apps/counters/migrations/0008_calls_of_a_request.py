"""Calls to Metrica are found by the request that they were made for."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("agencies", "0004_sign_ins"),
        ("counters", "0007_calls_that_went_wrong"),
    ]

    operations = [
        AddIndexBeside(
            model_name="apicall",
            index=models.Index(
                condition=models.Q(("request_id", ""), _negated=True), fields=["request_id"], name="apicall_request"
            ),
        ),
    ]
