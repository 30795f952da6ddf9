"""The work itself: one function per stage of the plan. Disks are assembled as files; nothing is mounted from them."""

import datetime
import os
from collections.abc import Callable

import storage
import users
from failure import BuildError
from plan import MIB, Request
from process import run
from root import inside

# Where a device can read which image it was made from; the key is the one ostree uses in a deployment's .origin file.
ORIGIN = 'etc/example-builder/origin'
FIRMWARE = '/usr/lib/systemd/boot/efi/systemd-boot{}.efi'


class Workshop:
    """A build under way: the image's root, the directory for intermediate files, the log."""

    def __init__(self, request: Request, root: str, directory: str, log: Callable[[str], None]) -> None:
        self.request, self.root, self.directory, self.log = request, root, directory, log
        self.disk = f'{directory}/disk.raw'
        self.boot = f'{directory}/efiboot.img'
        self.media = f'{directory}/media'
        self.payload = storage.payload_root(directory)
        # Equal inputs give nearly equal disks: times come from the image.
        self.environment = {'SOURCE_DATE_EPOCH': str(epoch(request.image.created)), 'MTOOLS_SKIP_CHECK': '1'}
        self.environment['E2FSPROGS_FAKE_TIME'] = self.environment['SOURCE_DATE_EPOCH']

    def run(self, *arguments: str, stdin: str | None = None) -> None:
        """Runs a program with its output in the log."""
        run(list(arguments), self.log, stdin=stdin, environment=self.environment)

    def write(self, path: str, text: str) -> None:
        """Writes a file of the root. A link in the path is followed inside the root."""
        target = inside(self.root, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, 'w', encoding='utf-8') as file:
            file.write(text)

    def perform(self, stage: dict) -> None:
        """Does one stage of the plan."""
        try:
            STAGES[stage['type']](self, stage['options'])
        except OSError as error:
            raise BuildError(f'{stage["type"]}: {error.strerror}: {error.filename}') from error


def epoch(created: str) -> int:
    """Seconds since 1970 of an image's creation time, 0 when it has none."""
    try:
        return int(datetime.datetime.fromisoformat(created[:19] + '+00:00').timestamp())
    except ValueError:
        return 0


def container_deploy(shop: Workshop, _options: dict) -> None:
    shop.log(f'{len(shop.request.image.layers)} layers of {shop.request.reference}')
    # Present and empty: every device makes its own at its first boot, and nothing asks questions on the console.
    shop.write('etc/machine-id', '')
    # As new as /usr: else the first boot spends seconds on rebuilding caches that are up to date.
    for marker in ('etc/.updated', 'var/.updated'):
        shop.write(marker, '')
        os.utime(inside(shop.root, marker), times=(os.stat(inside(shop.root, 'usr')).st_mtime,) * 2)


def groups(shop: Workshop, _options: dict) -> None:
    users.add_groups(shop.root, shop.request.blueprint.groups, shop.run)


def add_users(shop: Workshop, _options: dict) -> None:
    users.add_users(shop.root, shop.request.blueprint.users, shop.run)


def update_origin(shop: Workshop, options: dict) -> None:
    reference = options['container-image-reference']
    shop.write(ORIGIN, f'[origin]\ncontainer-image-reference={reference}\n')
    shop.log(f'/{ORIGIN}: {reference}')


def fstab(shop: Workshop, options: dict) -> None:
    lines = [f'UUID={one["uuid"]} {one["path"]} {one["vfs_type"]} {one["options"]} 0 1' for one in options['filesystems']]
    shop.write('etc/fstab', '\n'.join(lines) + '\n')


def truncate(shop: Workshop, options: dict) -> None:
    with open(shop.disk, 'wb') as file:
        file.truncate(int(options['size']))


def sfdisk(shop: Workshop, options: dict) -> None:
    lines = [f'label: {options["label"]}', f'label-id: {options["uuid"]}']
    for one in options['partitions']:
        lines.append(
            f'start={one["start"]}, size={one["size"]}, type={one["type"]}, uuid={one["uuid"]}, name={one["name"]}'
        )
    shop.run('sfdisk', '--quiet', '--no-tell-kernel', shop.disk, stdin='\n'.join(lines) + '\n')


def mkfs_fat(shop: Workshop, options: dict) -> None:
    common = ['mkfs.vfat', '--invariant', '-n', options['label'], '-i', options['volid']]
    if 'start' in options:
        blocks = options['size'] // 1024
        shop.run(*common, '-F', '32', '--offset', str(options['start'] // 512), shop.disk, str(blocks))
        shop.boot = f'{shop.disk}@@{options["start"]}'
        return
    content = sum(os.path.getsize(path) for path in _kernel_files(shop).values())
    with open(shop.boot, 'wb') as file:
        file.truncate((content // MIB + 4) * MIB)
    shop.run(*common, shop.boot)


def _kernel_files(shop: Workshop) -> dict[str, str]:
    modules = f'usr/lib/modules/{shop.request.kernel}'
    names = {'linux': 'vmlinuz', 'initrd': 'initramfs.img'}
    return {target: inside(shop.root, f'{modules}/{name}') for target, name in names.items()}


def systemd_boot(shop: Workshop, options: dict) -> None:
    firmware, version = options['firmware'], options['kernel']
    entry = [
        f'title {shop.request.reference}',
        f'version {version}',
        f'linux /{version}/linux',
        f'initrd /{version}/initrd',
        f'options {options["options"]}',
    ]
    files = {
        'loader.conf': 'timeout 0\ndefault image.conf\n',
        'image.conf': '\n'.join(entry) + '\n',
    }
    for name, text in files.items():
        with open(f'{shop.directory}/{name}', 'w', encoding='utf-8') as file:
            file.write(text)
    shop.run('mmd', '-i', shop.boot, '::/EFI', '::/EFI/BOOT', '::/loader', '::/loader/entries', f'::/{version}')
    copies = {
        f'/EFI/BOOT/BOOT{firmware.upper()}.EFI': FIRMWARE.format(firmware),
        '/loader/loader.conf': f'{shop.directory}/loader.conf',
        '/loader/entries/image.conf': f'{shop.directory}/image.conf',
    } | {f'/{version}/{name}': path for name, path in _kernel_files(shop).items()}
    for target, source in copies.items():
        shop.run('mcopy', '-i', shop.boot, source, f'::{target}')


def mkfs_ext4(shop: Workshop, options: dict) -> None:
    extended = f'offset={options["start"]},hash_seed={options["uuid"]},lazy_itable_init=1'
    shop.run(
        'mkfs.ext4', '-q', '-F', '-L', options['label'], '-U', options['uuid'], '-E', extended,
        '-d', shop.root, shop.disk, f'{options["size"] // 1024}k',
    )  # fmt: skip


def mkfs_xfs(shop: Workshop, options: dict) -> None:
    listing, image = f'{shop.directory}/root.proto', f'{shop.directory}/root.xfs'
    lines: list[str] = []
    run(['xfs_protofile', shop.root], lines.append)
    with open(listing, 'w', encoding='utf-8') as file:
        file.write('\n'.join(lines) + '\n')
    shop.run(
        'mkfs.xfs', '-q', '-L', options['label'], '-m', f'uuid={options["uuid"]}',
        '-d', f'file,name={image},size={options["size"]}', '-p', listing,
    )  # fmt: skip
    # mkfs.xfs has no offset.
    shop.run(
        'dd', f'if={image}', f'of={shop.disk}', 'bs=1M', f'seek={options["start"] // MIB}', 'conv=notrunc,sparse',
        'status=none',
    )  # fmt: skip
    os.unlink(image)


def qemu(shop: Workshop, options: dict) -> None:
    form = dict(options['format'])
    kind = form.pop('type')
    arguments = [word for key, value in form.items() for word in ('-o', f'{key}={value}')]
    shop.run(
        'qemu-img', 'convert', '-f', 'raw', '-O', kind, *arguments, shop.disk, f'{shop.directory}/{options["filename"]}'
    )


def squashfs(shop: Workshop, options: dict) -> None:
    target = f'{shop.media}/{options["filename"]}'
    os.makedirs(os.path.dirname(target))
    method = options['compression']
    shop.run(
        'mksquashfs', shop.payload if 'payload' in options else shop.root, target, '-quiet', '-no-progress', '-noappend', '-xattrs',
        '-comp', method['method'], '-Xcompression-level', str(method['level']),
    )  # fmt: skip


def kickstart(shop: Workshop, options: dict) -> None:
    with open(f'{shop.media}/{options["path"]}', 'w', encoding='utf-8') as file:
        file.write(f'%post\nbootc switch --mutate-in-place --transport registry {options["payload"]}\n%end\n')


def xorrisofs(shop: Workshop, options: dict) -> None:
    # The FAT image is a partition of its own, so that the iso starts from a USB stick as it does from a drive.
    shop.run(
        'xorriso', '-as', 'mkisofs', '-quiet', '-o', f'{shop.directory}/{options["filename"]}', '-V', options['volid'],
        '-J', '-joliet-long', '-r', '-partition_offset', '16', '-append_partition', '2', '0xef', shop.boot,
        '-appended_part_as_gpt', '-e', '--interval:appended_partition_2:all::', '-no-emul-boot', shop.media,
    )  # fmt: skip


STAGES = {
    'org.osbuild.container-deploy': container_deploy,
    'org.osbuild.groups': groups,
    'org.osbuild.users': add_users,
    'org.osbuild.update-origin': update_origin,
    'org.osbuild.fstab': fstab,
    'org.osbuild.truncate': truncate,
    'org.osbuild.sfdisk': sfdisk,
    'org.osbuild.mkfs.fat': mkfs_fat,
    'org.osbuild.systemd-boot': systemd_boot,
    'org.osbuild.mkfs.ext4': mkfs_ext4,
    'org.osbuild.mkfs.xfs': mkfs_xfs,
    'org.osbuild.qemu': qemu,
    'org.osbuild.squashfs': squashfs,
    'org.osbuild.kickstart': kickstart,
    'org.osbuild.xorrisofs': xorrisofs,
}
