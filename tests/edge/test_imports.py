"""What an edge must not be able to reach."""

import subprocess
import sys

import pytest

FORBIDDEN = ["consent", "cryptography", "argon2", "sqlite3", "sqlite_utils", "sqlalchemy", "paho", "psycopg", "hq"]
PROGRAM = """
import pkgutil, importlib, sys, edge
for module in pkgutil.walk_packages(edge.__path__, "edge."):
    if module.name != "edge.satellite":
        importlib.import_module(module.name)
reached = {name.partition(".")[0] for name in sys.modules}
print(*sorted(reached & set(sys.argv[1:])))
"""


RUN = """
import sys
from edge.__main__ import main
sys.argv = ["consentry-edge", "--config", sys.argv[1], "replay", "/dev/null"]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_an_edge_reaches_no_keys_no_database_and_no_broker():
    """With every module of edge imported but a satellite's, no consent, keys, database or MQTT came in by any chain."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM, *FORBIDDEN], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


@pytest.mark.parametrize("module", ["wire.air", "wire.sighting"])
def test_what_an_edge_takes_from_wire_reaches_no_keys(module):
    """The air and the sightings can be read without cryptography."""
    program = f"import sys, {module}; print('cryptography' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_an_edge_on_the_gateways_box_has_no_mqtt_loaded_while_it_runs(tmp_path):
    """Not even lazily: from its start to its end the process loads nothing of these."""
    config = tmp_path / "edge.toml"
    config.write_text(f'gateway_socket = "{tmp_path}/sightings.sock"\n[[radios]]\nnode = "till-1"\n')
    ran = subprocess.run([sys.executable, "-c", RUN, str(config)], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "edge" in loaded
    assert not loaded & set(FORBIDDEN)


def test_a_satellites_sender_brings_mqtt_and_nothing_else():
    """The one exception, in its own module, reaches no keys and no database either."""
    program = "import sys, edge.satellite; print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) & set(FORBIDDEN) == {"paho"}
