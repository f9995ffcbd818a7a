"""What the shipped tables give away: half of the shoppers are learned from, and the attack tells who they were.

Pure: no I/O, no clock.
"""

import random
from collections.abc import Callable
from statistics import median

from benchmarks.suggestions_baskets import Baskets
from benchmarks.suggestions_ours import histories
from hq.learning.learn import Settings, learn
from hq.learning.membership import attack


def attacked(baskets: Baskets, seed: int, told: Callable[[str], None]) -> dict[str, float]:
    """How well it tells (0.5: not at all), by who holds the tables and every history; and how many are in a cluster."""
    everybody = histories(baskets, strict=True)
    random.Random(seed).shuffle(everybody)
    half = len(everybody) // 2
    members, others = everybody[:half], everybody[half : 2 * half]
    tables = learn(members, Settings(), lambda stage, done, of: told(f"{stage}: {done} of {of}"))
    found = attack(tables, members, others)
    sizes = found.cluster_sizes or (0,)
    return {
        "AUC of the membership test": found.auc,
        "its advantage": found.advantage,
        "shoppers learned from": half,
        "clusters": len(found.cluster_sizes),
        "people in the smallest": min(sizes),
        "in the median one": median(sizes),
    }
