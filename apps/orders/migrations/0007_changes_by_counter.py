"""Changes of a counter by when they came, held and rejected ones by their status, holds by the request that brought
them; orders at a status by when they were created. Built beside whoever writes: on thirty million changes that takes
minutes."""

from django.db import migrations, models

from apps.agencies.building import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0006_lists_of_many_counters")]

    operations = [
        AddIndexBeside(
            model_name="order",
            index=models.Index(
                fields=["counter", "order_status", "create_date_time", "id"], name="order_by_status_created"
            ),
        ),
        AddIndexBeside(
            model_name="statuschange", index=models.Index(fields=["counter", "id"], name="change_newest")
        ),
        AddIndexBeside(
            model_name="statuschange",
            index=models.Index(
                condition=models.Q(("delivery", "held")),
                fields=["order_status", "id"],
                name="change_held_status",
            ),
        ),
        AddIndexBeside(
            model_name="statuschange",
            index=models.Index(
                condition=models.Q(("delivery", "rejected")),
                fields=["order_status", "id"],
                name="change_rejected_status",
            ),
        ),
        AddIndexBeside(
            model_name="statuschange",
            index=models.Index(
                condition=models.Q(("delivery", "held")), fields=["request_id"], name="change_held_request"
            ),
        ),
    ]
