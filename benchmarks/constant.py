"""A bare Flask route that answers a constant, on the tablet API's own server: what any answer costs at least.

    python -m benchmarks.constant CERTIFICATE KEY     prints its port and serves until standard input ends

I/O: loopback, standard input and output.
"""

import sys
import threading
import time
from pathlib import Path

from flask import Flask, Response

from tablet_api import server
from tablet_api.metrics import Metrics


def main() -> int:
    """Serves; exit 0 at the end of standard input."""
    flask = Flask(__name__)

    @flask.get("/")
    def constant() -> Response:
        return Response(b'{"constant": true}', mimetype="application/json")

    context = server.tls(Path(sys.argv[1]), Path(sys.argv[2]))
    serving = server.Server(flask, ("127.0.0.1", 0), context, time.monotonic, Metrics())
    print(serving.port, flush=True)

    def until_the_end() -> None:
        sys.stdin.read()
        serving.stop()

    threading.Thread(target=until_the_end, daemon=True).start()
    serving.run(lambda: None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
