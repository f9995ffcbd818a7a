"""Whether what a withdrawal or refusal names was ever there to be chosen: who mistypes it is told.

A purpose that any version of a policy ever declared passes for good, and so do those that the product itself knows:
what may have been granted can be taken back, whatever is in force today.

I/O: sqlalchemy.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, exists, select

from hq.errors import Reason, Refused
from hq.notices_tables import policy_notices, policy_versions
from hq.state import CLOSING, MEDIA, WITHOUT_SCOPE, Choice

_ALWAYS = WITHOUT_SCOPE | {MEDIA}
_BRAND = select(exists().where(policy_versions.c.policy == bindparam("brand")))
_PURPOSE = select(exists().where(policy_notices.c.purpose == bindparam("purpose")))
_OF_BRANDS = select(
    exists().where(
        policy_notices.c.policy.in_(bindparam("brands", expanding=True)),
        policy_notices.c.purpose == bindparam("purpose"),
    )
)


class Named:
    """What policies ever declared, each name asked for once in a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._brands: dict[str, bool] = {}
        self._purposes: dict[tuple[str, frozenset[str] | None], bool] = {}

    def check(self, choice: Choice) -> None:
        """Passes whatever is not a withdrawal or refusal, and one of a purpose and brand that policies ever declared.

        Raises:
            Refused: `undeclared_purpose` or `no_policy`; it would end nothing.
        """
        if choice.kind not in CLOSING:
            return
        if choice.brand is not None:
            self.check_brand(choice.brand)
        if choice.purpose is not None:
            self.check_purpose(choice.purpose, None if choice.brand is None else [choice.brand])

    def check_brand(self, brand: str) -> None:
        """Passes a brand whose policy was ever published. Raises: Refused."""
        if brand not in self._brands:
            self._brands[brand] = bool(self._connection.scalar(_BRAND, {"brand": brand}))
        if not self._brands[brand]:
            raise Refused(Reason.NO_POLICY, "brand", "a brand whose policy was published: nothing was taken back")

    def check_purpose(
        self, purpose: str, brands: Iterable[str] | None, reason: Reason = Reason.UNDECLARED_PURPOSE
    ) -> None:
        """Passes a purpose that a version of one of these brands' policies declared; None: of any.

        Raises:
            Refused: with this reason.
        """
        asked = purpose, None if brands is None else frozenset(brands)
        if asked not in self._purposes:
            self._purposes[asked] = purpose in _ALWAYS or self._declared(*asked)
        if not self._purposes[asked]:
            expected = "a purpose that a version of the policy declared: nothing was taken back"
            raise Refused(reason, "purpose", expected)

    def _declared(self, purpose: str, brands: frozenset[str] | None) -> bool:
        if brands is None:
            return bool(self._connection.scalar(_PURPOSE, {"purpose": purpose}))
        return bool(self._connection.scalar(_OF_BRANDS, {"purpose": purpose, "brands": sorted(brands)}))
