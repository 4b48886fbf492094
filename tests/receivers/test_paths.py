"""The language of paths: what it finds, what it refuses, and that it never breaks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.receivers import bodies, paths
from apps.receivers.paths import PathError

DOCUMENT = {
    "order": {
        "id": 7,
        "phones": [{"number": "1"}, {"number": "2"}],
        "a.b": "dotted",
        "empty": "",
        "none": None,
        "fields": [{"name": "Source", "value": "x"}, {"name": "ClientID", "value": "17"}],
    },
    "Имя": "Анна",
    "tags": ["a", "b"],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("order.id", [7]),
        ("order.phones[0].number", ["1"]),
        ("order.phones[-1].number", ["2"]),
        ("order.phones[9].number", []),
        ("order.phones[*].number", ["1", "2"]),
        ("order.fields[name=clientid].value", ["17"]),
        ("order.fields[name=nobody].value", []),
        ('order["a.b"]', ["dotted"]),
        ("order.empty", []),
        ("order.none | order.empty | Имя", ["Анна"]),
        ("Имя + order.id", ["Анна 7"]),
        ("Имя + order.empty", ["Анна"]),
        ("order.none + order.empty", []),
        ("=RUB", ["RUB"]),
        ("order.none | =RUB", ["RUB"]),
        ("tags[*]", ["a", "b"]),
        ("order.id[*]", [7]),
        ("tags[0] | tags[1]", ["a"]),
        (" order . id ", [7]),
    ],
)
def test_what_a_path_finds(path: str, found: list[Any]) -> None:
    assert paths.read(path).values(DOCUMENT) == found


@pytest.mark.parametrize(
    "path", ["", ".", "a.", "a..b", "a[", "a[]", "a]", "|", "a |", "=", "a + ", "[x", 'a["b', "x" * 501]
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(PathError) as refused:
        paths.read(path)
    assert str(refused.value.message)


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    try:
        path = paths.read(text)
    except PathError:
        return
    path.values(DOCUMENT)
    path.values([1, None, {"a": []}])


_documents = st.recursive(
    st.one_of(st.integers(-5, 5), st.text(min_size=1, max_size=5).filter(str.strip)),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3), st.dictionaries(st.text(max_size=5), inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)


@given(_documents)
def test_every_path_that_is_offered_finds_what_it_shows(document: Any) -> None:
    for path, shown in paths.known_paths(document):
        assert str(paths.read(path).first(document))[:60] == shown, path


def test_forms_as_php_writes_them() -> None:
    body = b"a[0][x]=1&a[1][x]=2&b[c][]=3&b[c][]=4&d=5&d=6&e=&f[k]=7&g[0=8&h[0][0]=9"
    assert bodies.read(body, content_type="") == {
        "a": [{"x": "1"}, {"x": "2"}],
        "b": {"c": ["3", "4"]},
        "d": ["5", "6"],
        "e": "",
        "f": {"k": "7"},
        "g[0": "8",
        "h": [["9"]],
    }


def test_numbers_stay_as_they_are() -> None:
    document = bodies.read(b'{"a": 0.1, "b": 12345678901234567890, "c": 1e3, "d": 5}', content_type="application/json")
    assert document == {"a": "0.1", "b": "12345678901234567890", "c": "1000", "d": 5}


def test_keys_of_the_crm_are_hidden_and_nothing_else() -> None:
    given = {"auth": {"access_token": "x", "application_token": "y", "domain": "z"}, "apiKey": "k", "tokens_left": 3}
    assert bodies.clean(given) == {
        "auth": {"access_token": "[hidden]", "application_token": "[hidden]", "domain": "z"},
        "apiKey": "[hidden]",
        "tokens_left": 3,
    }


@given(st.binary(max_size=80))
def test_no_body_breaks_it(body: bytes) -> None:
    try:
        document = bodies.read(body, content_type="application/x-www-form-urlencoded")
    except bodies.BadBody:
        return
    bodies.dumped(bodies.clean(document)).encode()
