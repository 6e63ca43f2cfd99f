"""The frequency of the host's time stamp counter.

Under TCG a guest reads the host's counter.  A microvm has no other clock to
measure it with but one that a busy host spoils: such a guest then waits for
ever in its delay calibration.  So it is told the frequency.
"""

import ctypes
import mmap
import time

# rdtsc; shl $32, %rdx; or %rdx, %rax; ret
CODE = bytes.fromhex("0f31" "48c1e220" "4809d0" "c3")
MEASURE_SECONDS = 0.05


def tsc_khz():
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE
                     | mmap.PROT_EXEC)
    page.write(CODE)
    where = ctypes.c_char.from_buffer(page)
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(where))
    start, first = time.perf_counter(), read()
    time.sleep(MEASURE_SECONDS)
    last, end = read(), time.perf_counter()
    return round((last - first) / (end - start) / 1000)
