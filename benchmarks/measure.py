"""Runs a command and records its wall-clock time, CPU time and peak memory.

It is started as `python -I -S measure.py FACTS LIMIT_S COMMAND…` and imports as little as possible, because
Linux includes the size of the parent process in the command's own peak.
"""

import os
import signal
import sys
import time


def main() -> None:
    facts, limit_s, *command = sys.argv[1:]
    started = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, float(limit_s))
    _, status, used = os.wait4(pid, 0)
    wall_s = time.monotonic() - started
    with open(facts, "w", encoding="ascii") as out:  # importing pathlib would cost memory
        exit_code = os.waitstatus_to_exitcode(status)
        out.write(f"{exit_code} {wall_s} {used.ru_utime + used.ru_stime} {used.ru_maxrss * 1024}\n")


if __name__ == "__main__":
    main()
