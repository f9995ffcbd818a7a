"""A bucket of the keyring holds several members: whoever changes is changed in it, and nobody else."""

import secrets

import pytest
from sqlalchemy import func, select, update

from hq import keyring_check
from hq.database import reading, writing
from hq.tables import audience, records
from tests.hq.headquarters import DAY_S, STORE, Headquarters
from wire.sync import Collection, instance

MANY = 300  # of 4,096 buckets: that no two share one would be an accident of one in fifty thousand


@pytest.fixture
def shared(hq: Headquarters) -> tuple[Headquarters, list[str]]:
    """Members who share a bucket."""
    hq.join_many(MANY)
    hq.tick()
    with reading(hq.engine) as connection:
        wanted = select(audience.c.bucket).group_by(audience.c.bucket).having(func.count() > 1).limit(1)
        bucket = connection.scalars(wanted).one()
        known = set(connection.scalars(select(audience.c.member).where(audience.c.bucket == bucket)))
        named = hq.keys.custody.references(connection, [f"m-{number}" for number in range(MANY)])
    return hq, [one for one, reference in named.items() if reference in known]


def faults(hq: Headquarters) -> int:
    """Of today's keyring, judged from phones and audience."""
    title = instance(Collection.KEYRING, STORE, hq.now_s // DAY_S)
    with writing(hq.engine) as connection:
        return keyring_check.faults(connection, hq.keys, title, STORE, hq.now_ms, mend=False)


def test_a_bucket_is_as_if_it_were_made_anew_after_each_change(shared):
    """A phone more, a phone less, a withdrawal and a new grant: the bucket is what all its members give."""
    hq, (one, other, *_) = shared
    before = hq.day_keys(other)
    assert faults(hq) == 0
    assert len(before) == 1
    hq.office.add_phone(one, hq.now_ms, secrets.token_bytes(32))
    assert (faults(hq), len(hq.day_keys(one)), hq.day_keys(other)) == (0, 2, before)
    hq.office.withdraw(one, hq.now_ms, purpose="presence")
    assert (faults(hq), hq.day_keys(one), hq.day_keys(other)) == (0, (), before)
    hq.later(2)
    hq.grant(one, "presence")
    assert (faults(hq), len(hq.day_keys(one)), hq.day_keys(other)) == (0, 2, before)
    hq.check()


def test_a_bucket_that_does_not_open_is_made_anew(shared):
    """Where a row was changed outside of HQ, the next change of a member there writes the keys of all."""
    hq, (one, other, *_) = shared
    before = hq.day_keys(other)
    title = hq.instances()[instance(Collection.KEYRING, STORE, hq.now_s // DAY_S)]
    with writing(hq.engine) as connection:
        connection.execute(
            update(records).where(records.c.instance == title.id, records.c.body.is_not(None)).values(body=bytes(60))
        )
    hq.office.add_phone(one, hq.now_ms, secrets.token_bytes(32))
    assert (len(hq.day_keys(one)), hq.day_keys(other)) == (2, before)
