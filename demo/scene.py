"""The demo's shop with its members in it: what a phone, a member, HQ and an associate do, each as one call.

I/O: through the store's programs and HQ's counter.
"""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from demo import goods
from demo.air import Air
from demo.cast import CAST, DAY_S, ROLES, SOLD, Shopper, fields, item_id
from demo.errors import DemoError
from demo.phones import SHIFT_S, Phone
from demo.store import Plan, Store, now_ms
from demo.tablet import Stream, Tablet
from hq import collections, signing_in
from hq.database import writing
from hq.door import Grant
from wire import token
from wire.member import Mode
from wire.sync import Collection
from wire.token import Kind, Sign

POLICY: Final = Path(__file__).parent / "shop/policy.toml"
ELSEWHERE: Final = "elsewhere"
ASSOCIATE: Final = "nina"
PIN: Final = "2580"
STRANGERS: Final = 35
LIVE_S: Final = 30.0
_HOUR_S: Final = 3600


class Scene:
    """Everything of the demo that runs. `open` starts it, `close` ends it."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.store = Store(folder, plan)
        self.phones: dict[str, Phone] = {}
        self.tablet = Tablet(self.store.address)
        self._air: Air | None = None
        self._stream: Stream | None = None
        self._chance = Random()  # of nothing secret: how far off a phone's rotation is
        for shopper in CAST:
            self._join(shopper)
        self.store.office.add_staff(ASSOCIATE, plan.store, "Nina", "associate", PIN, now_ms())
        self._sell(plan.store)

    @property
    def air(self) -> Air:
        """What is on the air, from `open` on."""
        assert self._air is not None
        return self._air

    @property
    def stream(self) -> Stream:
        """The tablet's stream, from `open` on."""
        assert self._stream is not None
        return self._stream

    def _sell(self, store: str) -> None:
        """What the shop has, so that it can be proposed and suggested; and what is learned of others' purchases."""
        outdoor = (
            json.dumps({"id": item_id(name), "name": name, "path": ["outdoor", category]}).encode()
            for name, category in SOLD
        )
        bodies = {
            Collection.CATALOG: collections.catalog_lines((*outdoor, *goods.items())),
            Collection.AFFINITY: collections.affinity_files(goods.TABLES),
        }
        for collection, published in bodies.items():
            collections.publish(self.store.office.engine, collection, "main", published, now_ms())
            with writing(self.store.office.engine) as connection:
                collections.give(connection, store, collection, "main")

    def _join(self, shopper: Shopper) -> None:
        """The member signs up, as in the app an hour ago: profile, phone, mode, name, grants."""
        office, now, member = self.store.office, now_ms(), shopper.name.lower()
        chosen_s = now // 1000 - _HOUR_S
        office.add_member(member, shopper.age_at_least, "DE", now)
        office.set_profile(member, fields(shopper, now // 1000), now)
        office.set_mode(member, shopper.mode, now, chosen_s=chosen_s)
        office.set_name(member, shopper.name_choice, now, chosen_s=chosen_s)
        frame = {"stores": shopper.stores, "roles": ROLES, "until_days": 365, "chosen_s": now // 1000}
        office.grant(member, Grant("presence", **frame), now)  # type: ignore[arg-type]
        if shopper.shares:
            office.grant(member, Grant("assist", scopes=shopper.shares, **frame), now)  # type: ignore[arg-type]
        if shopper.suggests:
            scopes = ("suggestions", "stage", "cohort", *shopper.suggests)
            office.grant(member, Grant("suggest", scopes=scopes, **frame), now)  # type: ignore[arg-type]
        _, secret = office.add_phone(member, now, secrets.token_bytes(token.SECRET_BYTES))
        self.phones[shopper.name] = Phone(secret, shopper.format, shift_s=self._chance.randint(-SHIFT_S, SHIFT_S))

    def open(self, say: Callable[[str], None]) -> None:
        """Starts the programs, pairs the tablet, signs Nina in, and returns when the store is live.

        `say` is told each step. Raises: DemoError.
        """
        say("broker")
        self.store.start_broker()
        say("HQ, gateway, tablet API, edge, probe")
        self.store.start_hq()
        self.store.start_gateway()
        self.store.start_tablets()
        self.store.start_edge(replay=True)
        self.store.start_probe()  # or HQ misses it within the hour
        web = ("web",) if self.store.plan.web else ()
        if web:
            self.store.start_web()
        self.store.wait_ready("hq", "gateway", "tablets", "edge", *web)
        say("waiting for HQ's word")
        self._air = Air(self.store.children.stdin("edge"), STRANGERS)
        self._air.start()
        self._sign_in()
        self._stream = self.tablet.follow()
        self.wait("the store did not become live", lambda stream: stream.lease.get("light") == "live", LIVE_S)

    def _sign_in(self) -> None:
        """Pairs the tablet and signs Nina in, once HQ's word has brought the staff."""
        self.store.wait_live(LIVE_S)
        for answer in (
            self.tablet.pair(self.store.pairing_code(), "Demo tablet"),
            self.tablet.sign_in(ASSOCIATE, PIN),
        ):
            if answer.status != 201:
                raise DemoError(f"Nina cannot sign in ({answer.status})", "report it to the maintainers")

    def link(self) -> str:
        """The address that signs a visitor's browser in. Raises: DemoError."""
        asked = {"tablet": self.tablet.pairing, "session": self.tablet.cookie}
        answer = self.tablet.call("POST", "/demo/links", asked)
        if answer.status != 201:
            raise DemoError("the tablet API gives no demo link", "look at its log")
        return f"http://localhost:{self.store.tablet_port}{answer.body['link']}"

    def member_link(self, name: str) -> str:
        """The address that signs a visitor's browser in to HQ's web as this member, once."""
        office = self.store.office
        with writing(office.engine) as connection:
            member = office.keys.custody.reference(connection, name.lower())
            if member is None:
                raise DemoError(f"{name} is no member", "report it to the maintainers")
            token = signing_in.make_link(connection, member, now_ms())
        return f"{self.store.web_address}/sign-in/link/{token}"

    def wait(self, failure: str, true: Callable[[Stream], bool], within_s: float = 20.0) -> None:
        """Waits until the tablet's stream shows something. Raises: DemoError."""
        if not self.stream.wait(true, within_s):
            self.store.children.check()
            raise DemoError(failure, "run it again on a less busy machine, or report it to the maintainers")

    # --- what members do -------------------------------------------------------------------------------------------

    def enters(self, name: str) -> None:
        """The member comes in, phone in the pocket. What the phone then says is the member's mode."""
        self.air.says(name, self.phones[name], Kind.PRESENCE)

    def calls(self, name: str) -> None:
        """The member presses "I would like help"."""
        self.air.says(name, self.phones[name], Kind.HELP)

    def leaves(self, name: str) -> None:
        """The member's phone is heard no more."""
        self.air.silent(name)

    def sign(self, name: str) -> Sign:
        """What the member's phone shows now while help waits."""
        phone = self.phones[name]
        slot = token.slot_of(now_ms() // 1000 + phone.shift_s)
        return token.sign(token.day_key(phone.secret, token.day_of_slot(slot)), slot)

    def withdraws(self, name: str, scope: str) -> None:
        """The member takes one field back, in the app: HQ records it and tells the store."""
        self.store.office.withdraw(name.lower(), now_ms(), scopes=(scope,), stores=(self.store.plan.store,))

    def shares(self, name: str, scope: str) -> None:
        """The member shares one field with this store."""
        now = now_ms()
        grant = Grant(
            "assist",
            (self.store.plan.store,),
            ROLES,
            (scope,),
            until_s=now // 1000 + 365 * DAY_S,
            chosen_s=now // 1000,
        )
        self.store.office.grant(name.lower(), grant, now)

    def switches(self, name: str, mode: Mode) -> None:
        """The member's own switch, in the app; a phone that is set to quiet stops advertising by itself."""
        self.store.office.set_mode(name.lower(), mode, now_ms())

    def close(self) -> None:
        """Ends everything that was started."""
        if self._air is not None:
            self._air.stop()
        if self._stream is not None:
            self._stream.close()
        self.store.close()
