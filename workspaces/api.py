"""The part of the API about people: signing in and out, organizations, workspaces, members, tokens."""

from django.db import connection
from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from flashback.schemas import Answer, Success

router = Router(tags=["Service"], auth=None)


class Health(Answer):
    """The service and its storage answer; when they do not, the status is 503."""

    message: str = Field(description="One sentence for people.", examples=["Flashback is well."])
    status: str = Field(description="Always healthy here.", examples=["healthy"])
    database: str = Field(description="Kind of database that answered.", examples=["postgresql"])


@router.get("/", response=Success)
def show_service(request: HttpRequest) -> Success:
    """Tell that the service is up.

    Asks no database. Nobody has to sign in for it.
    """
    return Success(message="Flashback is up.")


@router.get("/health", response=Health)
def show_health(request: HttpRequest) -> Health:
    """Tell that the service and its database answer.

    Nobody has to sign in for it. /healthz/ready, outside the API, looks deeper.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Health(message="Flashback is well.", status="healthy", database=connection.vendor)
