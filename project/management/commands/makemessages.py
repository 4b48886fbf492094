"""Django's `makemessages`, which also knows `_now`: our name for a text that is translated at once."""

from django.core.management.commands import makemessages


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_now"]
