"""Starts bjoern, which has no command line: serve_bjoern.py MODULE PORT WORKERS.

Its workers are plain forks that share one listening socket, as bjoern's own documentation shows.
"""

import importlib
import os
import signal
import sys

import bjoern

module, port, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
application = importlib.import_module(module).application
bjoern.listen(application, "127.0.0.1", port)
children = []
for _ in range(workers - 1):
    child = os.fork()
    if child == 0:
        children = []
        break
    children.append(child)
try:
    bjoern.run()
except KeyboardInterrupt:
    pass
finally:
    for child in children:
        os.kill(child, signal.SIGINT)
