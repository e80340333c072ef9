"""Password hashing and the rules for passwords that Django does not bring, or not in words that help."""

from django.contrib.auth import hashers, password_validation
from django.core.exceptions import ValidationError


class Argon2PasswordHasher(hashers.Argon2PasswordHasher):
    """Argon2id with 19 MiB and one lane, so that several sign-ins at once do not take the memory of the machine."""

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1


class MaximumLengthValidator:
    """Refuses passwords so long that hashing them would be work for an attacker to give us."""

    longest = 128

    def validate(self, password: str, user: object = None) -> None:  # noqa: ARG002 - Django's signature
        """Raise ValidationError when the password has more than 128 characters."""
        if len(password) > self.longest:
            raise ValidationError(f"This password has {len(password)} characters; at most {self.longest} are possible.")

    def get_help_text(self) -> str:
        """Return the rule in words."""
        return f"Your password may have at most {self.longest} characters."


class CommonPasswordValidator(password_validation.CommonPasswordValidator):
    """Refuses the passwords that are tried first, and says what a better one is like."""

    def get_error_message(self) -> str:
        """Return what is said of such a password."""
        return "This password is too common. Four words that have nothing to do with each other make a good one."
