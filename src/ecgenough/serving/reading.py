"""Reading strangers' files in processes of their own, so that a hostile one is stopped and takes nothing with it."""

import multiprocessing
import queue
import resource
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from ecgenough import formats
from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, EcgenoughError
from ecgenough.formats.table import TableLayout
from ecgenough.serving.limits import Limits

OPEN_FILES = 64
STARTING = 60.0  # seconds; a process that reads imports NumPy first
_SPAWN = multiprocessing.get_context("spawn")


class Readers:
    """A few processes that read recordings, each within limits of time and memory; a stopped one is replaced."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle: queue.SimpleQueue[_Reader] = queue.SimpleQueue()
        self._all = [_Reader(limits.memory) for _ in range(limits.readers)]
        for reader in self._all:
            self._idle.put(reader)

    def read(self, path: Path, layout: TableLayout | None = None) -> Ecg:
        """`formats.read` elsewhere. Raises what it raises, and BrokenRecord for a file that goes beyond the limits."""
        reader = self._idle.get()
        try:
            return reader.read(path, layout, self._limits.reading)
        finally:
            self._idle.put(reader)

    def await_start(self) -> None:
        """Wait until every process reads."""
        for reader in self._all:
            reader.await_start()

    def close(self) -> None:
        """End the processes."""
        for reader in self._all:
            reader.stop()


class _Reader:
    """One process, started again when it had to be stopped."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._start()

    def read(self, path: Path, layout: TableLayout | None, seconds: float) -> Ecg:
        try:
            self.await_start()
            self._ends.send((path, layout))
            if not self._ends.poll(seconds):
                self._again()
                raise BrokenRecord(f"{path.name} took longer than {seconds:g} s to read and was given up.")
            answer = self._ends.recv()
        except (EOFError, OSError):
            self._again()
            raise BrokenRecord(f"{path.name} cannot be read within the memory that reading may take.") from None
        if isinstance(answer, Ecg):
            return answer
        kind, sentence = answer
        raise kind(sentence)

    def stop(self) -> None:
        self._ends.close()
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        self._ends, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_read_for_others, args=(theirs, self._memory), daemon=True)
        self._process.start()
        theirs.close()
        self._ready = False

    def await_start(self) -> None:
        """Raises EOFError where the process has died."""
        if not self._ready:
            if not self._ends.poll(STARTING):
                raise EOFError
            self._ends.recv()
            self._ready = True

    def _again(self) -> None:
        self.stop()
        self._start()


def _read_for_others(ends: Connection, memory: int) -> None:
    """What a reading process does: answer each path with its Ecg or with the error, until the service is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    ends.send("ready")
    while True:
        try:
            path, layout = ends.recv()
        except EOFError:
            return
        ends.send(_read(path, layout))


def _read(path: Path, layout: TableLayout | None) -> Ecg | tuple[type[EcgenoughError], str]:
    try:
        return formats.read(path, layout)
    except EcgenoughError as error:
        return type(error), str(error)
    except MemoryError:
        return BrokenRecord, f"{path.name} cannot be read within the memory that reading may take."
    except Exception as error:  # a reader's fault must not end the process; the sentence says which file and what
        return BrokenRecord, f"{path.name} cannot be read ({type(error).__name__})."
