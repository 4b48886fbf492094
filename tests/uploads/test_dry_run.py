"""A dry run says exactly what would leave, and leaves no trace (R4, R5)."""

from collections.abc import Callable
from typing import Any

from apps.orders.models import Order, StatusChange
from apps.uploads.dry_run import DryRun, dry_run
from apps.uploads.files import plain
from apps.uploads.models import Upload
from tests.uploads.conftest import Shop


def tried(shop: Shop) -> DryRun:
    shop.counter.refresh_from_db()
    return dry_run(counter=shop.counter)


def sent(upload: Upload) -> bytes:
    with plain(upload) as file:
        return file.read()


def untouched() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (StatusChange, Order, Upload)]


def test_the_file_is_the_one_that_goes_then(shop: Shop) -> None:
    shop.push("D-1", "a1", revenue="12.50", emails=["anna@mail.example"])
    shop.push("D-2", "a2", "a3")
    before = untouched()
    found = tried(shop)
    assert untouched() == before
    assert shop.sends() == 0
    shop.upload()
    first, second = shop.uploads()
    assert found.orders is not None
    assert found.orders.content == sent(first)
    assert (found.orders.rows, found.waves) == (first.rows, [first.rows, second.rows]) == (2, [2, 1])


def test_in_detailed_mode_clients_are_first(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(mode="detailed")
    shop.push("D-1", "a1", client_uniq_id="C-1", client_name="Anna")
    before = untouched()
    found = tried(shop)
    assert untouched() == before
    assert found.contacts is not None
    assert (found.contacts.rows, found.orders, found.for_clients) == (1, None, 1)
    shop.upload()
    assert found.contacts.content == sent(shop.uploads()[0])
    shop.push("D-1", "a2", at=5, client_uniq_id="C-1")
    found = tried(shop)
    assert found.orders is not None
    assert (found.contacts, found.for_clients) == (None, 0)
    shop.upload()
    assert found.orders.content == sent(shop.uploads()[-1])


def test_a_state_that_is_to_go_once_more_is_in_it(shop: Shop) -> None:
    shop.push("D-1", "a1")
    shop.upload()
    Order.objects.update(resend_due=True)
    found = tried(shop)
    assert [line.again for line in found.lines] == [True]
    shop.upload()
    assert found.orders is not None
    assert found.orders.content == sent(shop.uploads()[-1])
