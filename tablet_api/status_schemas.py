"""What a manager's tablet may be told of the store's condition and work; the allow-list of `status` and `figures`.

Pure: no I/O, no clock.
"""

from marshmallow import fields

from tablet_api.schemas import Instant, LeaseShown, Shown
from wire.condition import Agreement, Room, Update
from wire.query import ReceiverState
from wire.sighting import RadioReason
from wire.trust import CertificateSource


class CounterShown(Shown):
    """One figure."""

    name = fields.String(required=True)
    label = fields.String(required=True)
    value = fields.Integer(required=True)


class RestartsShown(Shown):
    """How many steps of recovery a radio took for a reason."""

    reason = fields.Enum(RadioReason, by_value=True, required=True)
    count = fields.Integer(required=True)


class RadioShown(Shown):
    """How one receiver fares; `null` where it is not known, or not for a tablet."""

    node = fields.String(required=True)
    zone_label = fields.String(required=True, allow_none=True)
    state = fields.Enum(ReceiverState, by_value=True, required=True)
    reason = fields.Enum(RadioReason, by_value=True, required=True, allow_none=True)
    remedy = fields.String(required=True, allow_none=True, metadata={"description": "what the operator can do"})
    silent_s = fields.Integer(required=True, allow_none=True, metadata={"description": "since anybody's last advert"})
    adverts = fields.Integer(required=True, allow_none=True)
    drops = fields.Integer(required=True, allow_none=True)
    restarts = fields.List(fields.Nested(RestartsShown), required=True)


class CertificateShown(Shown):
    """One certificate that the box shows to tablets: HQ's, or of the store's own authority."""

    source = fields.Enum(CertificateSource, by_value=True, required=True)
    name = fields.String(required=True)
    not_after = Instant(attribute="not_after_ms", required=True)


class DiskShown(Shown):
    """The disk of the cache."""

    room = fields.Enum(Room, by_value=True, required=True)
    free_bytes = fields.Integer(required=True, metadata={"description": "rounded down to whole GB (10^9)"})


class InstanceShown(Shown):
    """Whether the store holds what HQ holds, of one instance of a collection."""

    name = fields.String(required=True)
    agreement = fields.Enum(Agreement, by_value=True, required=True)


class VersionsShown(Shown):
    """The release that runs on the box, the one on its disk, and the one that policy wants."""

    running = fields.String(required=True)
    installed = fields.String(required=True)
    wanted = fields.String(required=True, allow_none=True)
    update = fields.Enum(Update, by_value=True, required=True)


class ConditionShown(Shown):
    """How the box fares beside its radios."""

    disk = fields.Nested(DiskShown, required=True)
    instances = fields.List(fields.Nested(InstanceShown), required=True)
    versions = fields.Nested(VersionsShown, required=True)


class StatusShown(Shown):
    """How the store is."""

    store = fields.String(required=True)
    store_label = fields.String(required=True)
    lease = fields.Nested(LeaseShown, required=True)
    software = fields.String(required=True)
    tablets_software = fields.String(required=True, metadata={"description": "the release that answers this call"})
    condition = fields.Nested(ConditionShown, required=True, allow_none=True)
    sessions = fields.Integer(required=True)
    tablets = fields.Integer(required=True)
    visits_open = fields.Integer(required=True)
    counters = fields.List(fields.Nested(CounterShown), required=True)
    radios = fields.List(fields.Nested(RadioShown), required=True)
    certificates = fields.List(fields.Nested(CertificateShown), required=True)


class FigureDayShown(Shown):
    """One day (UTC) that is over. Delays in ms, rounded up to half seconds; `null` where there were fewer than ten."""

    day = Instant(attribute="from_ms", required=True, metadata={"description": "its beginning"})
    measured_s = fields.Integer(required=True, metadata={"description": "for so long the store's gateway ran"})
    dark_s = fields.Integer(required=True, metadata={"description": "for so long of it nothing could be shown"})
    withdrawals = fields.Integer(required=True, metadata={"description": "that took effect; in whole tens"})
    median_ms = fields.Integer(required=True, allow_none=True)
    p95_ms = fields.Integer(required=True, allow_none=True)
    worst_ms = fields.Integer(required=True, allow_none=True)


class FiguresShown(Shown):
    """The store's own work, the newest day first, since its gateway's start. What counts members HQ tells."""

    days = fields.List(fields.Nested(FigureDayShown), required=True)
