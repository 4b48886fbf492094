"""What all groups of calls share: the way out."""

from apps.metrica.transport import Transport


class Group:
    """A part of MetricaClient, which sets the transport."""

    _transport: Transport


def cdp(counter_id: int) -> str:
    return f"/cdp/api/v1/counter/{counter_id:d}"


def management(counter_id: int) -> str:
    return f"/management/v1/counter/{counter_id:d}"
