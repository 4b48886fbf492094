"""What all errors about one value share."""

from apps.metrica.text import Text


class BadValue(ValueError):
    """A value that Metrica would not take. `code` is stable, `message` is a sentence for people.

    The value itself is not kept: it may be personal.
    """

    def __init__(self, code: str, message: Text) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
