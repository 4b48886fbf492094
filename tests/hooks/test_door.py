"""The door lets requests out to public addresses and to allowed networks, and to nothing else; real servers answer."""

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction

from apps.agencies.outgoing import may_be_reached
from apps.hooks import door
from apps.hooks.door import DoorClosed, NotReached
from tests.hooks.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Gives a name its addresses: one list for each time it is asked for, the last one from then on."""
    real = socket.getaddrinfo

    def give(name: str, *answers: list[str]) -> list[str]:
        asked: list[str] = []

        def resolver(host: Any, port: Any, *more: Any, **options: Any) -> Any:
            if host != name:
                return real(host, port, *more, **options)
            asked.append(host)
            found = answers[min(len(asked), len(answers)) - 1]
            return [entry for address in found for entry in real(address, port, *more, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        return asked

    return give


def refused(url: str) -> str:
    with pytest.raises(DoorClosed) as closed:
        door.post(url, body=b"{}", headers={})
    assert str(closed.value.message)
    assert str(closed.value.next_step)
    with pytest.raises(DoorClosed) as closed_early:
        door.check(url)
    assert closed_early.value.code == closed.value.code
    return closed.value.code


def broken(url: str, **options: Any) -> str:
    with pytest.raises(NotReached) as failure:
        door.post(url, body=b"{}", headers={}, **options)
    assert str(failure.value)
    return failure.value.code


def test_a_request_goes_out_and_its_answer_comes_back(receiver: Receiver):
    receiver.answer = lambda _request: (202, {"Content-Type": "text/plain"}, "принято\x00".encode())
    answer = door.post(receiver.url + "?a=1", body=b'{"x":1}', headers={"Content-Type": "application/json"})
    assert (answer.status, answer.body) == (202, "принято")
    assert 0 < answer.seconds < 5
    (came,) = receiver.came
    assert (came.path, came.body) == ("/hook?a=1", b'{"x":1}')
    assert came.headers["content-type"] == "application/json"
    assert came.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert came.headers["user-agent"].startswith("Goalpost")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://crm.example/x", "bad_scheme"),
        ("file:///etc/passwd", "bad_scheme"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "bad_scheme"),
        ("//crm.example/x", "bad_scheme"),
        ("crm.example", "bad_scheme"),
        ("", "bad_scheme"),
        ("https://", "bad_scheme"),
        ("https://user:secret@crm.example/", "user_in_address"),
        ("http://0177.0.0.1/", "bad_address"),
        ("http://①②⑦.⓪.⓪.①/", "bad_address"),
        ("https://crm.example/#part", "fragment"),
        ("https://crm.example:22/", "bad_port"),
        ("https://crm.example:25/", "bad_port"),
        ("https://crm.example:6379/", "bad_port"),
        ("https://crm.example:0/", "bad_port"),
        ("https://crm.example:99999/", "bad_port"),
        ("https://crm.example/a b", "bad_address"),
        ("https://crm.example\\@127.0.0.1/", "bad_address"),
        ("https://crm.example/\r\nHost: other", "bad_address"),
        ("https://crm.example/" + "x" * 2000, "bad_address"),
    ],
)
def test_addresses_that_are_refused_as_written(url: str, code: str):
    assert refused(url) == code


@pytest.mark.parametrize(
    "host",
    [
        *("10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1", "169.254.1.1", "127.0.0.1", "0.0.0.0", "224.0.0.1"),
        *("255.255.255.255", "198.18.0.1", "192.0.2.1", "169.254.169.254", "168.63.129.16", "100.100.100.200"),
        *("[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:127.0.0.1]"),
        *("[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001::1]", "[2001:db8::1]"),
        *("localhost", "127.1", "2130706433", "0x7f.0.0.1"),
    ],
)
def test_private_addresses_are_refused_however_they_are_written(host: str, settings: Any):
    settings.OUTGOING_ALLOWED_NETWORKS = []
    assert refused(f"http://{host}/") == "not_public"


def test_a_metadata_service_is_refused_even_where_its_network_is_allowed():
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    for metadata in (
        "169.254.169.254",
        "168.63.129.16",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "fd00:ec2::254%eth0",
    ):
        assert not may_be_reached(ip_address(metadata), allowed=everything)
    assert may_be_reached(ip_address("10.1.2.3"), allowed=everything)


@pytest.mark.parametrize("public", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "2a02:6b8::2:242"])
def test_public_addresses_are_let_through(public: str):
    assert may_be_reached(ip_address(public), allowed=[])


def test_without_encryption_only_where_the_setting_says_so(settings: Any, receiver: Receiver):
    settings.OUTGOING_PLAIN_HTTP = False
    assert refused(receiver.url) == "plain_http"
    assert receiver.came == []


def test_one_private_address_among_public_ones_is_enough(settings: Any, names: Callable[..., list[str]]):
    settings.OUTGOING_ALLOWED_NETWORKS = []
    names("mixed.example", ["93.184.215.14", "10.0.0.1"])
    assert refused("https://mixed.example/") == "not_public"


def test_a_name_that_changes_its_address_gains_nothing(settings: Any, names: Callable[..., list[str]]):
    """The checked address is the one connected to: nobody asks for the name a second time."""
    settings.OUTGOING_ALLOWED_NETWORKS = [ip_network("127.0.0.1/32")]
    with Receiver() as outside, Receiver(host="127.0.0.2") as inside:
        asked = names("rebinding.example", ["127.0.0.1"], ["127.0.0.2"])
        assert door.post(outside.at("rebinding.example"), body=b"{}", headers={}).status == 200
        assert len(asked) == 1
        assert outside.came[0].headers["host"] == f"rebinding.example:{outside.port}"
        assert refused(inside.at("rebinding.example")) == "not_public"
        assert inside.came == []


def test_a_name_that_was_good_when_it_was_checked_is_checked_again(settings: Any, names: Callable[..., list[str]]):
    settings.OUTGOING_ALLOWED_NETWORKS = [ip_network("127.0.0.1/32")]
    with Receiver(host="127.0.0.2") as inside:
        names("rebinding.example", ["127.0.0.1"], ["127.0.0.2"])
        door.check(inside.at("rebinding.example"))
        assert refused(inside.at("rebinding.example")) == "not_public"
        assert inside.came == []


def test_the_next_address_is_tried_where_nobody_listens(receiver: Receiver, names: Callable[..., list[str]]):
    names("two.example", ["127.0.0.9", "127.0.0.1"])
    assert door.post(receiver.at("two.example"), body=b"{}", headers={}).status == 200


def test_redirects_are_not_followed(receiver: Receiver):
    with Receiver() as inside:
        receiver.answer = lambda _request: (307, {"Location": inside.url}, b"")
        assert door.post(receiver.url, body=b"{}", headers={}).status == 307
        assert inside.came == []


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert door.post(receiver.url, body=b"{}", headers={}).status == 200


def test_of_a_long_answer_the_beginning_is_kept(receiver: Receiver):
    receiver.answer = lambda _request: (200, {}, b"x" * 50_000_000)
    answer = door.post(receiver.url, body=b"{}", headers={})
    assert (answer.status, len(answer.body)) == (200, door.MAX_ANSWER_BYTES)


def test_compressed_answers_are_not_unpacked(receiver: Receiver):
    receiver.answer = lambda _request: (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b bomb")
    assert door.post(receiver.url, body=b"{}", headers={}).body == ""


def test_a_status_counts_though_its_body_breaks_off(receiver: Receiver):
    receiver.answer = lambda _request: (200, {"Content-Length": "1000"}, b"begun")
    assert door.post(receiver.url, body=b"{}", headers={}, timeout=1).status == 200


def test_nothing_outlasts_the_deadline():
    """A server that lets its head drip, byte by byte, so that each single read succeeds."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        connection, _address = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    dripping = threading.Thread(target=drip, daemon=True)
    dripping.start()
    began = time.monotonic()
    try:
        assert broken(f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout=0.4) == "timeout"
        assert time.monotonic() - began < 2
    finally:
        over.set()
        dripping.join()
        listening.close()


def test_what_the_network_does_is_told_in_plain_words(receiver: Receiver):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    assert broken(nobody) == "refused"
    assert broken("http://no-such-name.invalid/") == "no_such_name"
    assert broken(receiver.url.replace("http:", "https:"), timeout=3) == "no_encryption"


def test_a_server_that_hangs_up_gave_no_answer(receiver: Receiver):
    def hang_up(_request: Any) -> int:
        raise ConnectionAbortedError

    receiver.answer = hang_up
    assert broken(receiver.url) == "no_answer"


@pytest.mark.django_db
def test_it_does_not_open_inside_a_transaction(receiver: Receiver):
    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"):
        door.post(receiver.url, body=b"{}", headers={})
    assert receiver.came == []


def certificate(directory: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for `name` that vouches for itself, and a server's side of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(issuer_name=subject, subject_name=subject, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "certificate.pem", directory / "key.pem"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return certificate_file, context


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    def trust(certificate_file: Path) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate_file))
        door._tls.cache_clear()

    yield trust
    door._tls.cache_clear()


def test_encryption_is_to_the_name_though_the_connection_is_to_an_address(
    tmp_path: Path, names: Callable[..., list[str]], trusting: Callable[[Path], None]
):
    certificate_file, server_side = certificate(tmp_path, "crm.example")
    asked_for: list[str | None] = []
    server_side.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    trusting(certificate_file)
    names("crm.example", ["127.0.0.1"])
    with Receiver(tls=server_side) as receiver:
        assert door.post(receiver.at("crm.example"), body=b"{}", headers={}).status == 200
        assert asked_for == ["crm.example"]
        assert receiver.came[0].headers["host"] == f"crm.example:{receiver.port}"
        assert broken(receiver.at("127.0.0.1")) == "bad_certificate"
        (tmp_path / "other").mkdir()
        trusting(certificate(tmp_path / "other", "crm.example")[0])
        assert broken(receiver.at("crm.example")) == "bad_certificate"
