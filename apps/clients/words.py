"""A part of a name as the database computes it, for an index and for who looks by that index."""

from typing import Any

from django.db.models import CharField, Func
from django.utils.deconstruct import deconstructible


@deconstructible(path="apps.clients.words.AfterFirstWord")
class AfterFirstWord(Func):
    """What stands behind the first space; all of it where there is none. A surname behind its first name, a firm behind
    its legal form. Written without parameters: SQLite knows the expression of an index by its text."""

    arity = 1
    template = "SUBSTR(%(expressions)s, INSTR(%(expressions)s, ' ') + 1)"
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "SUBSTR(%(expressions)s, STRPOS(%(expressions)s, ' ') + 1)"
        return self.as_sql(compiler, connection, template=template, **context)
