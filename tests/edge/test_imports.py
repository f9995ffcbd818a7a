"""What an edge must not be able to reach."""

import subprocess
import sys

import pytest

FORBIDDEN = ["consent", "cryptography", "argon2", "sqlite3", "sqlite_utils", "sqlalchemy", "paho", "psycopg", "hq"]
PROGRAM = """
import pkgutil, importlib, sys, edge
for module in pkgutil.walk_packages(edge.__path__, "edge."):
    importlib.import_module(module.name)
reached = {name.partition(".")[0] for name in sys.modules}
print(*sorted(reached & set(sys.argv[1:])))
"""


def test_an_edge_reaches_no_keys_no_database_and_no_broker():
    """With every module of edge imported, no chain of imports has brought in consent, keys, a database or MQTT."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM, *FORBIDDEN], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


@pytest.mark.parametrize("module", ["wire.air", "wire.sighting"])
def test_what_an_edge_takes_from_wire_reaches_no_keys(module):
    """The air and the sightings can be read without cryptography."""
    program = f"import sys, {module}; print('cryptography' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
