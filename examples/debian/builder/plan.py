"""What will be done, as an osbuild manifest: pipelines of stages with their options. Pure, no I/O."""

import hashlib
import json
import uuid
from typing import NamedTuple

from blueprint import Blueprint
from disk_types import TYPES
from storage import Image

MIB = 2**20
SECTOR = 512
# Firmware takes a partition of fewer than 65525 clusters for FAT16 whatever it says; this size has 131072 of 4 kB.
BOOT_START, BOOT_SIZE = 1 * MIB, 512 * MIB
# bib's disks are 10 GiB. Smaller ones here: they are hashed, copied and published in tests.
ROOT_MINIMUM = 2048 * MIB
# The partition types of the Discoverable Partitions Specification, and the name firmware looks for.
ARCHITECTURES = {
    'amd64': ('x86_64', '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709', 'x64', 'ttyS0'),
    'arm64': ('aarch64', 'B921B045-1DF0-41C3-AF44-4C6F280D3FAE', 'aa64', 'ttyAMA0'),
}
NAMESPACE = uuid.UUID('6b0fa1a1-5f0c-4ac3-8f2c-6d0b6f3d3a52')


class Request(NamedTuple):
    """Everything the plan depends on. `image_size` is the content of the image in bytes, 0 for iso types."""

    reference: str
    image: Image
    types: list[str]
    rootfs: str
    blueprint: Blueprint
    kernel: str
    kernel_arguments: str
    image_size: int
    # What a bootc-installer installs: its name.
    payload: str | None = None


def root_size(content: int, minimum: int) -> int:
    """Twice the content as bib does, not below the minimum, in whole MiB."""
    size = max(2 * content, minimum, ROOT_MINIMUM)
    return -(-size // MIB) * MIB


def _tree(request: Request, filesystem: str | None) -> list[dict]:
    """The stages that turn the image into a root directory."""
    blueprint = request.blueprint
    stages = [
        {
            'type': 'org.osbuild.container-deploy',
            'options': {'image': request.reference, 'id': f'sha256:{request.image.id}'},
        }
    ]
    if blueprint.groups:
        stages.append({'type': 'org.osbuild.groups', 'options': {'groups': [dict(one) for one in blueprint.groups]}})
    if blueprint.users:
        # Hashes and keys stay out of the plan, which is printed and kept beside the disk.
        users = [
            {key: value for key, value in one.items() if key not in ('password', 'key')} for one in blueprint.users
        ]
        stages.append({'type': 'org.osbuild.users', 'options': {'users': users}})
    origin = {'container-image-reference': f'ostree-unverified-registry:{request.reference}'}
    stages.append({'type': 'org.osbuild.update-origin', 'options': origin})
    if filesystem:
        entry = {'uuid': filesystem, 'vfs_type': request.rootfs, 'path': '/', 'options': 'rw'}
        stages.append({'type': 'org.osbuild.fstab', 'options': {'filesystems': [entry]}})
    return stages


def _loader(request: Request, root_arguments: str) -> dict:
    _, _, firmware, console = ARCHITECTURES[request.image.architecture]
    arguments = [root_arguments, f'console=tty0 console={console}', request.kernel_arguments]
    options = {
        'firmware': firmware,
        'kernel': request.kernel,
        'options': ' '.join(filter(None, [*arguments, request.blueprint.kernel_arguments])),
    }
    return {'type': 'org.osbuild.systemd-boot', 'options': options}


def _disk(request: Request) -> list[dict]:
    """The raw disk and a pipeline for each form made of it, whatever is asked for, as in the real program's manifest."""
    identity = json.dumps([request.image.id, request.reference, request.rootfs, request.kernel_arguments])
    disk, boot, filesystem = (str(uuid.uuid5(NAMESPACE, identity + part)) for part in ('disk', 'boot', 'root'))
    root_start = BOOT_START + BOOT_SIZE
    size = root_size(request.image_size, request.blueprint.minimum_size)
    # One MiB at the end for the second copy of the partition table.
    total = root_start + size + MIB
    _, root_type, _, _ = ARCHITECTURES[request.image.architecture]
    partitions = [
        {'name': 'boot', 'type': 'U', 'uuid': boot, 'start': BOOT_START // SECTOR, 'size': BOOT_SIZE // SECTOR},
        {'name': 'root', 'type': root_type, 'uuid': filesystem, 'start': root_start // SECTOR, 'size': size // SECTOR},
    ]
    stages = [
        *_tree(request, filesystem),
        {'type': 'org.osbuild.truncate', 'options': {'filename': 'disk.raw', 'size': str(total)}},
        {'type': 'org.osbuild.sfdisk', 'options': {'label': 'gpt', 'uuid': disk, 'partitions': partitions}},
        {'type': 'org.osbuild.mkfs.fat', 'options': {'label': 'BOOT', 'volid': boot[:8], 'start': BOOT_START, 'size': BOOT_SIZE}},
        _loader(request, f'root=UUID={filesystem} rw'),
        {'type': f'org.osbuild.mkfs.{request.rootfs}', 'options': {'label': 'root', 'uuid': filesystem, 'start': root_start, 'size': size}},
    ]  # fmt: skip
    pipelines = [{'name': 'image', 'stages': stages}]
    formats = {
        'qcow2': ('disk.qcow2', {'type': 'qcow2', 'compat': '1.1'}),
        'vmdk': ('disk.vmdk', {'type': 'vmdk', 'subformat': 'streamOptimized'}),
        'vpc': ('disk.vhd', {'type': 'vpc', 'subformat': 'fixed'}),
    }
    for name, (filename, form) in formats.items():
        options = {'filename': filename, 'format': form}
        pipelines.append({'name': name, 'stages': [_made_of('image', stage='org.osbuild.qemu', options=options)]})
    pipelines += [
        {
            'name': 'ovf',
            'stages': [
                _made_of('vmdk', stage='org.osbuild.copy', options={'paths': [{'from': 'disk.vmdk', 'to': 'disk'}]}),
                {'type': 'org.osbuild.ovf', 'options': {'vmdk': 'disk'}},
            ],
        },
        {'name': 'archive', 'stages': [_made_of('ovf', stage='org.osbuild.tar', options={'filename': 'disk.ova'})]},
        {'name': 'gce', 'stages': [_made_of('image', stage='org.osbuild.tar', options={'filename': 'image.tar.gz'})]},
    ]
    return pipelines


def _made_of(*pipelines: str, stage: str, options: dict) -> dict:
    """A stage that reads what other pipelines have made."""
    references = [f'name:{name}' for name in pipelines]
    files = {'type': 'org.osbuild.files', 'origin': 'org.osbuild.pipeline', 'references': references}
    return {'type': stage, 'inputs': {'files': files}, 'options': options}


def _iso(request: Request) -> list[dict]:
    """A live system: the image as a compressed file system, started from a FAT image in the iso."""
    boot = {'label': 'BOOT', 'volid': request.image.id[:8]}
    medium = {'filename': TYPES['iso'].file, 'volid': 'LIVE'}
    compression = {'method': 'zstd', 'level': 1}
    media = [
        _made_of(
            'os-tree',
            stage='org.osbuild.squashfs',
            options={'filename': 'live/filesystem.squashfs', 'compression': compression},
        )
    ]
    if request.payload:
        options = {'filename': 'container/root.squashfs', 'compression': compression, 'payload': request.payload}
        media.append({'type': 'org.osbuild.squashfs', 'options': options})
        media.append({'type': 'org.osbuild.kickstart', 'options': {'path': 'osbuild.ks', 'payload': request.payload}})
    return [
        {'name': 'os-tree', 'stages': _tree(request, None)},
        {
            'name': 'efiboot-tree',
            'stages': [
                _made_of('os-tree', stage='org.osbuild.mkfs.fat', options=boot),
                _loader(request, 'boot=live components'),
            ],
        },
        {'name': 'bootiso-tree', 'stages': media},
        {
            'name': 'bootiso',
            'stages': [
                _made_of('bootiso-tree', 'efiboot-tree', stage='org.osbuild.xorrisofs', options=medium),
            ],
        },
    ]  # fmt: skip


def manifest(request: Request) -> dict:
    """The osbuild manifest, format 2, of a request."""
    return {
        'version': '2',
        'pipelines': _iso(request) if any(TYPES[kind].iso for kind in request.types) else _disk(request),
        'sources': {
            'org.osbuild.containers-storage': {'items': {f'sha256:{request.image.id}': {}}},
        },
    }


def needed(pipelines: list[dict], exports: list[str]) -> list[dict]:
    """The pipelines that the exports are made of: osbuild runs no others of a manifest."""
    wanted = set(exports)
    for pipeline in reversed(pipelines):
        if pipeline['name'] in wanted:
            for stage in pipeline['stages']:
                for files in stage.get('inputs', {}).values():
                    wanted.update(name.removeprefix('name:') for name in files['references'])
    return [pipeline for pipeline in pipelines if pipeline['name'] in wanted]


def identifiers(pipelines: list[dict]) -> list[list[str]]:
    """For each pipeline its stages' ids: a hash over the stage and everything before it in the pipeline."""
    found = []
    for pipeline in pipelines:
        seen, ids = hashlib.sha256(), []
        for stage in pipeline['stages']:
            seen.update(json.dumps(stage, sort_keys=True).encode())
            ids.append(seen.copy().hexdigest())
        found.append(ids)
    return found
