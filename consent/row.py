"""A visit's line on the roster, as somebody sees it who has nothing to do with the visit.

The store draws it so, and so does HQ's mirror.

Pure: no I/O, no clock.
"""

from collections.abc import Mapping

from consent.visit import Visit
from wire import query


def line(visit: Visit, labels: Mapping[str, str]) -> query.Visit:
    """The line; `labels`: of the store's zones, by id."""
    colour, digits = visit.sign if visit.help and visit.sign else (None, None)
    return query.Visit(
        handle=visit.handle,
        help=visit.help,
        waiting_since_ms=visit.waiting_since_ms if visit.help else None,
        escalated=visit.escalated,
        sign_colour=colour,
        sign_digits=digits,
        zone=visit.zone,
        zone_label=labels.get(visit.zone) if visit.zone is not None else None,
        arrived_ms=visit.arrived_ms,
        attended_by=visit.attended_name,
        attended_by_me=False,
        handed_over=None,
    )
