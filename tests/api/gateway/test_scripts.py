"""Clients that nobody here wrote, and scripts in the languages that people write them in, over real HTTP. Only host and
token are others than at Metrica.

`ym-api-client` is what PyPI publishes and `yandex-metrika` what npm does, each as it is. The other scripts do what
public examples do, with what their languages have of their own.
"""

import json
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from ym_api_client.base import BaseApiClient
from ym_api_client.exceptions import YandexMetrikaApiError, YandexMetrikaAuthError

from apps.clients.models import Client
from apps.goals.models import StatusMapping
from apps.orders.models import Order
from tests.api.gateway.conftest import NUMBER, WHEN, csv, local, order
from tests.factories import make_agency, make_counter, make_key

pytestmark = pytest.mark.django_db(transaction=True)
HERE = Path(__file__).parent
LINES = (
    f"D-1,{WHEN},C-77,1700000000123456789,,,IN_PROGRESS,,,,",
    f'D-2,{WHEN},,,"buyer@shop.example,second@shop.example","79031234567",PAID,5000,3200,"deal_won:5000,branch_2",',
)
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ECONNRESET", "E404")
"""What npm says where its registry cannot be reached or does not serve the package."""

BASE = f"cdp/api/v1/counter/{NUMBER}"


@pytest.fixture
def key():
    agency = make_agency("north")
    make_counter(agency, metrica_id=NUMBER)
    return make_key(agency)[1]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(csv(*LINES))
    return path


def ran(command, *arguments):
    """What a script printed. Where its language is not there, that is said; in CI it must be."""
    if shutil.which(command) is None and not os.environ.get("CI"):
        pytest.skip(f"{command} is not installed, so scripts of that language are LEFT OUT")
    return subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


class TestYmApiClient:
    """https://pypi.org/project/ym-api-client/ 0.2.0, unchanged."""

    @pytest.fixture
    def client(self, live_server, key):
        with BaseApiClient(access_token=key, base_url=live_server.url, max_retries=1) as client:
            yield client

    def test_a_whole_set_up_and_an_order_through_its_life(self, client):
        statuses = [
            {"id": "lead_new", "humanized": "New lead", "type": "IN_PROGRESS"},
            {"id": "won", "humanized": "Won", "type": "PAID", "goal_action_ids": ["deal_won"]},
        ]
        assert client.post(f"{BASE}/schema/order_statuses", data={"order_statuses": statuses}) == {"success": True}
        person = {"uniq_id": "C-1", "name": "Anna", "emails": ["anna@shop.example"]}
        sent = client.post(f"{BASE}/data/contacts/json", {"merge_mode": "SAVE"}, {"contacts": [person]})
        assert sent["uploading"]["api_validation_status"] == "PASSED"
        deal = {
            "id": "D-1",
            "client_uniq_id": "C-1",
            "client_type": "CONTACT",
            "create_date_time": WHEN,
            "order_status": "lead_new",
        }
        ids = [sent["uploading"]["uploading_id"]]
        for change in ({}, {"order_status": "won", "revenue": 0.1 + 0.2, "update_date_time": local(1)}):
            sent = client.post(f"{BASE}/data/orders/json", {"merge_mode": "UPDATE"}, {"orders": [deal | change]})
            ids.append(sent["uploading"]["uploading_id"])
        listed = client.get(f"{BASE}/last_uploadings", {"limit": 1000})["uploadings"]
        assert [one["uploading_id"] for one in listed] == ids[::-1]
        mapped = client.get(f"{BASE}/schema/order_statuses")["order_statuses"]
        assert [row["id"] for row in mapped] == ["lead_new", "won"]
        assert list(order().changes.order_by("seq").values_list("order_status", flat=True)) == ["lead_new", "won"]
        assert order().current_change.revenue == Decimal("0.3") and order().current_change.delivery == "waiting"
        assert StatusMapping.objects.count() == 2 and Client.objects.get().name == "Anna"

    def test_it_reads_the_errors(self, client, live_server):
        with pytest.raises(YandexMetrikaApiError) as refused:
            client.post(f"{BASE}/data/orders/json", {"merge_mode": "SAVE"}, {"orders": [{"id": "D-1"}]})
        assert refused.value.code == 400
        assert refused.value.errors[0]["location"] == "orders[0].client_uniq_id"
        stale = BaseApiClient(access_token="stale", base_url=live_server.url, max_retries=1)
        with stale, pytest.raises(YandexMetrikaAuthError):
            stale.get(f"{BASE}/last_uploadings")
        assert not Order.objects.exists()


def test_requests_with_the_file_as_a_text_and_bearer(live_server, key, file):
    """As public Python scripts send it: the part has neither a type nor a name of its own."""
    answer = requests.post(
        f"{live_server.url}/{BASE}/data/simple_orders?merge_mode=SAVE&",
        headers={"Authorization": f"Bearer {key}"},
        files={"file": file.read_text()},
        timeout=60,
    )
    assert answer.json()["uploading"]["elements_count"] == 2
    assert Order.objects.count() == 2


class TestYandexMetrika:
    """https://www.npmjs.com/package/yandex-metrika 0.1.2-beta, unchanged."""

    @pytest.fixture
    def script(self, tmp_path):
        folder = tmp_path / "npm"
        shutil.copytree(HERE / "npm", folder)
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed, so its published client is LEFT OUT")
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        got = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if got.returncode != 0 and any(code in got.stderr for code in UNREACHABLE):
            pytest.skip("the npm registry does not answer, so its published client is LEFT OUT")
        assert got.returncode == 0, got.stderr
        return folder / "upload.cjs"

    def test_statuses_clients_and_an_order(self, script, live_server, key):
        done = ran("node", script, live_server.url, key, NUMBER, WHEN)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["mapped"] == {"success": True}
        assert said["sent"]["uploading"]["api_validation_status"] == "PASSED"
        assert said["listed"][0] == said["sent"]["uploading"]["uploading_id"] and len(said["listed"]) == 2
        assert said["refused"]["code"] == 403 and said["refused"]["errors"][0]["error_type"] == "invalid_token"
        assert StatusMapping.objects.get().goal_action_ids == ["deal_won"] and Client.objects.get().name == "Анна"
        assert order().current_change.revenue == Decimal(5000) and order().current_change.delivery == "waiting"


def test_a_script_for_node(live_server, key, file):
    done = ran("node", HERE / "upload.mjs", live_server.url, key, NUMBER, file)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["uploading"]["api_validation_status"] == "PASSED" and said["uploading"]["elements_count"] == 2
    assert said["uploading"]["uploading_id"] == said["listed"][1]
    assert order("D-2").identifiers["phones"] == ["79031234567"] and Client.objects.filter(name="Анна").exists()
    refused = ran("node", HERE / "upload.mjs", live_server.url, "stale", NUMBER, file)
    assert refused.returncode != 0 and "403 invalid_token" in refused.stderr


def test_a_script_for_php(live_server, key, file):
    done = ran("php", HERE / "upload.php", live_server.url, key, NUMBER, file)
    assert done.returncode == 0, done.stderr + done.stdout
    said = json.loads(done.stdout)
    assert (
        said["uploading"]["api_validation_status"] == "PASSED" and said["uploading"]["uploading_id"] in said["listed"]
    )
    assert order("D-1").client.uniq_id == "C-77" and order("P-1").current_change.revenue == Decimal("0.3")
