"""The type names that bootc-image-builder knows, and which of them this builder makes."""

from typing import NamedTuple

from failure import BuildError


class DiskType(NamedTuple):
    """What a type becomes. `export` is a directory below the output; `file` is None when it is not built here."""

    export: str
    file: str | None
    iso: bool = False


TYPES = {
    'ami': DiskType('image', 'disk.raw'),
    'anaconda-iso': DiskType('bootiso', None, iso=True),
    'bootc-installer': DiskType('bootiso', 'install.iso', iso=True),
    'gce': DiskType('gce', None),
    'iso': DiskType('bootiso', 'install.iso', iso=True),
    'ova': DiskType('archive', None),
    'pxe-tar-xz': DiskType('xz', None),
    'qcow2': DiskType('qcow2', 'disk.qcow2'),
    'raw': DiskType('image', 'disk.raw'),
    'vhd': DiskType('vpc', None),
    'vmdk': DiskType('vmdk', 'disk.vmdk'),
}


def check_types(names: list[str]) -> None:
    """Raises BuildError, in bib's words, for a name nobody knows, a mix of iso and disk, or a type not built here."""
    listed = '[' + ' '.join(names) + ']'
    for name in names:
        if name not in TYPES:
            known = ', '.join(TYPES)
            raise BuildError(
                f'cannot detect build types {listed}: unsupported image type "{name}", valid types are {known}'
            )
    if len({TYPES[name].iso for name in names}) > 1:
        raise BuildError(f'cannot detect build types {listed}: cannot mix ISO/disk images in request {listed}')
    for name in names:
        if TYPES[name].file is None:
            built = ', '.join(name for name, kind in TYPES.items() if kind.file)
            raise BuildError(
                f'cannot detect build types {listed}: type "{name}" is not built by the example builder, it builds {built}'
            )


def exports(names: list[str]) -> dict[str, str]:
    """Export directory → file name, in the order asked for, each once (raw and ami are one file)."""
    return {TYPES[name].export: TYPES[name].file for name in names}
