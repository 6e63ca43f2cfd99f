"""What the file system can do, measured with dd on the same bytes."""

import os
import re
import subprocess

from .job import drop_cache

_BLOCK = "bs=4M"


def _dd(*operands):
    """Seconds that dd says it took."""
    done = subprocess.run(
        ["dd", _BLOCK, *operands],
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C"},
        check=True,
    )
    return float(re.search(rb", ([0-9.e-]+) s,", done.stderr).group(1))


def measure(memory, directory):
    """Seconds to write and read `memory` sequentially in each way."""
    target = os.path.join(directory, "limit")
    source = "if=" + memory
    seconds = {}
    try:
        seconds["write O_DIRECT"] = _dd(
            source, "of=" + target, "oflag=direct", "conv=fdatasync"
        )
        os.unlink(target)
        seconds["write buffered + fdatasync"] = _dd(
            source, "of=" + target, "conv=fdatasync"
        )
        drop_cache(target)
        seconds["read O_DIRECT"] = _dd(
            "if=" + target, "of=/dev/null", "iflag=direct"
        )
        drop_cache(target)
        seconds["read buffered"] = _dd("if=" + target, "of=/dev/null")
    except subprocess.CalledProcessError as error:
        raise RuntimeError(error.stderr.decode().strip()) from error
    finally:
        if os.path.exists(target):
            os.unlink(target)
    return seconds
