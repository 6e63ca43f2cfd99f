"""Where downloaded and built pieces are kept between runs."""

import contextlib
import fcntl
import os


def cache_dir():
    """The cache folder, made if missing; $GODWIT_TEST_CACHE overrides."""
    path = os.environ.get("GODWIT_TEST_CACHE")
    if not path:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        path = os.path.join(base, "godwit")
    os.makedirs(path, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(name):
    """Hold the lock `name`, so that two tests do not fill the cache at once."""
    with open(os.path.join(cache_dir(), f".{name}.lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
