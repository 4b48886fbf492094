"""Detailed mode while something else happens: a person saves settings, the CRM corrects a client, the counter moves to
another Metrica (R2, R8)."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from django.db.models import QuerySet

from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters.declaring import set_attributes, set_products
from apps.counters.models import Counter
from apps.counters.services import connect_account, update_counter
from apps.goals.models import StatusMapping
from apps.goals.services import set_status
from apps.orders import holds
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxStatus
from apps.uploads import runner, schema
from apps.uploads.lease import Lease
from apps.uploads.models import JobState, Upload, UploadState
from apps.uploads.modes import switch_mode
from tests.uploads.conftest import GOALS, Shop
from tests.uploads.test_detailed import kinds, rows


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop(mode="detailed")


def once_after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], None]) -> None:
    """`act` happens when the function has been called for the first time."""
    real, done = getattr(module, name), []

    def calling(*args: Any, **more: Any) -> Any:
        answer = real(*args, **more)
        if not done:
            done.append(1)
            act()
        return answer

    monkeypatch.setattr(module, name, calling)


def known_statuses(shop: Shop) -> set[str]:
    return set(SandboxStatus.objects.filter(counter=shop.site).values_list("status_id", flat=True))


class TestSettingsSavedMeanwhile:
    @pytest.fixture
    def shop(self, shop: Shop) -> Shop:
        set_status(counter=shop.counter, crm_status="Lead", type="IN_PROGRESS")
        shop.push("D-1", "Lead", client_uniq_id="C-1")
        shop.push("D-2", "Visit", client_uniq_id="C-2")
        return shop

    def map_visit(self, shop: Shop) -> None:
        set_status(counter=shop.counter, crm_status="Visit", type="IN_PROGRESS")
        holds.review(shop.counter)

    def all_went_under_ids_that_metrica_knows(self, shop: Shop) -> None:
        assert shop.all_delivered()
        mapped = set(StatusMapping.objects.filter(counter=shop.counter).values_list("metrica_id", flat=True))
        assert {row["order_status"] for row in rows(shop, "orders")} == mapped
        assert mapped <= known_statuses(shop)

    def test_a_status_mapped_while_metrica_is_asked(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        once_after(monkeypatch, schema, "ensure_in_step", lambda: self.map_visit(shop))
        assert shop.upload().state == JobState.SUCCEEDED
        self.all_went_under_ids_that_metrica_knows(shop)

    def test_a_status_mapped_just_before_the_planner_reads_the_mapping(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = schema.confirm
        seen: list[bool] = []

        def confirm(counter: Counter) -> None:
            if not seen:
                self.map_visit(shop)
            try:
                asked(counter)
            except schema.Outdated:
                seen.append(False)
                raise
            seen.append(True)

        monkeypatch.setattr(schema, "confirm", confirm)
        assert shop.upload().state == JobState.SUCCEEDED
        assert seen[0] is False and True in seen
        self.all_went_under_ids_that_metrica_knows(shop)

    def test_an_attribute_declared_while_metrica_is_asked(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        branch, city = ({"entity": "ORDER", "name": name, "type": "text"} for name in ("branch", "city"))
        set_attributes(counter=shop.counter, attributes=[branch])
        shop.counter.refresh_from_db()
        shop.push("D-3", "Lead", client_uniq_id="C-3", attributes={"branch": "n", "city": "Perm"})

        def declare_another() -> None:
            set_attributes(counter=shop.counter, attributes=[branch, city])
            self.map_visit(shop)

        once_after(monkeypatch, schema, "_bring_attributes", declare_another)
        job = shop.upload()
        assert (job.state, job.rejected) == (JobState.SUCCEEDED, 0)
        self.all_went_under_ids_that_metrica_knows(shop)
        [row] = [row for row in rows(shop, "orders") if row["id"] == "D-3"]
        assert row["attribute_values"] == {"branch": ["n"], "city": ["Perm"]}


class TestClientCorrectedMeanwhile:
    def correct_under_way(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        """The CRM corrects C-1 while the file with its first revision is under way, which Metrica refuses."""
        shop.push("D-1", "PAID", client_uniq_id="C-1")
        shop.fault("refuse_row", order_id="C-1", count=1)
        real, done = runner._forward, []

        def forward(lease: Lease, upload: Upload, counter: Counter) -> None:
            if not done:
                done.append(1)
                shop.push("D-2", "PAID", client_uniq_id="C-1", client_name="Corrected")
            real(lease, upload, counter)

        monkeypatch.setattr(runner, "_forward", forward)

    def test_the_orders_wait_for_the_corrected_one(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.correct_under_way(shop, monkeypatch)
        job = shop.upload()
        assert (job.clients, job.clients_refused, job.delivered, job.held) == (1, 1, 2, 0)
        assert shop.all_delivered()
        assert [kind for kind, _format, _rows in kinds(shop)] == ["contacts", "orders"]

    def test_they_are_held_where_that_one_is_refused_too(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.correct_under_way(shop, monkeypatch)
        shop.fault("refuse_row", order_id="C-1", count=1)
        job = shop.upload()
        assert (job.clients_refused, job.delivered, job.held) == (2, 0, 2)
        assert shop.states("D-1") == shop.states("D-2") == [("PAID", "held")]

    def test_a_client_that_passes_frees_what_was_held_for_its_sake_and_nothing_else(self, shop: Shop) -> None:
        for number in (1, 2):
            shop.push(f"D-{number}", "PAID", client_uniq_id=f"C-{number}")
            shop.fault("refuse_row", order_id=f"C-{number}", count=None)
        assert shop.upload().held == 2
        sandbox.clear_faults()
        Client.objects.filter(uniq_id="C-1").update(revision=2)  # by whatever way it became due again
        job = shop.upload()
        assert (job.clients, job.delivered) == (1, 1)
        assert (shop.states("D-1"), shop.states("D-2")) == ([("PAID", "delivered")], [("PAID", "held")])


class TestAnotherMetrica:
    BRANCH: ClassVar[dict[str, str]] = {"entity": "ORDER", "name": "branch", "type": "text"}

    def move(self, shop: Shop, live_server: Any) -> None:
        """To one with the same counter, where nothing of it is known."""
        number = shop.site.metrica_id
        shop.site.delete()
        shop.site = sandbox.create_counter(
            metrica_id=number, time_zone_name="Europe/Moscow", owner_login="real", token="real-token", goals=GOALS
        )
        url = live_server.url.replace("localhost", "127.0.0.1")
        account = connect_account(
            agency=shop.counter.agency, login="real", token="real-token", base_url=f"{url}/sandbox"
        )
        shop.counter = update_counter(counter=shop.counter, account=account)

    def moves(self) -> QuerySet[AuditEntry]:
        return AuditEntry.objects.filter(action="counter.metrica_changed")

    def test_gets_clients_attributes_and_products_anew(self, shop: Shop, live_server: Any) -> None:
        set_attributes(counter=shop.counter, attributes=[self.BRANCH])
        set_products(counter=shop.counter, products=[{"name": "sku-1", "humanized": "Mug"}])
        shop.counter.refresh_from_db()
        shop.push("D-1", "PAID", client_uniq_id="C-1", attributes={"branch": "n"})
        shop.upload()
        shop.counter.refresh_from_db()
        rehearsed, former = shop.counter.first_clients_at, shop.counter.known_address
        assert rehearsed is not None and former == shop.counter.account.base_url
        self.move(shop, live_server)
        shop.push("D-2", "PAID", client_uniq_id="C-1", attributes={"branch": "n"})
        job = shop.upload()
        assert (job.state, job.clients, job.delivered) == (JobState.SUCCEEDED, 1, 1)
        assert [row["uniq_id"] for row in rows(shop, "contacts")] == ["C-1"]
        assert [row["attribute_values"] for row in rows(shop, "orders")] == [{"branch": ["n"]}]
        shop.counter.refresh_from_db()
        assert shop.counter.first_clients_at > rehearsed
        assert shop.counter.products_sent == shop.counter.products_revision == 1
        entry = self.moves().get()
        assert (entry.before, entry.after) == ({"address": former}, {"address": shop.counter.account.base_url})
        assert entry.details == {"clients_due_again": 1}
        shop.push("D-3", "PAID", client_uniq_id="C-1")
        assert shop.upload().clients == 0
        assert self.moves().count() == 1

    def test_a_file_made_for_the_former_one_does_not_go_to_it(
        self, shop: Shop, live_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.push("D-1", "PAID", client_uniq_id="C-1")
        shop.upload()
        shop.push("D-2", "PAID", client_uniq_id="C-1")
        once_after(monkeypatch, runner, "plan_file", lambda: self.move(shop, live_server))
        job = shop.upload()
        assert (job.state, job.clients, job.delivered) == (JobState.SUCCEEDED, 1, 1)
        [given_up] = shop.uploads(state=UploadState.FAILED)
        assert (given_up.kind, given_up.error_code) == ("orders", "metrica_changed")
        assert kinds(shop)[-2:] == [("contacts", "json", 1), ("orders", "json", 1)]

    def test_what_a_detailed_time_left_there_is_remembered_through_a_simple_one(
        self, shop: Shop, live_server: Any
    ) -> None:
        shop.push("D-1", "PAID", client_uniq_id="C-1")
        shop.upload()
        switch_mode(counter=shop.counter, mode="simple")
        shop.counter.refresh_from_db()
        self.move(shop, live_server)
        shop.push("D-2", "PAID", client_uniq_id="C-1")
        assert shop.upload().delivered == 1
        assert not self.moves().exists()
        shop.counter = switch_mode(counter=shop.counter, mode="detailed")
        shop.push("D-3", "PAID", client_uniq_id="C-1")
        job = shop.upload()
        assert (job.clients, job.delivered) == (1, 1)
        assert self.moves().count() == 1
