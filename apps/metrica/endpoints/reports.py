"""Reports: what Metrica counted. Pages: stat/data, cdp_orders metrics."""

from collections.abc import Sequence
from datetime import date
from functools import partial

from apps.metrica.endpoints.group import Group
from apps.metrica.reports import Report, read_report
from apps.metrica.vocabulary import (
    MAX_REPORT_COUNTERS,
    MAX_REPORT_DIMENSIONS,
    MAX_REPORT_METRICS,
    MAX_REPORT_ROWS,
)


class Reports(Group):
    def report(
        self,
        *,
        ids: Sequence[int],
        metrics: Sequence[str],
        dimensions: Sequence[str] = (),
        date1: date,
        date2: date,
        filters: str = "",
        limit: int = MAX_REPORT_ROWS,
        accuracy: str = "full",
    ) -> Report:
        """Figures of these counters from `date1` to `date2` inclusive, in the counter's days (page: stat/data).

        `accuracy` "full" asks Metrica not to sample. Rows whose metrics are all 0 are left out by Metrica; add
        `ym:s:visits` to get every day. Raises ValueError beyond the documented limits.
        """
        _check("counters", len(ids), MAX_REPORT_COUNTERS)
        _check("metrics", len(metrics), MAX_REPORT_METRICS)
        _check("rows", limit, MAX_REPORT_ROWS)
        if len(dimensions) > MAX_REPORT_DIMENSIONS:
            raise ValueError(f"At most {MAX_REPORT_DIMENSIONS} dimensions are possible in one report.")
        params = {
            "ids": ",".join(f"{counter_id:d}" for counter_id in ids),
            "metrics": ",".join(metrics),
            "date1": date1.isoformat(),
            "date2": date2.isoformat(),
            "limit": str(limit),
            "accuracy": accuracy,
        }
        if dimensions:
            params["dimensions"] = ",".join(dimensions)
        if filters:
            params["filters"] = filters
        read = partial(read_report, metrics=len(metrics), dimensions=len(dimensions))
        return self._transport.call("GET", "/stat/v1/data", params=params, read=read)


def _check(what: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise ValueError(f"{count} {what} in a report, but from 1 to {most} are possible.")
