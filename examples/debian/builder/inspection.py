"""The container in which the real program looks at the image: the nested podman keeps it in the host's storage."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator

from failure import BuildError


@contextlib.contextmanager
def container(reference: str) -> Iterator[None]:
    """Keeps one running, where this image has a podman. A builder that is ended meanwhile leaves it behind."""
    if not shutil.which('podman'):
        yield
        return
    init = ['--init'] if shutil.which('catatonit') else []
    started = _podman(
        'run', '--rm', *init, '--detach', '--net', 'host', '--entrypoint', 'sleep', reference, 'infinity'
    )  # fmt: skip
    identifier = started.strip().splitlines()[-1]
    yield
    _podman('stop', '--time', '0', identifier)
    _podman('rm', '--ignore', identifier)


def _podman(*arguments: str) -> str:
    done = subprocess.run(['podman', *arguments], capture_output=True, text=True, errors='replace', check=False)
    if done.returncode != 0:
        raise BuildError(f'podman {arguments[0]} failed: exit status {done.returncode}\nstderr:\n{done.stderr}')
    return done.stdout
