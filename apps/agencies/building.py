"""Indexes of tables with millions of rows, built and dropped while others go on writing: for migrations that are not
`atomic`."""

from typing import Any

from django.db import migrations


class AddIndexBeside(migrations.AddIndex):
    """On PostgreSQL concurrently. What an attempt that broke off left behind is of no use to anybody and goes first."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if not _beside(schema_editor):
            schema_editor.add_index(model, self.index)
            return
        schema_editor.remove_index(model, self.index, concurrently=True)
        schema_editor.add_index(model, self.index, concurrently=True)


class RemoveIndexBeside(migrations.RemoveIndex):
    """As `AddIndexBeside`."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        index = from_state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
        if _beside(schema_editor):
            schema_editor.remove_index(model, index, concurrently=True)
        else:
            schema_editor.remove_index(model, index)


def _beside(schema_editor: Any) -> bool:
    """Not where all migrations are one transaction, as in a database being restored: nobody else writes there."""
    connection = schema_editor.connection
    return connection.vendor == "postgresql" and not connection.in_atomic_block
