"""What a cause of alerts is: how it is found out, what it says, and what a person does about it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from apps.agencies.models import Agency
from apps.alerts.models import Alert, AlertRules, Severity
from apps.counters.models import Counter, MetricaAccount
from apps.counters.services import block_reason
from apps.metrica.text import Text

MOST_COUNTERS = 2000
"""Of one agency that a look covers."""

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is the case now. `subject` tells it from others of its cause; `facts` fit into JSON."""

    subject: str
    label: str
    severity: Severity
    facts: Facts = field(default_factory=dict)
    counter_id: int | None = None
    account_id: int | None = None


@dataclass
class Look:
    """One look at an agency. What several causes need is read once."""

    agency: Agency
    rules: AlertRules
    now: datetime

    @cached_property
    def accounts(self) -> list[MetricaAccount]:
        """Those that have counters. One query."""
        used = Exists(Counter.objects.filter(account=OuterRef("pk")))
        return list(MetricaAccount.objects.filter(used, agency=self.agency).order_by("pk"))

    @cached_property
    def counters(self) -> list[Counter]:
        """One query."""
        rows = Counter.objects.filter(agency=self.agency).select_related("account").order_by("pk")
        return list(rows[:MOST_COUNTERS])

    @cached_property
    def ready(self) -> list[Counter]:
        """Counters of which something could go now. No query of its own."""
        return [counter for counter in self.counters if not block_reason(counter)]


class Cause(ABC):
    """One reason for alerts. The texts are told in the language that is in force."""

    code: ClassVar[str]
    title: ClassVar[Text]
    step: ClassVar[Text]
    severity: ClassVar[Severity] = Severity.WARNING
    calm: ClassVar[timedelta] = timedelta(0)
    """How long it must not have been seen before it counts as over: what is near its limit goes to and fro."""
    changes_slowly: ClassVar[bool] = False
    """Looked at every few hours only, because looking takes longer."""

    @abstractmethod
    def find(self, look: Look) -> Iterable[Finding]:
        """What is the case now. The docstring of each says what it costs."""

    @abstractmethod
    def sentence(self, facts: Facts) -> str:
        """What is the matter, with its numbers."""

    @abstractmethod
    def page(self, alert: Alert) -> str:
        """The path of the page on which it is mended."""

    def advice(self, facts: Facts) -> str:
        """The person's next step."""
        return str(self.step)

    def of_counter(self, counter: Counter, *, severity: Severity | None = None, **facts: Any) -> Finding:
        return Finding(
            subject=f"counter {counter.pk}",
            label=str(counter),
            severity=severity or self.severity,
            facts=facts,
            counter_id=counter.pk,
        )

    def of_account(self, account: MetricaAccount, *, severity: Severity | None = None, **facts: Any) -> Finding:
        return Finding(
            subject=f"account {account.pk}",
            label=account.login,
            severity=severity or self.severity,
            facts=facts,
            account_id=account.pk,
        )


def counter_page(alert: Alert) -> str:
    return reverse("admin:counters_counter_change", args=[alert.counter_id])


def account_page(alert: Alert) -> str:
    return reverse("admin:counters_metricaaccount_change", args=[alert.account_id])


def orders_page(alert: Alert, delivery: str) -> str:
    listed = reverse("admin:orders_order_changelist")
    return f"{listed}?counter__id__exact={alert.counter_id}&delivery={delivery}"


def holds_page(alert: Alert, reason: str = "") -> str:
    listed = f"{reverse('admin:orders_heldchange_changelist')}?counter__id__exact={alert.counter_id}"
    return f"{listed}&reason={reason}" if reason else listed


def when(moment: str | datetime) -> str:
    """A moment (ISO text, as facts hold it) on the clock that is in force."""
    local = timezone.localtime(datetime.fromisoformat(moment) if isinstance(moment, str) else moment)
    return formats.date_format(local, f"{_('j M Y')}, H:i")


def number(value: int, *, at_least: bool = False) -> str:
    """`1,234`, or `1,000+` where it was not counted to the end."""
    text = formats.number_format(value, use_l10n=True, force_grouping=True)
    return f"{text}+" if at_least else text
