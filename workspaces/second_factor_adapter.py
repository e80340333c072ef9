"""How django-allauth keeps what an authenticator works with: sealed, and by its id alone."""

from allauth.mfa.adapter import DefaultMFAAdapter

from workspaces import second_factor


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Puts secrets where no dump, admin page or session reaches them, bound to their person."""

    def encrypt(self, text: str) -> str:
        """Seal `text`; return the id of where it is."""
        return second_factor.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return what is sealed under this id. Raises `Unsealable` for anybody but its person."""
        return second_factor.unseal(encrypted_text)
