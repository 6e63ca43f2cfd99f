"""An independent reader and writer of QEMU's migration stream and files.

Written from the format description alone, never from libgodwit's C code, so
that the two can be checked against each other.  Standard library only.
"""

from .cursor import StreamError  # noqa: F401
from .reader import Stream  # noqa: F401
