"""Reads an image out of the host's container storage, which is mounted at /var/lib/containers/storage.

The files are read directly and the layers are mounted with one overlay mount in this container. Nothing in the
storage is written and no lock is taken, so the host's podman never waits for this builder, and a killed builder
leaves nothing behind: its mounts end with its mount namespace. (podman inside the container would open the host's
database, refresh every container in it, and hold the storage lock meanwhile.)
"""

import base64
import ctypes
import json
import os
from typing import NamedTuple

from failure import BuildError

STORAGE = '/var/lib/containers/storage'
MNT_DETACH = 2
LIBC = ctypes.CDLL(None, use_errno=True)


class Image(NamedTuple):
    """An image of the storage: `layers` are directories below STORAGE/overlay, the topmost first."""

    id: str
    labels: dict[str, str]
    architecture: str
    created: str
    layers: list[str]


def check_mounted() -> None:
    """Raises BuildError when the host's storage is not there or is not of the overlay driver."""
    overlay = f'{STORAGE}/overlay'
    if not os.path.isdir(overlay):
        mount = f'-v {STORAGE}:{STORAGE}'
        raise BuildError(
            f'could not access container storage, did you forget {mount}? '
            f'(cannot find "{overlay}" (missing {mount} mount?))'
        )


def _read_json(*path: str):
    try:
        with open(os.path.join(STORAGE, *path), encoding='utf-8') as file:
            return json.load(file)
    except FileNotFoundError:
        return []


def _candidates(reference: str) -> list[str]:
    """The full names that a short one may stand for, the way podman looks it up in local storage."""
    first, slash, _ = reference.partition('/')
    if '@' not in reference and ':' not in reference.rpartition('/')[2]:
        reference += ':latest'
    if slash and ('.' in first or ':' in first or first == 'localhost'):
        return [reference]
    return [f'localhost/{reference}', f'docker.io/library/{reference}', f'docker.io/{reference}']


def _find(reference: str):
    images = _read_json('overlay-images', 'images.json')
    for name in _candidates(reference):
        repository, at, digest = name.partition('@')
        last = repository.rpartition('/')[2]
        untagged = repository[: len(repository) - len(last)] + last.partition(':')[0]
        for image in images:
            names = image.get('names') or []
            if name in names:
                return image
            digests = {image.get('digest'), *(image.get('big-data-digests') or {}).values()}
            if at and digest in digests and any(known.startswith((untagged + ':', untagged + '@')) for known in names):
                return image
    for image in images:
        if len(reference) >= 12 and image['id'].startswith(reference.removeprefix('sha256:')):
            return image
    return None


def inspect(reference: str) -> Image:
    """Finds an image by name, digest or id; BuildError in the words of podman and bib when it is not there."""
    entry = _find(reference)
    if entry is None:
        raise BuildError(
            'failed to inspect the image: exit status 125, stderr:\n'
            f'Error: {reference}: image not known\n'
            '\nbootc-image-builder no longer pulls images, make sure to pull it before running bootc-image-builder:\n'
            f'    sudo podman pull {reference}'
        )
    # Big data is stored under its key, in base64 because of the colon in it.
    key = f'sha256:{entry["id"]}'
    name = '=' + base64.b64encode(key.encode()).decode()
    config = _read_json('overlay-images', entry['id'], name)
    if not config:
        raise BuildError(f'failed to inspect the image: no configuration of {entry["id"]} in the storage')
    parents = {
        layer['id']: layer.get('parent', '')
        for file in ('layers.json', 'volatile-layers.json')
        for layer in _read_json('overlay-layers', file) or []
    }
    layers, layer = [], entry.get('layer', '')
    while layer:
        if layer not in parents or not os.path.isdir(f'{STORAGE}/overlay/{layer}/diff'):
            raise BuildError(f'failed to inspect the image: {layer}: layer not known')
        layers.append(layer)
        layer = parents[layer]
    return Image(
        id=entry['id'],
        labels=(config.get('config') or {}).get('Labels') or {},
        architecture=config.get('architecture', ''),
        created=config.get('created', ''),
        layers=layers,
    )


def _mount(source: str, target: str, kind: str, options: str) -> None:
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode()) != 0:
        raise BuildError(f'cannot mount {kind} on {target}: {os.strerror(ctypes.get_errno())}')


def mount(image: Image, directory: str) -> str:
    """Mounts the image's layers below `directory`; changes go to memory. Returns the root's path."""
    changes, root = f'{directory}/changes', f'{directory}/root'
    for path in (changes, root):
        os.makedirs(path)
    _mount('tmpfs', changes, 'tmpfs', 'mode=0755')
    for name in ('upper', 'work'):
        os.mkdir(f'{changes}/{name}')
    # The storage's short links keep many layers within the one page that mount(2) takes for its options.
    before = os.getcwd()
    os.chdir(f'{STORAGE}/overlay')
    try:
        lower = []
        for layer in image.layers:
            with open(f'{layer}/link', encoding='utf-8') as file:
                lower.append('l/' + file.read().strip())
        _mount('overlay', root, 'overlay', f'lowerdir={":".join(lower)},upperdir={changes}/upper,workdir={changes}/work')
    finally:
        os.chdir(before)
    return root


def payload_root(directory: str) -> str:
    """Where mount_payload puts the root."""
    return f'{directory}/payload/root'


def mount_payload(image: Image, directory: str) -> None:
    """Mounts what an installer installs, beside the image that it boots from."""
    mount(image, f'{directory}/payload')


def unmount(directory: str) -> None:
    """Undoes both mounts; silent when there is nothing to undo."""
    for name in ('payload/root', 'payload/changes', 'root', 'changes'):
        LIBC.umount2(f'{directory}/{name}'.encode(), MNT_DETACH)
