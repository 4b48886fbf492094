"""Which rows of an import tell of an erased client: its ids count in their columns, who it was counts anywhere."""

import pytest

from apps.imports.blanking import _names
from apps.imports.columns import read_header
from apps.orders.marks import Marks

HEADER = "id,create_date_time,order_status,client_uniq_id,client_ids,revenue,note"
LAYOUT = read_header(HEADER, delimiter=",", column_map={})
MARKS = Marks.of({"orders": ["3"], "clients": ["7", "100500"], "client_ids": ["42"], "emails": ["a@marked.example"]})


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("3,2026-11-20,PAID,,,1,", True),
        ("4,2026-11-20,PAID,7,,1,", True),
        ("4,2026-11-20,PAID,8,9;42,1,", True),
        ("4,2026-11-20,PAID,8,9,1,see client 100500", True),
        ("4,2026-11-20,A@marked.example,8,9,1,", True),
        ("7,2026-11-20,PAID,3,9,7,3", False),
        ("100500,2026-11-20,PAID,8,9,100500,42", False),
        ("4,2026-11-20,PAID,8,9,1,see client 1005001 or ba@marked.example", False),
        ("a row cut short;7", False),
        ("cut,7", True),
    ],
)
def test_a_row_names_the_client(row: str, named: bool) -> None:
    assert _names(row.split(","), LAYOUT, MARKS) is named
