"""What /proc tells about a process: CPU time and memory."""

import os

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time so far, of all threads, dead ones included."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def status_bytes(pid, key):
    """VmRSS, VmHWM, ... of /proc/PID/status, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {key} in /proc/{pid}/status")


def reset_peak(pid):
    """Makes VmHWM start again from VmRSS."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def mapping_rss(pid, path):
    """Resident bytes of the mappings of one file."""
    resident = 0
    inside = False
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            if not fields[0].endswith(":"):
                inside = line.rstrip("\n").endswith(path)
            elif inside and fields[0] == "Rss:":
                resident += int(fields[1]) * 1024
    return resident
