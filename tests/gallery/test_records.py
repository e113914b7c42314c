"""Filters that cannot be are refused when they are made."""

import pytest

from facekit.errors import InvalidArgument
from facekit.gallery.records import Where


@pytest.mark.parametrize("date", ["31.5.2024", "2024-5-3", "2024", "2024-02-30", 7])
def test_a_date_that_is_none(date):
    with pytest.raises(InvalidArgument, match="Write it like 2024-05-31"):
        Where(since=date)
    with pytest.raises(InvalidArgument, match="Write it like 2024-05-31"):
        Where(until=date)


def test_one_text_where_many_are_meant():
    with pytest.raises(InvalidArgument, match="tuple"):
        Where(people="Ann")
