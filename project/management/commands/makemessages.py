"""Django's `makemessages`, told two things more."""

from django.core.management.commands import makemessages


class Command(makemessages.Command):
    # `_now` is our name for a text that is translated at once.
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_now"]
    # A translation guessed from a similar text is worse than none.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]
