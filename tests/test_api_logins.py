"""Login tokens: signing in over the API, renewing, signing out, and everything that ends a sign-in."""

from datetime import timedelta

import jwt
import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests import build
from tests.api import Api
from tests.conftest import People
from workspaces import logins
from workspaces.models import Event, User
from workspaces.token_models import Login, RefreshToken


def sign_in(person: User, password: str = build.PASSWORD) -> dict:
    answer = Api().post("/user/login", {"email": person.email, "password": password})
    assert answer.status_code == 200, answer.content
    return answer.json()


def profile(token: str) -> int:
    return Api(token).get("/user/profile").status_code


def actions() -> list[str]:
    return list(Event.objects.order_by("id").values_list("action", flat=True))


def test_a_password_opens_a_sign_in(people: People) -> None:
    answer = sign_in(people.owner)
    claims = jwt.decode(answer["accessToken"], options={"verify_signature": False})
    assert claims["userId"] == str(people.owner.pk) == answer["user"]["id"]
    assert claims["email"] == people.owner.email
    assert claims["orgId"] == str(people.organization.pk) == answer["user"]["orgId"]
    assert claims["type"] == "access"
    assert claims["exp"] == answer["expiresAt"] == claims["iat"] + 3600
    assert answer["success"] is True
    assert answer["user"]["orgRole"] == 255
    assert profile(answer["accessToken"]) == 200
    assert actions() == ["person.signed_in"]


def test_the_profile_is_me(people: People) -> None:
    answer = Api(people.reader).get("/user/profile").json()
    assert answer["success"] is True
    assert answer["data"]["email"] == people.reader.email
    assert (answer["data"]["orgRole"], answer["data"]["orgRoleDescription"]) == (0, "USER")
    assert answer["data"]["orgRoles"] == [0]
    assert Api(people.owner).get("/user/profile").json()["data"]["orgRoles"] == [0, 1, 2, 254, 255]


def test_the_client_sends_device_info_and_an_old_token(people: People) -> None:
    body = {"email": people.owner.email.upper(), "password": build.PASSWORD, "deviceInfo": {"any": ["thing", None]}}
    assert Api("eyJ.old.token").post("/user/login", body).status_code == 200


@pytest.mark.parametrize("email", ["nobody@example.com", "", "not an address", "x" * 254])
def test_who_is_unknown_reads_as_a_wrong_password(email: str, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = User.set_password
    monkeypatch.setattr(User, "set_password", lambda self, raw: (hashed.append(raw), real(self, raw)))
    unknown = Api().post("/user/login", {"email": email, "password": "wrong"})
    assert hashed == ["wrong"]
    wrong = Api().post("/user/login", {"email": people.owner.email, "password": "wrong"})
    assert unknown.status_code == wrong.status_code == 401
    assert (
        unknown.json()
        == wrong.json()
        == {
            "success": False,
            "message": "The e-mail address or the password is not right.",
        }
    )
    assert actions() == ["person.sign_in_failed"] * 2


def test_an_account_that_is_not_active_stays_out(people: People) -> None:
    User.objects.filter(pk=people.reader.pk).update(is_active=False)
    answer = Api().post("/user/login", {"email": people.reader.email, "password": build.PASSWORD})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "ACCOUNT_INACTIVE")
    assert Login.objects.count() == 0


def test_failures_count_together_with_those_of_the_console(people: People) -> None:
    wrong = {"email": people.owner.email, "password": "wrong"}
    for _ in range(3):
        assert Api().post("/user/login", wrong).status_code == 401
    for _ in range(2):
        Client().post("/account/login", {"login": people.owner.email, "password": "wrong"})
    right = Api().post("/user/login", {**wrong, "password": build.PASSWORD})
    assert right.status_code == 429
    assert 0 < int(right.headers["Retry-After"]) <= 900
    assert right.json()["success"] is False
    other = Api().post("/user/login", {"email": people.reader.email, "password": build.PASSWORD})
    assert other.status_code == 200


def test_one_address_may_not_try_without_end(people: People) -> None:
    statuses = [
        Api().post("/user/login", {"email": f"{n}@example.com", "password": "x"}).status_code for n in range(12)
    ]
    assert statuses[:10] == [401] * 10
    assert statuses[10:] == [429] * 2


def test_programs_sign_in_as_often_as_they_need_and_only_wrong_passwords_shut_the_door(
    people: People, settings: object
) -> None:
    right = {"email": people.owner.email, "password": build.PASSWORD}
    assert [Api().post("/user/login", right).status_code for _ in range(15)] == [200] * 15
    for number in range(10):
        Api().post("/user/login", {"email": f"{number}@example.com", "password": "x"})
    assert Api().post("/user/login", right).status_code == 429
    cache.clear()
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_api": "3/m/ip"}
    answers = [Api().post("/user/login", right) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert answers[-1].headers["Retry-After"] == "60"


def test_a_refresh_token_is_good_once_and_its_second_use_ends_the_sign_in(people: People) -> None:
    first = sign_in(people.owner)
    second = Api("stale").post("/user/refresh", {"refresh_token": first["refreshToken"]}).json()
    assert second["success"] is True
    assert second["token"] == second["accessToken"]
    assert profile(second["accessToken"]) == 200
    third = Api().post("/user/refresh", {"refreshToken": second["refreshToken"]}).json()
    assert profile(third["accessToken"]) == 200
    again = Api().post("/user/refresh", {"refresh_token": first["refreshToken"]})
    assert again.status_code == 401
    assert again.headers["WWW-Authenticate"] == 'Bearer realm="flashback", error="invalid_token"'
    assert [profile(one["accessToken"]) for one in (first, second, third)] == [401] * 3
    assert Api().post("/user/refresh", {"refresh_token": third["refreshToken"]}).status_code == 401
    assert actions() == ["person.signed_in", "login.reused"]


def test_signing_out_ends_all_tokens_of_the_sign_in_and_no_other(people: People) -> None:
    one, other = sign_in(people.owner), sign_in(people.owner)
    assert Api("stale").post("/user/logout", {"refresh_token": one["refreshToken"]}).json()["success"] is True
    assert profile(one["accessToken"]) == 401
    assert profile(other["accessToken"]) == 200
    assert Api().post("/user/logout", {"refreshToken": "unknown"}).status_code == 200
    assert Api().post("/user/logout", {"refresh_token": one["refreshToken"]}).status_code == 200
    assert actions()[2:] == ["person.signed_out"]


def test_an_access_token_is_no_refresh_token(people: People) -> None:
    access = Api(people.owner).token
    assert Api().post("/user/refresh", {"refresh_token": access}).status_code == 401


@pytest.mark.parametrize("path", ["/user/refresh", "/user/logout"])
@pytest.mark.parametrize("body", [{}, {"refresh_token": ""}, {"refreshToken": None}])
def test_no_refresh_token_is_a_clear_400(path: str, body: dict, db: None) -> None:
    answer = Api().post(path, body)
    assert (answer.status_code, answer.json()["errors"]) == (400, {"refresh_token": "Send the refresh token."})


def deactivated(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


def sessions_ended(person: User) -> None:
    person.end_sessions()
    person.save()


def new_password(person: User) -> None:
    person.set_password("quite another passphrase")
    person.save()


def revoked(person: User) -> None:
    Login.objects.update(revoked_at=timezone.now())


def too_old(person: User) -> None:
    Login.objects.update(expires_at=timezone.now())


def long_unused(person: User) -> None:
    Login.objects.update(last_used_at=timezone.now() - timedelta(days=8))


def account_gone(person: User) -> None:
    User.objects.filter(pk=person.pk).delete()


ENDS = [deactivated, sessions_ended, new_password, revoked, too_old, long_unused, account_gone]


@pytest.mark.parametrize("happens", ENDS, ids=lambda one: one.__name__)
def test_what_ends_a_sign_in_ends_its_tokens_at_once(happens: object, people: People) -> None:
    tokens = sign_in(people.outsider)
    assert profile(tokens["accessToken"]) == 200
    happens(people.outsider)
    assert profile(tokens["accessToken"]) == 401
    assert Api().post("/user/refresh", {"refresh_token": tokens["refreshToken"]}).status_code == 401


def forged(claims: dict, key: object, **values: object) -> str:
    return jwt.encode({**claims, **values}, key, "HS256")


def test_only_our_own_access_tokens_are_taken(people: People) -> None:
    token = sign_in(people.reader)["accessToken"]
    claims = jwt.decode(token, options={"verify_signature": False})
    key = logins._key(settings.SECRET_KEY)
    owner = logins.start(people.owner).login
    forgeries = [
        jwt.encode(claims, None, "none"),
        forged(claims, "x" * 32),
        forged(claims, settings.SECRET_KEY),
        forged(claims, key, exp=claims["iat"] - 10),
        forged(claims, key, aud="another"),
        forged(claims, key, sid=str(owner.pk)),
        forged(claims, key, sid=str(people.owner.pk)),
        forged(claims, key, type="mfa"),
        token[:-3] + "AAA",
        token + " ",
        token + ".x",
        f"x{token}",
        "",
        "a.b.c",
        "\xff\xfe",
    ]
    assert [profile(one) for one in forgeries] == [401] * len(forgeries)
    assert profile(forged(claims, key)) == 200


def test_a_former_secret_key_still_opens_its_tokens(people: People, settings: object) -> None:
    tokens = sign_in(people.owner)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key that is long enough for everybody, here and now"
    assert profile(tokens["accessToken"]) == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert profile(tokens["accessToken"]) == 401


def test_only_digests_of_refresh_tokens_are_stored(people: People) -> None:
    token = sign_in(people.owner)["refreshToken"]
    row = RefreshToken.objects.get()
    assert token.startswith(f"fbr_{row.public_id}_")
    assert token[13:] not in str(vars(row)) + str(vars(row.login))


def test_my_sign_ins_are_listed_and_ended_one_by_one(people: People) -> None:
    one, other = sign_in(people.owner), sign_in(people.owner)
    sign_in(people.reader)
    listed = Api(one["accessToken"]).get("/token").json()
    assert [(row["id"], row["current"]) for row in listed["tokens"]] == [
        (other["tokenId"], False),
        (one["tokenId"], True),
    ]
    assert listed["tokens"][0]["createdAt"].endswith("Z")
    ended = Api(one["accessToken"]).delete(f"/token/{other['tokenId']}")
    assert ended.json()["success"] is True
    assert profile(other["accessToken"]) == 401
    assert Api(one["accessToken"]).delete(f"/token/{other['tokenId']}").status_code == 404
    foreign = Login.objects.get(user=people.reader)
    assert Api(one["accessToken"]).delete(f"/token/{foreign.pk}").status_code == 404
    assert actions()[-1] == "login.revoked"


def test_a_request_costs_one_query_for_who_it_is(people: People, django_assert_num_queries: object) -> None:
    api = Api(people.owner)
    with django_assert_num_queries(1):
        assert api.post("/workspace", {"unknown": 1}).status_code == 400


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_is_taken_in_any_case(scheme: str, people: People) -> None:
    token = sign_in(people.owner)["accessToken"]
    assert Api().get("/user/profile", Authorization=f"{scheme} {token}").status_code == 200


def test_a_token_anywhere_else_than_in_the_header_is_none(people: People) -> None:
    token = sign_in(people.owner)["accessToken"]
    client = Client()
    client.cookies["Authorization"] = f"Bearer {token}"
    for query in (f"?token={token}", f"?access_token={token}", f"?Authorization=Bearer%20{token}"):
        assert client.get(f"/api/user/profile{query}").status_code == 401
    assert Api().get("/user/profile", Authorization=f"Basic {token}").status_code == 401
