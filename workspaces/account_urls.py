"""allauth's pages one by one, under allauth's names, without a slash at the end. Signing up is not among them."""

from allauth.account import views as allauth
from allauth.mfa.base import views as mfa
from django.urls import path, re_path

from flashback import mail
from workspaces import account_views, second_factor_views, token_views
from workspaces.sessions import leaving
from workspaces.views import answering

HOUR = 3600
TOLD = {"mail_delivered": mail.delivers}  # asked by the template

urlpatterns = [
    path("tokens", token_views.mine, name="api_tokens"),
    path("tokens/new", token_views.new_mine, name="api_token_new"),
    path("tokens/<uuid:id>/revoke", token_views.revoke_mine, name="api_token_revoke"),
    path("theme", account_views.theme, name="account_theme"),
    path("email", account_views.email, name="email_change"),
    path("email/confirm/<str:token>", account_views.confirm_email, name="email_confirm"),
    path("sessions", account_views.sessions, name="account_sessions"),
    path("sessions/end", account_views.end_other_sessions, name="account_sessions_end"),
    path("sessions/<slug:mark>/end", account_views.end_session, name="account_session_end"),
    path("2fa", second_factor_views.index, name="mfa_index"),
    path("2fa/authenticate", answering(second_factor_views.authenticate), name="mfa_authenticate"),
    path("2fa/reauthenticate", answering(mfa.reauthenticate), name="mfa_reauthenticate"),
    path("2fa/totp/activate", second_factor_views.activate, name="mfa_activate_totp"),
    path("2fa/totp/deactivate", second_factor_views.deactivate, name="mfa_deactivate_totp"),
    path("2fa/recovery-codes/generate", second_factor_views.renew_codes, name="mfa_generate_recovery_codes"),
    path("2fa/recovery-codes/download", second_factor_views.download_codes, name="mfa_download_recovery_codes"),
    path("login", answering(allauth.login), name="account_login"),
    path("logout", leaving(answering(allauth.logout)), name="account_logout"),
    path("inactive", allauth.account_inactive, name="account_inactive"),
    path("reauthenticate", answering(allauth.reauthenticate), name="account_reauthenticate"),
    path("password/change", answering(allauth.password_change), name="account_change_password"),
    path("password/set", answering(allauth.password_set), name="account_set_password"),
    path(
        "password/reset",
        answering(allauth.PasswordResetView.as_view(extra_context=TOLD), wait=HOUR),
        name="account_reset_password",
    ),
    path(
        "password/reset/done",
        allauth.PasswordResetDoneView.as_view(extra_context=TOLD),
        name="account_reset_password_done",
    ),
    path(
        "password/reset/key/done",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)$",
        answering(allauth.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
]
