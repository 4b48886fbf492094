"""Plans and writes all files of a counter as a worker does, and sends none: `-m tests.benchmarks.planning NUMBER`.

A real job under a real lease. Between two files the written one is settled as passed, as after its sending, so that the
next wave meets what it would meet in life. Prints `{"rows", "files", "bytes", "seconds", "settling"}` as JSON;
`seconds` is spent in planning and writing alone.
"""

import json
import os
import sys

import django

from tests.benchmarks.measure import Clock


def main(number: int) -> None:
    from apps.counters.models import Counter
    from apps.metrica.client import Uploading
    from apps.uploads import ending, planner, services, settle
    from apps.uploads import lease as leases
    from apps.uploads.models import Trigger, Upload

    counter = Counter.objects.select_related("account").get(metrica_id=number)
    job = services.request_upload(counter=counter, trigger=Trigger.COMMAND)
    lease = leases.claim(job.pk)
    assert lease is not None, "somebody else works for the counter"
    planning, settling = Clock(), Clock()
    rows = files = size = 0
    while True:
        job.refresh_from_db()
        with planning:
            plan = planner.plan_file(lease=lease, job=job, counter=counter)
        if plan.upload_id is None:
            if not plan.progress:
                break
            continue
        upload = Upload.objects.get(pk=plan.upload_id)
        rows, files, size = rows + upload.rows, files + 1, size + upload.bytes
        uploading = Uploading(str(upload.pk), "", "PASSED", upload.rows, "", "", "", raw={})
        with settling:
            settle.passed(lease=lease, upload=upload, counter=counter, uploading=uploading)
    ending.finish(lease=lease)
    told = {"rows": rows, "files": files, "bytes": size, "seconds": planning.seconds, "settling": settling.seconds}
    print(json.dumps(told))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    main(int(sys.argv[1]))
