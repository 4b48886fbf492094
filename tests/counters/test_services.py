"""Settings of a counter: what is refused, and what a change sets off."""

import pytest
from django.core.exceptions import ValidationError

from apps.counters.models import Counter
from apps.counters.services import update_counter
from tests.factories import make_counter

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("mode", "both", "invalid_choice"),
        ("delivery", "never", "invalid_choice"),
        ("schedule", "soon", "bad_schedule"),
        ("time_zone", "Moscow", "unknown_time_zone"),
        ("time_zone", "Europe", "unknown_time_zone"),
        ("currency", "RUR", "unknown_currency"),
    ],
)
def test_what_cannot_be_delivered_is_refused_with_its_field(field, value, code):
    counter = make_counter()
    with pytest.raises(ValidationError) as caught:
        update_counter(counter=counter, **{field: value})
    assert [error.code for error in caught.value.error_dict[field]] == [code]
    assert getattr(Counter.objects.get(), field) == getattr(counter, field)
