"""Pages of agencies, their people and their API keys."""

from apps.agencies.tenant_admin import PlatformAdmin, TenantAdmin, TenantRules, TenantStackedInline, TenantTabularInline

__all__ = ["PlatformAdmin", "TenantAdmin", "TenantRules", "TenantStackedInline", "TenantTabularInline"]
