"""Paths of the image, resolved inside its root: its links must not lead to the builder's own files."""

import errno
import os

MOST_LINKS = 40


def inside(root: str, path: str) -> str:
    """The path as a process sees it whose root this is, links followed. What is not there is kept as it is given."""
    steps, found, links = path.split('/')[::-1], '', 0
    while steps:
        step = steps.pop()
        if step in ('', '.'):
            continue
        if step == '..':
            found = os.path.dirname(found)
            continue
        here = f'{found}/{step}'
        try:
            target = os.readlink(root + here)
        except OSError:
            found = here
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith('/'):
            found = ''
        steps += target.split('/')[::-1]
    return root + found
