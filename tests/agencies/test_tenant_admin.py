"""What every page of the admin gets from its base: choices, filters and refusals that keep agencies apart."""

from typing import Any

import pytest
from django.contrib.admin.sites import AlreadyRegistered
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.test import RequestFactory
from unfold.contrib.filters.admin import RelatedCheckboxFilter, RelatedDropdownFilter

from apps.agencies.access import actor_for_user
from apps.agencies.actor import NOBODY, Right
from apps.agencies.admin import PlatformAdmin, TenantAdmin, TenantTabularInline
from apps.agencies.filters import TenantRelatedFilter
from apps.agencies.models import Agency, ApiKey, Role, User
from apps.agencies.paginator import LimitedPaginator
from apps.agencies.site import GoalpostAdminSite
from apps.counters.models import Counter, MetricaAccount
from tests.factories import make_agency, make_member, make_membership, make_staff

pytestmark = pytest.mark.django_db


class Counters(TenantAdmin):
    list_display = ("name",)
    list_filter = ("account", ("agency", RelatedDropdownFilter), ("account__agency", RelatedCheckboxFilter), "mode")
    fields = ("agency", "account", "metrica_id", "name")


class Keys(TenantAdmin):
    fields = ("agency", "name")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.save()  # the refusal below takes this back
        if form.cleaned_data["name"] == "nowhere":
            raise ValidationError("No such thing anywhere.")
        if form.cleaned_data["name"] == "bad":
            raise ValidationError({"name": ["Not this one."], "prefix": ["Nor this prefix."]})


class CountersInline(TenantTabularInline):
    model = Counter
    fields = ("account", "name", "metrica_id")


class Accounts(TenantAdmin):
    inlines = (CountersInline,)
    autocomplete_fields = ()


@pytest.fixture
def site() -> GoalpostAdminSite:
    site = GoalpostAdminSite("tests")
    site.register(Counter, Counters)
    site.register(MetricaAccount, Accounts)
    return site


@pytest.fixture
def north() -> Agency:
    return make_agency("north")


@pytest.fixture
def south() -> Agency:
    return make_agency("south")


@pytest.fixture
def accounts(north: Agency, south: Agency) -> dict[str, MetricaAccount]:
    return {
        agency.slug: MetricaAccount.objects.create(agency=agency, login=f"{agency.slug}-login")
        for agency in (north, south)
    }


def ask(user: User | None, method: str = "get", data: dict[str, Any] | None = None) -> HttpRequest:
    request = getattr(RequestFactory(), method)("/", data or {})
    request.user = user
    request.actor = actor_for_user(user) if user else NOBODY
    request._dont_enforce_csrf_checks = True
    request.session, request._messages = {}, _Messages()
    return request


class _Messages(list[Any]):
    def add(self, level: int, message: str, extra_tags: str = "") -> None:
        self.append(message)


def test_rows_are_those_of_the_actor(site: GoalpostAdminSite, accounts: dict[str, MetricaAccount], north: Agency):
    page = site.get_model_admin(MetricaAccount)
    assert list(page.get_queryset(ask(make_member(north)))) == [accounts["north"]]
    assert page.get_queryset(ask(make_staff())).count() == 2
    assert page.get_queryset(ask(None)).count() == 0


def test_a_request_without_an_actor_sees_and_may_nothing(site: GoalpostAdminSite, accounts: dict[str, MetricaAccount]):
    request = RequestFactory().get("/")
    page = site.get_model_admin(MetricaAccount)
    assert page.get_queryset(request).count() == 0
    rights = ("view", "add", "change", "delete", "module", "read", "operate", "administer")
    assert not any(getattr(page, f"has_{right}_permission")(request) for right in rights)


def test_relations_offer_what_is_visible_and_take_nothing_else(
    site: GoalpostAdminSite, accounts: dict[str, MetricaAccount], north: Agency
):
    user = make_member(north)
    page = site.get_model_admin(Counter)
    form_class = page.get_form(ask(user))
    fields = form_class.base_fields
    assert list(fields["account"].queryset) == [accounts["north"]]
    assert list(fields["agency"].queryset) == [north]
    data = {"agency": north.pk, "account": accounts["south"].pk, "metrica_id": 7, "name": "x"}
    assert "account" in form_class(data).errors


def test_inlines_offer_what_is_visible(site: GoalpostAdminSite, accounts: dict[str, MetricaAccount], north: Agency):
    request = ask(make_member(north))
    (inline,) = site.get_model_admin(MetricaAccount).get_inline_instances(request)
    form = inline.get_formset(request).form
    assert list(form.base_fields["account"].queryset) == [accounts["north"]]


@pytest.mark.parametrize(("role", "may"), [(Role.OWNER, True), (Role.MANAGER, True), (Role.ANALYST, False)])
def test_inlines_are_changed_by_who_may(site: GoalpostAdminSite, north: Agency, role: str, may: bool):
    request = ask(make_member(north, role))
    (inline,) = site.get_model_admin(MetricaAccount).get_inline_instances(request)
    assert inline.has_view_permission(request)
    assert inline.has_change_permission(request) == inline.has_add_permission(request, None) == may
    assert not inline.has_delete_permission(request)


def test_filters_over_relations_offer_what_is_visible(
    site: GoalpostAdminSite, accounts: dict[str, MetricaAccount], north: Agency
):
    user = make_member(north)
    Counter.objects.create(agency=north, metrica_id=1, name="ours", account=accounts["north"])
    page = site.get_model_admin(Counter)
    request = ask(user)
    kinds = dict(item for item in page.get_list_filter(request) if isinstance(item, tuple))
    assert kinds == dict.fromkeys(("account", "agency", "account__agency"), TenantRelatedFilter)
    changes = page.get_changelist_instance(request)
    offered = [label for spec in changes.filter_specs for _, label in getattr(spec, "lookup_choices", [])]
    assert "north-login" in offered
    assert not {"south-login", "South"} & set(offered)


def test_what_is_not_visible_is_not_there(site: GoalpostAdminSite, accounts: dict[str, MetricaAccount], north: Agency):
    page = site.get_model_admin(MetricaAccount)
    request = ask(make_member(north))
    theirs = str(accounts["south"].pk)
    for view in (page.change_view, page.delete_view, page.history_view):
        with pytest.raises(Http404):
            view(request, theirs)
    for nonsense in ("x", "0", "99999999999999999999", "1; DROP TABLE", ""):
        with pytest.raises(Http404):
            page.get_or_404(request, nonsense)
    assert page.get_or_404(request, accounts["north"].pk) == accounts["north"]


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("nowhere", {"__all__": ["No such thing anywhere."]}),
        ("bad", {"name": ["Not this one."], "__all__": ["Nor this prefix."]}),
    ],
)
def test_what_a_service_refuses_is_shown_in_the_form_and_nothing_is_kept(
    north: Agency, name: str, errors: dict[str, list[str]]
):
    site = GoalpostAdminSite("tests")
    site.register(ApiKey, Keys)
    answer = site.get_model_admin(ApiKey).add_view(ask(make_member(north), "post", {"agency": north.pk, "name": name}))
    assert answer.context_data["adminform"].form.errors == errors
    assert answer.context_data["adminform"].form["name"].value() == name
    assert not ApiKey.objects.exists()


def test_the_agency_of_what_is_made(site: GoalpostAdminSite, north: Agency, south: Agency):
    page = site.get_model_admin(Counter)

    class Form:
        cleaned_data: dict[str, Any] = {}

    assert page.agency_for_new(ask(make_member(north)), Form) == north
    with pytest.raises(ValidationError, match="Choose an agency"):
        page.agency_for_new(ask(make_staff()), Form)
    Form.cleaned_data = {"agency": south}
    assert page.agency_for_new(ask(make_staff()), Form) == south


def test_pages_for_staff_are_for_staff(north: Agency):
    class Everything(PlatformAdmin):
        add_right = change_right = Right.ADMINISTER

    site = GoalpostAdminSite("tests")
    site.register(User, Everything)
    page = site.get_model_admin(User)
    owner, staff = ask(make_member(north, Role.OWNER)), ask(make_staff())
    for request, may in ((owner, False), (staff, True)):
        assert page.has_view_permission(request) == page.has_add_permission(request) == may
        assert page.get_queryset(request).exists() == may
    with pytest.raises(AlreadyRegistered):
        site.register(User, Everything)


def test_staff_who_look_at_one_agency_are_staff_still(north: Agency, south: Agency):
    request = ask(make_staff())
    request.actor = actor_for_user(request.user, south.pk)
    site = GoalpostAdminSite("tests")
    site.register(User, PlatformAdmin)
    assert site.get_model_admin(User).has_view_permission(request)
    assert site.has_permission(request)


def test_long_lists_are_not_counted_to_the_end(
    north: Agency, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries
):
    monkeypatch.setattr(LimitedPaginator, "COUNT_LIMIT", 5)
    for _ in range(9):
        make_membership(north, role=Role.ANALYST)
    pages = LimitedPaginator(User.objects.order_by("email"), 2)
    with django_assert_num_queries(1) as asked:
        assert (pages.count, pages.num_pages) == (5, 3)
    assert "LIMIT 5" in asked.captured_queries[0]["sql"]
    assert LimitedPaginator([1, 2, 3], 2).count == 3
    assert LimitedPaginator(User.objects.none(), 2).count == 0
