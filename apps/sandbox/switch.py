"""What a switch is: a question that Metrica's documents leave open, and the answers that it may have here."""

from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Switch:
    name: str
    question: str | Promise
    values: dict[str, str | Promise]  # value → what it means; the first one is the default

    @property
    def default(self) -> str:
        return next(iter(self.values))
