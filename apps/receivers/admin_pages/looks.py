"""How receivers and posts look: a badge for how it is, a sentence for why."""

from django.utils.translation import gettext as _now

from apps.counters.templatetags.goalpost import badge
from apps.receivers.models import Post, PostState, Receiver
from apps.receivers.problems import describe

_TONES = {
    PostState.WAITING: ("info", "schedule"),
    PostState.FAILED: ("warn", "refresh"),
    PostState.DONE: ("good", "check_circle"),
    PostState.IGNORED: ("quiet", "do_not_disturb_on"),
    PostState.HELD: ("bad", "pan_tool"),
}


def state_look(post: Post) -> str:
    tone, icon = _TONES[PostState(post.state)]
    return badge(post.get_state_display(), tone, icon, why(post))


def why(post: Post) -> str:
    """What is the matter with the post; empty where nothing is."""
    problem = describe(post.error_code)
    return str(problem.message) if problem else ""


def step(post: Post) -> str:
    problem = describe(post.error_code)
    return str(problem.step) if problem else ""


def look(receiver: Receiver, *, held: bool, last: Post | None) -> str:
    """How it is with the receiver."""
    if not receiver.active:
        return badge(_now("Switched off"), "quiet", "pause_circle")
    if held:
        return badge(_now("Needs a person"), "bad", "pan_tool")
    if not receiver.is_mapped:
        return badge(_now("Fields are not mapped"), "warn", "help")
    if last is None:
        return badge(_now("Nothing came yet"), "quiet", "help")
    if last.state == PostState.FAILED:
        return badge(_now("The CRM is silent"), "warn", "refresh")
    return badge(_now("Works"), "good", "check_circle")
