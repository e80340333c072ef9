"""The routes of the console. None of our own ends in a slash (the admin site's do), and Django adds none."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from ai_llm import help_views, operators
from flashback import api, envelope, metrics
from flashback.styleguide import styleguide
from workspaces import account_views, address, views

handler500 = "flashback.web.server_error"
handler404 = "flashback.web.not_found"
handler403 = "flashback.web.forbidden"
handler400 = "flashback.web.bad_request"

developers = [path("styleguide", styleguide, name="styleguide")] if settings.DEBUG else []
urlpatterns: list[URLPattern | URLResolver] = [
    path("", address.home, name="home"),
    path("setup/<str:token>", views.set_up, name="setup"),
    path("account", account_views.account, name="account"),
    path("account/", include("workspaces.account_urls")),
    path("", include("workspaces.people_urls")),
    path("metrics", metrics.page, name="metrics"),
    path("help", help_views.index, name="help"),
    path("help/<slug:name>", help_views.section, name="help_section"),
    path("", include("workspaces.space_urls")),
    path("w/<slug:slug>/", include("ai_llm.urls")),
    path("w/<slug:slug>/", include("repositories.urls")),
    path("api/", api.urls),
    re_path(r"^api/(?P<path>.*)$", envelope.nothing, name="api_nothing"),
    *developers,
    path("admin", RedirectView.as_view(url="/admin/"), name="admin"),
    path("admin/keys/", operators.keys_page, name="operator_keys"),
    path("admin/", admin.site.urls),
]
