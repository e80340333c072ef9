"""One's own account over the API: browser sessions, another e-mail address, and how one likes things."""

from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from flashback import mail
from flashback.schemas import EXAMPLE_MOMENT, Answer, Input, Output, Success
from workspaces import bearer, email_change, own_sessions, people
from workspaces.models import User

router = Router(tags=["Account"])
AUTO = "auto"
THEME = "How the console looks: auto (as the device has it), light or dark."
REMINDERS = "Whether I want a mail before secrets expire."
REJECTIONS = "Whether I want a mail when a provider rejects a stored secret."
PROPOSED = "The last part of the link in the mail."


class SessionRow(Output):
    """One browser in which I am signed in."""

    id: str = Field(description="Id of the session; not its key.", examples=["9b2f6f0f5d1f4b0e8a7c6d5e"])
    device: str = Field(description="Program.", examples=["Firefox on Linux"])
    ip: str = Field(description="Address that it was last seen at; empty for unknown.", examples=["192.0.2.10"])
    signed_in_at: datetime = Field(description="When it began.", examples=[EXAMPLE_MOMENT])
    last_seen_at: datetime = Field(description="When it was last seen, to within 5 minutes.", examples=[EXAMPLE_MOMENT])


class Sessions(Answer):
    """The browsers in which I am signed in, the last seen first."""

    sessions: list[SessionRow] = Field(description="The sessions.")


class SessionsEnded(Success):
    """How many sessions were ended."""

    ended: int = Field(description="How many.", examples=[2])


class NewEmail(Input):
    """The address to move to."""

    email: str = Field(description="E-mail address.", max_length=1024, examples=["ada@example.org"])


class EmailLink(Input):
    """What the mail to the new address has."""

    token: str = Field(description=PROPOSED, max_length=4096, examples=["eyJwZXJzb24iOiI2ZjFjMmY2ZSJ9:1t…"])


class EmailChanged(Success):
    """The address that I sign in with from now on."""

    email: str = Field(description="E-mail address.", examples=["ada@example.org"])


class Preferences(Output):
    """How I like things."""

    theme: Literal["auto", "light", "dark"] = Field(description=THEME, examples=["dark"])
    reminder_mails: bool = Field(description=REMINDERS, examples=[True])
    rejection_mails: bool = Field(description=REJECTIONS, examples=[True])


class PreferencesAnswer(Answer):
    """How I like things."""

    data: Preferences = Field(description="My preferences.")


class PreferencesChange(Input):
    """How I like things; what is absent or null stays."""

    theme: Literal["auto", "light", "dark"] | None = Field(default=None, description=THEME, examples=["dark"])
    reminder_mails: bool | None = Field(default=None, description=REMINDERS, examples=[True])
    rejection_mails: bool | None = Field(default=None, description=REJECTIONS, examples=[False])


@router.get("/user/sessions", response=Sessions)
def list_sessions(request: HttpRequest) -> Sessions:
    """List the browsers in which I am signed in to the console, the last seen first.

    Sign-ins over the API are at /token.
    """
    rows = own_sessions.of(bearer.caller(request).person, None)
    return Sessions(
        sessions=[
            SessionRow(
                id=one.mark,
                device=one.program,
                ip=one.ip,
                signed_in_at=one.signed_in_at,
                last_seen_at=one.seen_at,
            )
            for one in rows
        ]
    )


@router.delete("/user/sessions", response=SessionsEnded)
def end_sessions(request: HttpRequest) -> SessionsEnded:
    """Sign me out of the console in every browser, at once.

    Sign-ins over the API stay, this one too.
    """
    number = own_sessions.end_others(bearer.caller(request).person, None)
    done = f"Signed out in {number} browser{'' if number == 1 else 's'}."
    return SessionsEnded(ended=number, message=done if number else "You are signed in in no browser.")


@router.delete("/user/sessions/{slug:id}", response=Success)
def end_session(request: HttpRequest, id: str) -> Success:
    """Sign me out of the console in one browser, at once."""
    own_sessions.end(bearer.caller(request).person, id)
    return Success(message="Signed out there.")


@router.post("/user/email", response=Success)
def request_email_change(request: HttpRequest, body: NewEmail) -> Success:
    """Ask for another e-mail address: a link goes to it, good for an hour and once.

    Until that is followed I sign in with the present one. The answer is the same for an address that somebody has
    already. Possible within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    caller.require_recent("change your e-mail address")
    sent = email_change.request(caller.person, body.email)
    if mail.delivers():
        return Success(message=f"A link is on its way to {sent}.")
    return Success(message=f"No mail server is configured: the mail to {sent} is printed in the server's terminal.")


@router.post("/user/email/confirm", response=EmailChanged, auth=None)
def confirm_email_change(request: HttpRequest, body: EmailLink) -> EmailChanged:
    """Move to the address of a mailed link, as following it does.

    Nobody has to sign in for it: the link proves who it is. 409 when it does not work any more.
    """
    person = email_change.confirm(body.token)
    return EmailChanged(email=person.email, message=f"You sign in with {person.email} from now on.")


@router.get("/user/preferences", response=PreferencesAnswer)
def show_preferences(request: HttpRequest) -> PreferencesAnswer:
    """Show how the console looks for me, and which mails I want."""
    return PreferencesAnswer(data=_preferences(bearer.caller(request).person))


@router.put("/user/preferences", response=PreferencesAnswer)
def update_preferences(request: HttpRequest, body: PreferencesChange) -> PreferencesAnswer:
    """Change how the console looks for me, and which mails I want; what is absent stays."""
    person = bearer.caller(request).person
    given = {name: value for name, value in body.given().items() if value is not None}
    if given:
        wanted = {**_preferences(person).model_dump(), **given}
        theme = "" if wanted.pop("theme") == AUTO else str(given.get("theme", person.theme))
        person = people.choose(person, theme=theme, **wanted)
    return PreferencesAnswer(data=_preferences(person))


def _preferences(person: User) -> Preferences:
    return Preferences.model_validate(
        {
            "theme": person.theme or AUTO,
            "reminder_mails": person.reminder_mails,
            "rejection_mails": person.rejection_mails,
        }
    )
