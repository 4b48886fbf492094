"""Counters, their switches, goals and grants. Pages: counters, counter, manage-protocol, goals, addGoal, editGoal,
deleteGoal, grants, mygrant.

A change whose answer is lost is an UnknownOutcome: read what is there before making it again.
"""

from collections.abc import Sequence

from apps.metrica.answers import (
    CounterInfo,
    CounterPage,
    GoalInfo,
    Grant,
    read_counter,
    read_counter_page,
    read_goal,
    read_goals,
    read_grant,
    read_grants,
)
from apps.metrica.bodies import JsonBody
from apps.metrica.drafts import GoalDraft
from apps.metrica.endpoints.group import Group, management
from apps.metrica.errors import Effect
from apps.metrica.schema import read_success


class Management(Group):
    def counters(
        self,
        *,
        search: str = "",
        permission: str = "",
        per_page: int = 1000,
        offset: int = 1,
        field: Sequence[str] = (),
    ) -> CounterPage:
        """Counters that the account sees, a page at a time; the first `offset` is 1 (page: counters).

        `search`: a full number, or part of a name or site; `permission`: comma list of own, view, edit; `field`: extra
        blocks such as "goals" or "counter_flags".
        """
        params = {"per_page": str(per_page), "offset": str(offset)}
        if search:
            params["search_string"] = search
        if permission:
            params["permission"] = permission
        if field:
            params["field"] = ",".join(field)
        return self._transport.call("GET", "/management/v1/counters", params=params, read=read_counter_page)

    def counter(self, counter_id: int, *, field: Sequence[str] = ()) -> CounterInfo:
        """One counter (page: counter). `field` as for counters. Raises NotFound, AccessDenied."""
        params = {"field": ",".join(field)} if field else {}
        return self._transport.call("GET", management(counter_id), params=params, read=read_counter)

    def set_counter_flags(self, counter_id: int, **flags: bool | str) -> CounterInfo:
        """Changes the named flags, for instance `collect_first_party_data=True` (page: manage-protocol)."""
        if not flags:
            raise ValueError("No flag is named.")
        return self._transport.call(
            "PUT",
            management(counter_id),
            params={"field": "counter_flags"},
            read=read_counter,
            body=JsonBody({"counter": {"counter_flags": flags}}),
            effect=Effect.CHANGES,
        )

    def goals(self, counter_id: int, *, use_deleted: bool = False) -> list[GoalInfo]:
        """All goals of a counter, system goals among them once they exist (page: goals)."""
        return self._transport.call(
            "GET",
            f"{management(counter_id)}/goals",
            params={"useDeleted": "true" if use_deleted else "false"},
            read=read_goals,
        )

    def goal(self, counter_id: int, goal_id: int) -> GoalInfo:
        """One goal (page: goal). Raises NotFound."""
        return self._transport.call("GET", f"{management(counter_id)}/goal/{goal_id:d}", params={}, read=read_goal)

    def create_goal(self, counter_id: int, draft: GoalDraft) -> GoalInfo:
        """Makes a goal, which needs the right metrika:write (page: addGoal). It counts only what comes after it."""
        return self._transport.call(
            "POST",
            f"{management(counter_id)}/goals",
            params={},
            read=read_goal,
            body=JsonBody({"goal": draft.body()}),
            effect=Effect.CHANGES,
        )

    def edit_goal(self, counter_id: int, goal_id: int, draft: GoalDraft) -> GoalInfo:
        """Makes a goal what the draft says (page: editGoal); start from `GoalDraft.of` to keep what is not changed."""
        return self._transport.call(
            "PUT",
            f"{management(counter_id)}/goal/{goal_id:d}",
            params={},
            read=read_goal,
            body=JsonBody({"goal": draft.body(goal_id)}),
            effect=Effect.CHANGES,
        )

    def delete_goal(self, counter_id: int, goal_id: int) -> None:
        """Deletes a goal (page: deleteGoal). Never one that Metrica made for the CRM."""
        self._transport.call(
            "DELETE",
            f"{management(counter_id)}/goal/{goal_id:d}",
            params={},
            read=read_success,
            effect=Effect.CHANGES,
        )

    def grants(self, counter_id: int) -> list[Grant]:
        """Who has which right to the counter; for its owner and editors (page: grants)."""
        return self._transport.call("GET", f"{management(counter_id)}/grants", params={}, read=read_grants)

    def my_grant(self, counter_id: int) -> Grant:
        """The account's own right to the counter (page: mygrant)."""
        return self._transport.call("GET", f"{management(counter_id)}/my_grant", params={}, read=read_grant)
