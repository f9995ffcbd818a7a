"""The brokers of the suite, each as a handful of nodes on loopback: started, killed and revived one by one.

All speak MQTT 3.1.1 over TLS, take a certificate of the estate's own authority for a credential, and let each store use
its own topics alone, as `consentry-provision` sets it up for mosquitto.

I/O: processes, loopback sockets, the folder.
"""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

HOST = "127.0.0.1"
HQ = "HQ"  # the name in HQ's certificate (provisioning.broker)
START_S = 120.0


def free_ports(count: int) -> list[int]:
    """So many different free ports."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def until(true: Callable[[], bool], within_s: float, what: str) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, f"{what} did not happen within {within_s} s"
        time.sleep(0.1)


def listens(port: int) -> bool:
    """Whether something takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


class Engine(Protocol):
    """A broker of one or more nodes. `ports` are those of MQTT, one a node."""

    ports: list[int]

    def start(self, certificates: Path, stores: list[str]) -> None:
        """Starts all nodes; `certificates` holds ca.pem, server.pem and server.key."""

    def kill(self, node: int) -> None:
        """Ends one node by SIGKILL."""

    def revive(self, node: int) -> None:
        """Starts a killed node again and returns when it takes connections."""

    def close(self) -> None:
        """Ends all, and whatever they started."""


class _Nodes:
    """Processes by number, each in a group of its own, so that none of its children is left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, node: int, command: list[str], environment: dict[str, str] | None = None) -> None:
        with (self._folder / f"node-{node}.log").open("ab") as log:
            self._running[node] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, process_group=0,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip

    def kill(self, node: int) -> None:
        running = self._running.pop(node)
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()

    def close(self) -> None:
        for node in list(self._running):
            self.kill(node)


class Mosquitto:
    """One node, as `consentry-provision` configures it: what `certificates` lies in is the broker's bundle."""

    def __init__(self, needs: Callable[[str], str], folder: Path) -> None:
        self._program = needs("mosquitto")
        self._nodes = _Nodes(folder)
        self.ports = free_ports(1)

    def start(self, certificates: Path, stores: list[str]) -> None:
        self._config = certificates.parent / "conf.d/consentry.conf"
        self.revive(0)

    def kill(self, node: int) -> None:
        self._nodes.kill(node)

    def revive(self, node: int) -> None:
        self._nodes.start(node, [self._program, "-c", str(self._config)])
        until(lambda: listens(self.ports[0]), START_S, "mosquitto")

    def close(self) -> None:
        self._nodes.close()


class Nats:
    """Three nodes of nats-server with JetStream, whose MQTT gateway keeps sessions and QoS 1 in replicated streams."""

    def __init__(self, needs: Callable[[str], str], folder: Path) -> None:
        self._program = needs("nats-server")
        self._folder = folder
        self._nodes = _Nodes(folder)
        self.ports, self._plain, self._routes = (free_ports(3) for _ in range(3))

    def start(self, certificates: Path, stores: list[str]) -> None:
        for node in range(3):
            config = self._configuration(node, certificates, stores)
            (self._folder / f"nats-{node}.conf").write_text(config)
        for node in range(3):
            self._start(node)
        for node in range(3):
            until(lambda node=node: listens(self.ports[node]), START_S, "a node of NATS")

    def _start(self, node: int) -> None:
        self._nodes.start(node, [self._program, "-c", str(self._folder / f"nats-{node}.conf")])

    def _configuration(self, node: int, at: Path, stores: list[str]) -> str:
        routes = ", ".join(f'"nats://{HOST}:{port}"' for port in self._routes)
        return f"""
server_name: node-{node}
listen: "{HOST}:{self._plain[node]}"
jetstream {{ store_dir: "{self._folder}/js-{node}", max_memory_store: 64MB, max_file_store: 1GB }}
cluster {{ name: consentry, listen: "{HOST}:{self._routes[node]}", routes: [{routes}] }}
mqtt {{
  listen: "{HOST}:{self.ports[node]}"
  stream_replicas: 3
  tls {{ cert_file: "{at}/server.pem", key_file: "{at}/server.key", ca_file: "{at}/ca.pem", verify_and_map: true }}
}}
authorization {{ users: [
{self._account(HQ, ["consentry.1.*.down", "consentry.1.*.now"], ["consentry.1.*.up"])}
{
            "".join(
                self._account(
                    store, [f"consentry.1.{store}.up"], [f"consentry.1.{store}.{lane}" for lane in ("down", "now")]
                )
                for store in stores
            )
        }
] }}
"""

    @staticmethod
    def _account(name: str, writes: list[str], reads: list[str]) -> str:
        # What a subscription with QoS 1 is delivered on inside of the server belongs to the reader too.
        granted = json.dumps({"publish": writes, "subscribe": [*reads, "$MQTT.sub.>"]})
        return f'  {{ user: "CN={name}", permissions: {granted} }}\n'

    def kill(self, node: int) -> None:
        self._nodes.kill(node)

    def revive(self, node: int) -> None:
        self._start(node)
        until(lambda: listens(self.ports[node]), START_S, "a node of NATS")

    def close(self) -> None:
        self._nodes.close()


class Rabbit:
    """Three nodes of RabbitMQ with its MQTT plugin, under a name server (epmd) of their own."""

    def __init__(self, needs: Callable[[str], str], folder: Path) -> None:
        needs("rabbitmq-server")
        self._programs = Path("/usr/lib/rabbitmq/bin")  # without Debian's wrapper, which changes account and paths
        self._epmd = needs("epmd")
        self._folder = folder
        self._nodes = _Nodes(folder)
        self._cookie = secrets.token_hex(16)
        self.ports, self._amqp, self._dist = (free_ports(3) for _ in range(3))
        self._names_port = free_ports(1)[0]
        self._mark = secrets.token_hex(3)

    def _name(self, node: int) -> str:
        return f"consentry-{self._mark}-{node}@localhost"

    def start(self, certificates: Path, stores: list[str]) -> None:
        (self._folder / "plugins").write_text("[rabbitmq_mqtt,rabbitmq_auth_mechanism_ssl].\n")
        (self._folder / "env").write_text("")
        cookie = self._folder / ".erlang.cookie"
        cookie.write_text(self._cookie)
        cookie.chmod(0o400)
        self._nodes.start(9, [self._epmd, "-port", str(self._names_port), "-address", HOST])
        (self._folder / "definitions.json").write_text(json.dumps(self._definitions(stores)))
        for node in range(3):
            (self._folder / f"rabbit-{node}.conf").write_text(self._configuration(node, certificates))
        for node in range(3):
            self._start(node)
        for node in range(3):
            until(lambda node=node: listens(self.ports[node]), START_S, "a node of RabbitMQ")
        until(lambda: len(self._members()) == 3, START_S, "the cluster of RabbitMQ")

    def _members(self) -> set[str]:
        done = subprocess.run(
            [self._programs / "rabbitmqctl", "-n", self._name(0), "cluster_status", "--formatter", "json"],
            capture_output=True, cwd=self._folder, env={**os.environ, **self._environment(0)}, timeout=60,
        )  # fmt: skip
        return set(json.loads(done.stdout).get("running_nodes", ())) if done.returncode == 0 else set()

    def _environment(self, node: int) -> dict[str, str]:
        at = self._folder / f"rabbit-{node}"
        return {
            "HOME": str(self._folder),
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": self._name(node),
            "RABBITMQ_DIST_PORT": str(self._dist[node]),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "env"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / f"rabbit-{node}"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(at / "mnesia"),
            "RABBITMQ_LOG_BASE": str(at / "log"),
            "RABBITMQ_PID_FILE": str(at / "pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(at / "generated"),
            # Two cores for everything: Erlang's schedulers must not spin for work.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _start(self, node: int) -> None:
        (self._folder / f"rabbit-{node}").mkdir(exist_ok=True)
        self._nodes.start(node, [str(self._programs / "rabbitmq-server")], self._environment(node))

    def _configuration(self, node: int, at: Path) -> str:
        peers = "".join(
            f"cluster_formation.classic_config.nodes.{number + 1} = {self._name(number)}\n" for number in range(3)
        )
        return f"""
listeners.tcp.1 = {HOST}:{self._amqp[node]}
mqtt.listeners.tcp = none
mqtt.listeners.ssl.1 = {HOST}:{self.ports[node]}
mqtt.allow_anonymous = false
mqtt.ssl_cert_login = true
ssl_cert_login_from = common_name
ssl_options.cacertfile = {at}/ca.pem
ssl_options.certfile = {at}/server.pem
ssl_options.keyfile = {at}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
load_definitions = {self._folder}/definitions.json
cluster_formation.peer_discovery_backend = classic_config
cluster_partition_handling = pause_minority
{peers}"""

    def _definitions(self, stores: list[str]) -> dict[str, object]:
        """Users without passwords, who come by certificate; what each may do, and on which topics."""
        users = [{"name": name, "password_hash": "", "tags": ""} for name in (HQ, *stores)]
        permissions, topics = [], []
        for name in (HQ, *stores):
            # A client's own queue has its id in its name; a store's ids begin with the store's.
            own = "consentry-hq" if name == HQ else re.escape(name)
            queue = f"mqtt-subscription-{own}-[a-z0-9-]*qos[01]"
            permissions.append(
                {"user": name, "vhost": "/", "configure": f"^{queue}$",
                 "write": rf"^({queue}|amq\.topic)$", "read": rf"^({queue}|amq\.topic)$"}
            )  # fmt: skip
            one = "[a-z0-9-]+" if name == HQ else re.escape(name)
            lanes, up = rf"^consentry\.1\.{one}\.(down|now)$", rf"^consentry\.1\.{one}\.up$"
            write, read = (lanes, up) if name == HQ else (up, lanes)
            topics.append({"user": name, "vhost": "/", "exchange": "amq.topic", "write": write, "read": read})
        return {
            "vhosts": [{"name": "/"}], "users": users, "permissions": permissions, "topic_permissions": topics,
        }  # fmt: skip

    def kill(self, node: int) -> None:
        self._nodes.kill(node)

    def revive(self, node: int) -> None:
        self._start(node)
        until(lambda: listens(self.ports[node]), START_S, "a node of RabbitMQ")

    def close(self) -> None:
        self._nodes.close()
        shutil.rmtree(self._folder, ignore_errors=True)
