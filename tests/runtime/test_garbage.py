"""Garbage is collected between two pieces of work, and never within one."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from runtime import garbage

class Ring:
    pass

def ring():
    one = Ring()
    one.itself = one
    return weakref.ref(one)

garbage.settle()
runs = []
gc.callbacks.append(lambda phase, told: runs.append(told["generation"]) if phase == "start" else None)
old = ring()
rings = [ring() for _ in range(2 * garbage.YOUNG)]
assert old() is not None and not runs, "nothing is collected while work is done"
garbage.between()
assert old() is None and runs == [0]
garbage.between()
assert runs == [0], "and not where little was made since"
for _ in range(1300):
    rings = [ring() for _ in range(2 * garbage.YOUNG)]
    garbage.between()
assert set(runs) == {0, 1, 2} and runs.count(1) > 100 * runs.count(2) - 100, "all is looked at by and by"
print(runs.count(0), runs.count(1), runs.count(2))
"""


def test_nothing_is_collected_within_work_and_all_of_it_by_and_by() -> None:
    """In a process of its own, since it is the whole process that is told."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(int(one) > 0 for one in done.stdout.split())
