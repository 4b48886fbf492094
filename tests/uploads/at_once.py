"""The project's settings for a queue that looks at its schedules when it begins, not only half a minute later.

django-q2 adds up the pauses between two looks at its processes, and sees to the schedules when they come to 30 seconds.
"""

from project.settings import *  # noqa: F403
from project.settings import Q_CLUSTER

Q_CLUSTER = {**Q_CLUSTER, "guard_cycle": 30}
