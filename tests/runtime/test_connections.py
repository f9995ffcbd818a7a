"""Who may stay connected, and how long."""

import socket

from runtime.connections import (
    LIMITS_S,
    MAX_CONNECTIONS,
    MAX_PER_ADDRESS,
    Connection,
    Connections,
    Refusal,
    Step,
)


def pair(address: str) -> tuple[Connection, socket.socket]:
    """A connection and its far end."""
    near, far = socket.socketpair()
    far.settimeout(5)
    return Connection(near, address), far


def test_an_address_has_so_many_places() -> None:
    """The seventeenth is refused, another address is not; a place that is left is free again."""
    everybody = Connections()
    ours = [pair("192.0.2.1") for _ in range(MAX_PER_ADDRESS + 1)]
    assert [everybody.admit(one, 0.0)[0] for one, _ in ours] == [None] * MAX_PER_ADDRESS + [Refusal.ADDRESS_FULL]
    other, far = pair("192.0.2.2")
    assert everybody.admit(other, 0.0) == (None, False)
    everybody.leave(ours[0][0])
    everybody.leave(ours[0][0])
    assert everybody.admit(ours[-1][0], 0.0) == (None, False)
    assert len(everybody) == MAX_PER_ADDRESS + 1
    for connection, end in [*ours, (other, far)]:
        connection.close()
        end.close()


def test_a_step_that_takes_too_long_is_ended() -> None:
    """The far end of a late connection reads its end; a stream has no end, a new step a new deadline."""
    everybody = Connections()
    made = {step: pair(f"192.0.2.{number}") for number, step in enumerate(Step)}
    for step, (connection, _) in made.items():
        assert everybody.admit(connection, 0.0) == (None, False)
        connection.begin(step, 100.0)
    assert everybody.expire(100.0) == 0
    assert everybody.expire(100.0 + max(limit for limit in LIMITS_S.values() if limit) + 1) == len(Step) - 1
    for step, (connection, far) in made.items():
        if step is Step.STREAM:
            connection.sock.sendall(b"still here")
            assert far.recv(20) == b"still here"
        else:
            assert far.recv(20) == b""
        connection.close()
        far.close()


def test_where_all_places_are_taken_the_one_that_waits_longest_gives_way() -> None:
    """A store full of silent connections lets the next one in at once: the oldest handshake ends, no idle page's."""
    everybody = Connections()
    made = [pair(f"192.0.{n // 200}.{n % 200}") for n in range(MAX_CONNECTIONS)]
    for number, (connection, _) in enumerate(made):
        assert everybody.admit(connection, float(number)) == (None, False)
    made[0][0].begin(Step.IDLE, 0.0)
    made[1][0].begin(Step.STREAM, 1.0)
    late, far = pair("198.51.100.1")
    assert everybody.admit(late, 1000.0) == (None, True)
    assert made[2][1].recv(1) == b""
    assert len(everybody) == MAX_CONNECTIONS
    everybody.leave(made[2][0])  # its thread says so as well
    assert len(everybody) == MAX_CONNECTIONS
    for connection, end in [*made, (late, far)]:
        connection.close()
        end.close()


def test_streams_give_way_to_nobody() -> None:
    """Where every place is a stream's, the next one is refused; bodies on their way give way before that."""
    everybody = Connections()
    made = [pair(f"192.0.{n // 200}.{n % 200}") for n in range(MAX_CONNECTIONS)]
    for connection, _ in made:
        assert everybody.admit(connection, 0.0) == (None, False)
        connection.begin(Step.STREAM, 0.0)
    late, far = pair("198.51.100.1")
    assert everybody.admit(late, 1000.0) == (Refusal.ALL_FULL, False)
    made[7][0].begin(Step.REQUEST, 0.0)
    assert everybody.admit(late, 1000.0) == (None, True)
    assert made[7][1].recv(1) == b""
    for connection, end in [*made, (late, far)]:
        connection.close()
        end.close()
