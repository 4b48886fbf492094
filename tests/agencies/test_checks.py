"""Settings that would let agencies see each other are refused."""

import pytest
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from unfold.sites import UnfoldAdminSite

from apps.agencies.checks import check_admin_site, check_middleware
from apps.agencies.models import Agency
from apps.agencies.site import GoalpostAdminSite


def test_the_projects_own_settings_pass():
    assert check_admin_site() == check_middleware() == []


def test_the_themes_own_site_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admin, "site", UnfoldAdminSite())
    assert [error.id for error in check_admin_site()] == ["agencies.E001"]


@pytest.mark.parametrize("spoil", [lambda order: order[::-1], lambda order: order[:-6], lambda order: []])
def test_middleware_that_does_not_name_the_actor_is_refused(settings, spoil):
    settings.MIDDLEWARE = spoil(list(settings.MIDDLEWARE))
    assert [error.id for error in check_middleware()] == ["agencies.E002"]


def test_a_model_of_ours_without_the_tenant_rules_is_refused():
    with pytest.raises(ImproperlyConfigured, match="TenantAdmin"):
        GoalpostAdminSite("other").register(Agency, admin.ModelAdmin)


def test_pages_that_libraries_bring_along_are_left_out():
    from django.contrib.auth.models import Group

    site = GoalpostAdminSite("other")
    site.register(Group, admin.ModelAdmin)
    assert site._registry == {}
    labels = {model._meta.app_label for model in admin.site._registry}
    assert not labels & {"auth", "axes", "django_q", "sessions", "contenttypes"}
