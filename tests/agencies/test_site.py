"""Who gets into the admin, what those see who do not, and that language and agency follow the person."""

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from apps.agencies.middleware import SESSION_KEY
from apps.agencies.models import Agency, Membership, Role, User
from tests.factories import PASSWORD, make_agency, make_key, make_member, make_membership, make_staff, make_user

pytestmark = pytest.mark.django_db

PEOPLE = "admin:agencies_membership_changelist"


@pytest.fixture(autouse=True)
def _as_before():
    yield
    translation.activate("en")
    timezone.deactivate()


@pytest.fixture
def north() -> Agency:
    return make_agency("north", "North Agency")


@pytest.fixture
def south() -> Agency:
    return make_agency("south", "South Agency")


@pytest.fixture
def pat(north: Agency, south: Agency) -> User:
    """Owner in one agency, analyst in the other."""
    user = make_user("pat@example.com")
    make_membership(north, user, Role.OWNER)
    make_membership(south, user, Role.ANALYST)
    return user


def text_of(client: Client, name: str = PEOPLE) -> str:
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    return answer.content.decode()


# Logging in


def test_whoever_is_not_logged_in_is_led_to_the_login_page_and_back(client: Client, north: Agency):
    user = make_member(north)
    answer = client.get(reverse(PEOPLE))
    assert answer.url == f"{reverse('admin:login')}?next={reverse(PEOPLE)}"  # type: ignore[attr-defined]
    page = client.get(answer.url)  # type: ignore[attr-defined]
    assert page.status_code == 200
    answer = client.post(answer.url, {"username": user.email.upper(), "password": PASSWORD, "next": reverse(PEOPLE)})  # type: ignore[attr-defined]
    assert answer.status_code == 302
    assert answer.url == reverse(PEOPLE)


def test_a_wrong_password_does_not_open(client: Client, north: Agency):
    user = make_member(north)
    answer = client.post(reverse("admin:login"), {"username": user.email, "password": "wrong"})
    assert answer.status_code == 200
    assert "_auth_user_id" not in client.session


def test_too_many_wrong_passwords_lock_the_door_even_for_the_right_one(client: Client, north: Agency, settings):
    user = make_member(north)
    for attempt in range(settings.AXES_FAILURE_LIMIT):
        name = user.email.upper() if attempt % 2 else user.email
        last = client.post(reverse("admin:login"), {"username": name, "password": "wrong"})
    assert last.status_code == 429
    answer = client.post(reverse("admin:login"), {"username": user.email, "password": PASSWORD})
    assert answer.status_code == 429
    assert "_auth_user_id" not in client.session
    assert "Wait a quarter of an hour" in answer.content.decode()
    somebody_else = make_member(north)
    answer = client.post(reverse("admin:login"), {"username": somebody_else.email, "password": PASSWORD})
    assert answer.status_code == 302


def test_a_person_switched_off_does_not_get_in(client: Client, north: Agency):
    user = make_member(north)
    client.force_login(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get(reverse(PEOPLE)).status_code == 302


def test_logging_out(client: Client, north: Agency):
    client.force_login(make_member(north))
    assert client.post(reverse("admin:logout")).status_code in (200, 302)
    assert client.get(reverse(PEOPLE)).status_code == 302


def test_changing_ones_password(client: Client, north: Agency):
    user = make_member(north)
    client.force_login(user)
    new = "another good battery"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    answer = client.post(reverse("admin:password_change"), data, follow=True)
    assert answer.redirect_chain == [(reverse("admin:password_change_done"), 302)]
    user.refresh_from_db()
    assert user.check_password(new)


# No agency


@pytest.mark.parametrize("path", ["/admin/", "/admin/agencies/membership/", "/admin/login/", "/admin/nothing/here/"])
def test_a_person_without_an_agency_reads_what_to_do(client: Client, path: str):
    client.force_login(make_user("lost@example.com"))
    answer = client.get(path)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "lost@example.com" in page
    assert "Ask the owner of your agency" in page
    assert 'id="nav-sidebar' not in page


def test_a_person_without_an_agency_can_log_out(client: Client):
    client.force_login(make_user())
    client.post(reverse("admin:logout"))
    assert "_auth_user_id" not in client.session


def test_who_is_removed_is_out_at_once(client: Client, north: Agency):
    user = make_member(north)
    client.force_login(user)
    assert "North Agency" in text_of(client)
    Membership.objects.filter(user=user).delete()
    assert "Ask the owner of your agency" in text_of(client)


def test_a_closed_agency_lets_nobody_in(client: Client, north: Agency):
    client.force_login(make_member(north))
    Agency.objects.update(is_active=False)
    assert "Ask the owner of your agency" in text_of(client)


# Switching


def test_switching_changes_what_one_sees_and_may_do(client: Client, pat: User, north: Agency, south: Agency):
    make_member(south, Role.OWNER, "somebody@south.example")
    client.force_login(pat)
    page = text_of(client)
    assert 'id="agency-switcher"' in page
    assert "somebody@south.example" not in page
    assert client.get(reverse("admin:agencies_apikey_add")).status_code == 200

    answer = client.post(reverse("switch-agency"), {"agency": str(south.pk)})
    assert (answer.status_code, answer.url) == (302, "/admin/")  # type: ignore[attr-defined]
    assert "somebody@south.example" in text_of(client)
    assert client.get(reverse("admin:agencies_apikey_add")).status_code == 403


def test_one_switches_to_ones_own_agencies_only(client: Client, pat: User, north: Agency):
    west = make_agency("west")
    client.force_login(pat)
    for value in (str(west.pk), "all", "", "x", "-1", "99999999999999999999"):
        assert client.post(reverse("switch-agency"), {"agency": value}).status_code == 404
    assert SESSION_KEY not in client.session


def test_a_forged_session_opens_no_other_agency(client: Client, pat: User):
    west = make_agency("west")
    make_member(west, Role.OWNER, "boss@west.example")
    client.force_login(pat)
    session = client.session
    session[SESSION_KEY] = west.pk
    session.save()
    assert "boss@west.example" not in text_of(client)


def test_switching_is_a_post_with_a_token(pat: User, south: Agency):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(pat)
    assert strict.get(reverse("switch-agency"), {"agency": south.pk}).status_code == 405
    assert strict.post(reverse("switch-agency"), {"agency": south.pk}).status_code == 403


def test_switching_leads_nowhere_else(client: Client, pat: User, south: Agency):
    client.force_login(pat)
    for target, leads_to in (
        ("https://evil.example/", "/admin/"),
        ("//evil.example", "/admin/"),
        ("/admin/x/", "/admin/x/"),
    ):
        answer = client.post(reverse("switch-agency"), {"agency": south.pk, "next": target})
        assert answer.url == leads_to  # type: ignore[attr-defined]


def test_anonymous_people_switch_nothing(client: Client, north: Agency):
    answer = client.post(reverse("switch-agency"), {"agency": north.pk})
    assert answer.url.startswith("/admin/login/")  # type: ignore[attr-defined]


def test_who_has_one_agency_sees_its_name_and_no_menu(client: Client, north: Agency):
    client.force_login(make_member(north))
    page = text_of(client)
    assert "North Agency" in page
    assert 'id="agency-switcher"' not in page


def test_platform_staff_see_all_agencies_or_the_one_they_choose(client: Client, north: Agency, south: Agency):
    make_member(north, Role.OWNER, "a@north.example")
    make_member(south, Role.OWNER, "b@south.example")
    client.force_login(make_staff())
    page = text_of(client)
    assert "a@north.example" in page
    assert "b@south.example" in page
    client.post(reverse("switch-agency"), {"agency": str(south.pk)})
    assert "a@north.example" not in text_of(client)
    client.post(reverse("switch-agency"), {"agency": "all"})
    assert "a@north.example" in text_of(client)


def test_a_page_costs_the_same_whoever_many_are_in_the_list(
    client: Client, north: Agency, django_assert_max_num_queries
):
    client.force_login(make_member(north))
    for _ in range(3):
        make_member(north, Role.ANALYST)
    with django_assert_max_num_queries(7) as few:
        text_of(client)
    for _ in range(20):
        make_member(north, Role.ANALYST)
    with django_assert_max_num_queries(len(few)):
        text_of(client)


# A key speaks for itself


def test_a_login_opens_nothing_of_the_api(client: Client, north: Agency, settings):
    from django.http import HttpRequest, HttpResponse

    from apps.agencies.actor import NOBODY
    from apps.agencies.middleware import ActorMiddleware

    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.actor)  # type: ignore[attr-defined]
        return HttpResponse()

    client.force_login(make_member(north))
    for path, known in (("/api/v1/orders/", False), ("/cdp/api/v1/", False), ("/admin/", True)):
        request = HttpRequest()
        request.path = request.path_info = path
        request.session = client.session
        request.user = User.objects.get()
        ActorMiddleware(view)(request)
        assert (seen[-1] is not NOBODY) == known


# Language and time zone


def test_the_language_is_the_browsers_until_one_is_chosen(client: Client, north: Agency):
    user = make_member(north)
    client.force_login(user)
    russian = {"HTTP_ACCEPT_LANGUAGE": "ru"}
    assert client.get(reverse(PEOPLE), **russian).headers["Content-Language"] == "ru"
    assert client.get(reverse(PEOPLE)).headers["Content-Language"] == "en"
    answer = client.post(reverse("set_language"), {"language": "ru", "next": reverse(PEOPLE)})
    assert answer.url == reverse(PEOPLE)  # type: ignore[attr-defined]
    user.refresh_from_db()
    assert user.language == "ru"
    assert client.get(reverse(PEOPLE), HTTP_ACCEPT_LANGUAGE="en").headers["Content-Language"] == "ru"
    elsewhere = Client(headers={"accept-language": "en"})
    elsewhere.force_login(user)
    assert '<html lang="ru"' in elsewhere.get(reverse(PEOPLE)).content.decode()


def test_the_language_of_the_login_page_is_kept_in_a_cookie(client: Client):
    assert '<button type="submit" name="language" value="ru"' in client.get("/admin/login/").content.decode()
    client.post(reverse("set_language"), {"language": "ru", "next": "/admin/login/"})
    assert client.get("/admin/login/").headers["Content-Language"] == "ru"


def test_a_language_that_is_none_is_not_kept(client: Client, north: Agency):
    user = make_member(north)
    client.force_login(user)
    client.post(reverse("set_language"), {"language": "xx"})
    user.refresh_from_db()
    assert user.language == ""


def test_the_switch_is_in_the_page(client: Client, north: Agency):
    client.force_login(make_member(north))
    page = text_of(client)
    assert f'action="{reverse("set_language")}"' in page
    assert "Русский" in page


def test_times_are_the_persons_own(client: Client, north: Agency):
    user = make_member(north)
    User.objects.filter(pk=user.pk).update(time_zone="Asia/Vladivostok")
    client.force_login(user)
    client.get(reverse(PEOPLE))
    assert timezone.get_current_timezone_name() == "Asia/Vladivostok"
    User.objects.filter(pk=user.pk).update(time_zone="Mars/Olympus")
    assert client.get(reverse(PEOPLE)).status_code == 200


def test_a_persons_own_settings(client: Client, north: Agency):
    user = make_member(north)
    client.force_login(user)
    page = reverse("admin:profile")
    assert client.get(page).status_code == 200
    answer = client.post(page, {"name": "Anna", "language": "ru", "time_zone": "Asia/Omsk", "is_superuser": "on"})
    assert answer.status_code == 302
    user.refresh_from_db()
    assert (user.name, user.language, user.time_zone) == ("Anna", "ru", "Asia/Omsk")
    assert not user.is_superuser
    assert client.post(page, {"name": "Anna", "language": "ru", "time_zone": "Mars/Olympus"}).status_code == 200


def test_nothing_tells_whether_an_object_exists(client: Client, north: Agency):
    from django.contrib.contenttypes.models import ContentType

    key, _ = make_key(make_agency())
    client.force_login(make_member(north))
    kind = ContentType.objects.get_for_model(key).pk
    there, nowhere = client.get(f"/admin/r/{kind}/{key.pk}/"), client.get(f"/admin/r/{kind}/987654/")
    assert there.status_code == nowhere.status_code == 404
    assert not list(get_messages(there.wsgi_request))
