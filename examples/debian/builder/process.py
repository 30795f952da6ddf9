"""Runs the programs that do the work, and ends them when the builder is told to stop."""

import os
import signal
import subprocess
from collections.abc import Callable

from failure import BuildError, Cancelled


def stop_on_signals() -> None:
    """From now on SIGTERM and SIGINT raise Cancelled in the main thread, once."""

    def stop(_number, _frame):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise Cancelled

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def run(
    arguments: list[str],
    log: Callable[[str], None],
    *,
    stdin: str | None = None,
    environment: dict[str, str] | None = None,
) -> None:
    """Runs a program to its end, its output line by line to `log`. BuildError when it fails or is not there."""
    try:
        child = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            env={**os.environ, 'LC_ALL': 'C.UTF-8', **(environment or {})},
        )
    except OSError as error:
        raise BuildError(f'cannot run {arguments[0]}: {error.strerror}') from error
    last = ''
    try:
        if stdin is not None:
            try:
                child.stdin.write(stdin)
                child.stdin.close()
            except BrokenPipeError:
                pass  # its exit code tells
        for line in child.stdout:
            log(line.rstrip('\n'))
            last = line.strip() or last
        code = child.wait()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    if code != 0:
        raise BuildError(f'{arguments[0]} ended with code {code}: {last}')
