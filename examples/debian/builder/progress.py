"""What the person or program that started the build sees, in the four ways of bootc-image-builder."""

import os
import sys
import threading
import time

from failure import BuildError


def choose(kind: str) -> 'Verbose':
    """`auto` is `term` for a person at a terminal and `verbose` for everyone else."""
    if kind == 'auto':
        kind = 'term' if _at_terminal() else 'verbose'
    kinds = {'verbose': Verbose, 'debug': Debug, 'term': Term}
    if kind not in kinds:
        raise BuildError(f'cannto create progress bar: unknown progress type: "{kind}"')
    return kinds[kind]()


def _at_terminal() -> bool:
    try:
        return sys.stdin.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns > 0
    except (OSError, ValueError):
        return False


class Verbose:
    """The builder's own lines on the standard error, the log of the stages on the standard output."""

    raw_log = True

    def message(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def pulse(self, text: str) -> None:
        self.message(text)

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def pipeline(self, done: int, total: int, name: str) -> None:
        pass

    def stage(self, done: int, total: int, name: str) -> None:
        pass

    def log(self, text: str) -> None:
        """A line of the stages' log."""
        print(text, flush=True)


class Debug(Verbose):
    """One line per event on the standard error; the stages' log is kept for a failure."""

    raw_log = False

    def __init__(self) -> None:
        self.kept: list[str] = []

    def _write(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def message(self, text: str) -> None:
        self._write(f'msg: {text}')

    def pulse(self, text: str) -> None:
        self._write(f'pulse: {text}')

    def start(self) -> None:
        self._write('Start progressbar')

    def stop(self) -> None:
        self._write('Stop progressbar')

    def pipeline(self, done: int, total: int, name: str) -> None:
        self._write(f'[{done + 1} / {total + 1}] Pipeline {name}')

    def stage(self, done: int, total: int, name: str) -> None:
        self._write(f'  [{done} / {total}] Stage {name}')
        self.message(f'Starting module {name}')

    def log(self, text: str) -> None:
        self.kept.append(text)


class Term(Debug):
    """A few lines on the standard error, drawn anew five times a second."""

    SPINNER = '|/-\\'

    def __init__(self) -> None:
        super().__init__()
        self.spin = ''
        self.bars: list[str] = []
        self.last = ''
        self.frame = 0
        self.done = threading.Event()
        self.painter: threading.Thread | None = None

    def message(self, text: str) -> None:
        self.last = text
        if not self.painter:
            self._write(text)

    def pulse(self, text: str) -> None:
        self.spin = text

    def pipeline(self, done: int, total: int, name: str) -> None:
        self.bars[0:2] = [_bar(done + 1, total + 1, f'Pipeline {name}')]

    def stage(self, done: int, total: int, name: str) -> None:
        self.bars[1:2] = [_bar(done + 1, total + 1, f'Stage {name}')]
        self.message(f'Starting module {name}')

    def start(self) -> None:
        sys.stderr.write('\x1b[?25l')
        self.painter = threading.Thread(target=self._paint, daemon=True)
        self.painter.start()

    def _paint(self) -> None:
        while not self.done.is_set():
            self._draw()
            self.done.wait(0.2)

    def _draw(self) -> None:
        self.frame += 1
        lines = [f'[{self.SPINNER[self.frame % 4]}] {self.spin}', *self.bars, f'Message: {self.last}']
        sys.stderr.write(''.join(f'\x1b[2K{line}\n' for line in lines) + f'\x1b[{len(lines)}A')
        sys.stderr.flush()

    def stop(self) -> None:
        if not self.painter:
            return
        self.done.set()
        self.painter.join()
        self.painter = None
        self._draw()
        sys.stderr.write('\x1b[?25h' + '\n' * (2 + len(self.bars)))
        sys.stderr.flush()


def _bar(done: int, total: int, name: str) -> str:
    share = done / total
    filled = int(share * 6)
    bar = ('-' * max(filled - 1, 0) + ('>' if filled else '')).ljust(6, '_')
    return f'[{done} / {total}] {name} [{bar}] {share * 100:.2f}%'


class Pace:
    """Stretches a build to a minimum duration, so that live progress and interruption can be watched."""

    def __init__(self, seconds: float, steps: int) -> None:
        self.seconds, self.steps, self.done = seconds, max(steps, 1), 0
        self.started = time.monotonic()

    def step(self, log) -> None:
        """After each step: waits until that step's share of the minimum has passed, with a line every second."""
        self.done += 1
        until = self.started + self.seconds * self.done / self.steps
        while (left := until - time.monotonic()) > 0:
            log(f'waiting {left:.0f} s more in this stage (io.flightline.example.builder-seconds={self.seconds:g})')
            time.sleep(min(left, 1))
