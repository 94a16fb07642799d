"""fleetd's double as a service: sockets from systemd (sd_listen_fds(3)), settings from the environment."""

import logging
import os
import signal
import socket

from . import daemon

logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
double = daemon.from_environment()
for number in range(int(os.environ.get("LISTEN_FDS", "0"))):
    daemon.serve(double, socket.socket(fileno=3 + number))
for name in (signal.SIGTERM, signal.SIGINT):
    signal.signal(name, lambda *_: double.stop())
double.run()
