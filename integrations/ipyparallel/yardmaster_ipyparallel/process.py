"""The scheduler as a child of the controller: a multiprocessing.Process that becomes the binary.

Started by supervisor.py. A Process, not a Popen, because every way in which ipcontroller ends
(a signal, Client.shutdown(hub=True), an exception) ends its multiprocessing children and nothing
else. Works with the start methods fork, forkserver and spawn.

Invariant: between `start` and exec the child runs nothing of the controller's: signal handlers are
reset first, so a SIGTERM in that moment ends the child and not its siblings.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import threading
from collections import deque
from multiprocessing import Pipe, Process

# Lines of the binary's standard error that are kept to explain a death.
TAIL_LINES = 20
# A pipe that holds some thousand lines: a busy controller must not make the scheduler wait.
PIPE_SIZE = 1 << 20
READ_SIZE = 1 << 16
EXIT_CANNOT_EXEC = 127
PR_SET_PDEATHSIG = 1


class SchedulerProcess(Process):
    """One run of the binary. Like any Process it is started once; a restart makes a new one."""

    def __init__(self, argv: list[str], environment: dict[bytes, bytes], name: str):
        super().__init__(name=name, daemon=True)
        self.argv = argv
        self.environment = environment
        self.writer = None

    def start(self):
        """Start the child, and keep the reading end of its standard error."""
        reader, self.writer = Pipe(duplex=False)
        try:
            fcntl.fcntl(self.writer.fileno(), fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        except OSError:
            pass  # the user's quota of pipe memory is spent: the default size serves too
        super().start()
        # Ours must go: the last writer's death is what ends the reading thread.
        self.writer.close()
        self.writer = None
        self.output = Output(reader)

    def run(self):
        """In the child: become the binary."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        # The controller may die by SIGKILL, when nobody ends its children. `--parent-pid` says the
        # same once more, for the start method forkserver, where the parent is another process.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # multiprocessing closes descriptor 0 here; the next socket opened would become "stdin".
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(self.writer.fileno(), 2)
        try:
            os.execve(self.argv[0], self.argv, self.environment)
        except OSError as error:
            os.write(2, f"cannot run {self.argv[0]}: {error.strerror}\n".encode())
        os._exit(EXIT_CANNOT_EXEC)


class Output:
    """The binary's standard error: passed on to ours, its last lines kept.

    `forward` starts the reading thread; it is separate because the controller forks its other
    children right after ours, and a fork is safest while there are no threads.
    """

    def __init__(self, reader):
        self.reader = reader
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.first_line = ""
        self.thread = None

    def forward(self):
        """Start to pass on; calling it again changes nothing."""
        if self.thread is None:
            self.thread = threading.Thread(
                target=self._forward, name="yardmaster-stderr", daemon=True
            )
            self.thread.start()

    def lines(self, timeout_s: float = 1.0) -> list[str]:
        """The last lines of a binary that is dead."""
        self.forward()
        self.thread.join(timeout_s)
        return list(self.tail)

    def _forward(self):
        descriptor = self.reader.fileno()
        rest = b""
        while chunk := os.read(descriptor, READ_SIZE):
            try:
                sys.__stderr__.buffer.write(chunk)
                sys.__stderr__.buffer.flush()
            except (OSError, ValueError, AttributeError):
                pass  # no standard error left to write to: keep draining
            *lines, rest = (rest + chunk).split(b"\n")
            self._keep(lines)
            rest = rest[-READ_SIZE:]
        self._keep([rest] if rest else [])
        self.reader.close()

    def _keep(self, lines):
        for line in lines[-TAIL_LINES:] if self.first_line else lines:
            text = line.decode("utf8", "replace").rstrip()
            if text and not self.first_line:
                self.first_line = text
            if text:
                self.tail.append(text)
