"""The backends that the contract suite (test_contract.py) runs against, and processes to run against them."""

import os
import signal
import sys
import time
import traceback

import pytest

from minipaas_lib.store.directory import DirectoryStore


def _directory(folder):
    return lambda: DirectoryStore(os.path.join(folder, "state"), os.path.join(folder, "locks"))


# A backend joins by adding a function here: given a scratch folder, it returns a function that opens one and the same
# empty store, each time with connections of its own.
BACKENDS = {"directory": _directory}


@pytest.fixture(params=sorted(BACKENDS))
def opener(request, tmp_path):
    return BACKENDS[request.param](str(tmp_path))


@pytest.fixture
def store(opener):
    return opener()


@pytest.fixture
def fork():
    """fork(function, *arguments) runs it in a process of its own and returns the process id."""
    started = []

    def start(function, *arguments):
        sys.stdout.flush()
        process = os.fork()
        if process:
            started.append(process)
            return process
        status = 1
        try:
            function(*arguments)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    yield start
    for process in started:
        try:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


@pytest.fixture
def until():
    """until(condition) waits for it, at most ten seconds."""

    def wait(condition):
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "it did not come about within ten seconds"
            time.sleep(0.005)

    return wait
