"""Pages of goals and of the mapping's history, and what both add to the counter's page."""

from django.contrib import admin

from apps.counters import checkup, panels
from apps.counters.ui.acts import offer
from apps.goals.admin_pages.goals import CREATE_GOALS, READ, GoalAdmin, goal_issues
from apps.goals.admin_pages.history import RESTORE, MappingVersionAdmin
from apps.goals.admin_pages.mapping import ADD_STATUS, StatusInline
from apps.goals.admin_pages.step import COMPARE, status_drift
from apps.goals.checkup import goals_and_mapping
from apps.goals.models import Goal, MappingVersion
from apps.goals.panels import mapping_notes

panels.counter_inlines.append(StatusInline)
panels.counter_actions(READ, COMPARE, CREATE_GOALS, ADD_STATUS)
checkup.add_check(20, goals_and_mapping)
mapping_notes.extend([status_drift, goal_issues])
offer(MappingVersion, RESTORE)
admin.site.register(Goal, GoalAdmin)
admin.site.register(MappingVersion, MappingVersionAdmin)
