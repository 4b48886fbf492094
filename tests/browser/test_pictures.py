"""The page of the pictures shows those that `make screenshots` takes."""

from tests.browser.screenshots import SHEET, contact_sheet


def test_the_page_of_the_pictures_is_up_to_date():
    assert SHEET.read_text("utf-8") == contact_sheet()
