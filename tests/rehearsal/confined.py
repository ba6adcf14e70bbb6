"""Run a command confined like a systemd service, as far as possible without systemd and without root.

    python confined.py SYSCALL,SYSCALL,… COMMAND…

System calls that are not listed fail with EPERM, no privileges can be gained, all capabilities are dropped,
and no memory is both writable and executable. It is a separate program because none of this can be undone.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Sequence
from typing import Final

LIBRARY: Final = "libseccomp.so.2"

_ALLOW: Final = 0x7FFF0000  # seccomp_init(3)
_REFUSE: Final = 0x00050000 | errno.EPERM
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN = 65, 1  # Linux 6.3, PR_SET_MDWE(2const)


def confine(allowed: Sequence[str]) -> None:
    """Confine this process and all its future children. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    libc.prctl(_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)  # fails on older kernels
    seccomp = ctypes.CDLL(LIBRARY)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_REFUSE)))
    for name in allowed:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # negative: a call of another architecture
            seccomp.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), number, 0)
    if failed := seccomp.seccomp_load(context):
        raise OSError(-failed, "seccomp_load")


if __name__ == "__main__":
    confine(sys.argv[1].split(","))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606
