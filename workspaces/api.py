"""The part of the API about people: signing in and out, organizations, workspaces, members, tokens."""

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from flashback.schemas import Output

router = Router(tags=["Service"], auth=None)


class ServiceUp(Output):
    """The service answers."""

    success: bool = Field(description="Whether everything that was looked at is well.", examples=[True])
    message: str = Field(description="One sentence for people.", examples=["Flashback is up."])


@router.get("/", response=ServiceUp)
def show_service(request: HttpRequest) -> ServiceUp:
    """Tell that the service is up.

    Asks no database. Nobody has to sign in for it.
    """
    return ServiceUp(success=True, message="Flashback is up.")
