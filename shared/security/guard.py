"""Who calls, and whether this caller may: token and role at the call, before its request is read.

metadata --bearer token--> entry --role--> Caller: its limits, its name in the audit
"""

from collections.abc import Iterable
from typing import Any, Final

from shared.errors import PermissionDenied, Unauthenticated
from shared.security.allowance import Allowance
from shared.security.roles import RULES, Rule
from shared.security.tokens import Grant, TokenBook

HEADER: Final = "authorization"
_SCHEME: Final = "bearer "
_HOW: Final = (
    "give one with --token-file or SEMLINK_TOKEN; the operator makes it, "
    "`semlink token new NAME --role {} --tokens FILE`"
)


class Caller:
    """Who makes a call. method: its full name. rule: what it asks for. grant: of its token; None without tokens."""

    def __init__(self, method: str, rule: Rule, book: TokenBook | None, grant: Grant | None) -> None:
        self.method, self.rule = method, rule
        self._book, self._grant = book, grant

    @property
    def who(self) -> dict[str, str]:
        """For the audit."""
        return {} if self._grant is None else {"token": self._grant.entry.name}

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """Limits of its token."""
        return () if self._grant is None else (self._grant.allowance,)

    def require_valid(self) -> None:
        """Raise Unauthenticated once its token was taken away; looked at once a second."""
        if self._book is None or self._grant is None:
            return
        self._book.refresh()
        if self._grant.revoked:
            raise Unauthenticated(f"the token {self._grant.entry.name!r} was taken away: ask the operator for another")


class Guard:
    """Lets calls in. book: the tokens that are accepted; None lets everybody in."""

    def __init__(self, book: TokenBook | None) -> None:
        self._book = book

    def admit(self, method: str, metadata: Iterable[tuple[str, Any]] | None) -> Caller:
        """The caller of a method by its full name.

        Raises Unauthenticated without a token that is known here, PermissionDenied for one without the role.
        """
        rule = RULES.get(method)
        if self._book is None or rule is None:  # a method that nobody serves is UNIMPLEMENTED, health is for all
            return Caller(method, rule or Rule(()), None, None)
        grant = self._found(self._book, method, rule, metadata or ())
        if not set(grant.entry.roles) & set(rule.roles):
            raise PermissionDenied(
                f"{_name(method)} needs the role {_any(rule)}; the token {grant.entry.name!r} has "
                f"{' and '.join(grant.entry.roles)}: use another token, or ask the operator for the role"
            )
        return Caller(method, rule, self._book, grant)

    @staticmethod
    def _found(book: TokenBook, method: str, rule: Rule, metadata: Iterable[tuple[str, Any]]) -> Grant:
        given = next((value for key, value in metadata if key.lower() == HEADER), None)
        if not isinstance(given, str) or not given.lower().startswith(_SCHEME):
            raise Unauthenticated(
                f"{_name(method)} needs a token with the role {_any(rule)}: {_HOW.format(rule.roles[0])}"
            )
        grant = book.find(given[len(_SCHEME) :].strip())
        if grant is None:
            raise Unauthenticated(
                f"{_name(method)}: the token is not known here; it was mistyped, taken away, or is of another service: "
                f"{_HOW.format(rule.roles[0])}"
            )
        return grant


def _name(method: str) -> str:
    return method.rpartition(".")[2].replace("/", ".")


def _any(rule: Rule) -> str:
    return " or ".join(rule.roles)
