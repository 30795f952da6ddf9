"""The build configuration: /config.toml or /config.json, an osbuild blueprint."""

import json
import os
import re
import sys
import tomllib
from typing import NamedTuple

from failure import BuildError

# A shape is a type, a table of shapes, a list with the shape of its items, or this: anything, not looked into here.
ANY = object()
USER = {
    'name': str, 'description': str, 'password': str, 'key': str, 'home': str, 'shell': str, 'groups': [str],
    'uid': int, 'gid': int, 'expiredate': ANY, 'force_password_reset': ANY,
}  # fmt: skip
CUSTOMIZATIONS = dict.fromkeys(
    ('hostname', 'sshkey', 'timezone', 'locale', 'firewall', 'services', 'disk', 'installation_device',
     'partitioning_mode', 'fdo', 'openscap', 'ignition', 'directories', 'files', 'repositories', 'fips',
     'containers-storage', 'installer', 'iso', 'rpm', 'rhsm', 'cacerts', 'bootloader', 'sshd'), ANY,
) | {
    'user': [USER],
    'group': [{'name': str, 'gid': int}],
    'kernel': {'name': str, 'append': str},
    'filesystem': [{'mountpoint': str, 'minsize': ANY, 'label': ANY, 'type': ANY}],
}  # fmt: skip
BLUEPRINT = dict.fromkeys(
    ('name', 'description', 'version', 'packages', 'modules', 'enabled_modules', 'groups', 'containers', 'distro',
     'architecture', 'minimal'), ANY,
) | {'customizations': CUSTOMIZATIONS}  # fmt: skip
FILE_SYSTEMS = ('ext4', 'xfs', 'vfat', 'btrfs', 'swap')
# Where the real program lets files and directories be written (osbuild/image-builder, pkg/policies).
FILES = ('/etc', '/root', '/usr/local/bin', '/usr/local/sbin')
NO_FILES = ('/etc/fstab', '/etc/shadow', '/etc/passwd', '/etc/group')
DIRECTORIES = ('/etc',)
APPLIED = ('user', 'group', 'kernel', 'filesystem')
UNITS = {'': 1, 'b': 1, 'kb': 10**3, 'kib': 2**10, 'mb': 10**6, 'mib': 2**20, 'gb': 10**9, 'gib': 2**30,
         'tb': 10**12, 'tib': 2**40}  # fmt: skip
NAME = re.compile(r'[A-Za-z0-9_.][A-Za-z0-9_.-]{0,30}\$?')


class Blueprint(NamedTuple):
    """What is applied. `minimum_size` is of the root file system, in bytes; 0 when none was asked for."""

    users: list[dict]
    groups: list[dict]
    kernel_arguments: str
    minimum_size: int
    not_supported: list[str]
    customizations: dict


EMPTY = Blueprint([], [], '', 0, [], {})


def load(path: str | None) -> Blueprint:
    """Reads the given file, else /config.toml or /config.json, else nothing. `-` is JSON on the standard input."""
    try:
        if path is None:
            found = [name for name in ('config.json', 'config.toml') if os.path.exists(f'/{name}')]
            if len(found) == 2:
                raise BuildError('found "config.json" and also "config.toml", only a single one is supported')
            if not found:
                return EMPTY
            path = f'/{found[0]}'
        return _read(path)
    except BuildError as error:
        raise BuildError(f'cannot read config: {error}') from error


def _read(path: str) -> Blueprint:
    try:
        if path == '-':
            text = sys.stdin.read()
        else:
            with open(path, encoding='utf-8') as file:
                text = file.read()
    except OSError as error:
        raise BuildError(f'open {path}: {(error.strerror or "").lower()}') from error
    except UnicodeDecodeError as error:
        raise BuildError(f'cannot decode "{path}": it is not UTF-8') from error
    kind = 'json' if path == '-' else os.path.splitext(path)[1].lstrip('.')
    if kind not in ('toml', 'json'):
        raise BuildError(f'unsupported file extension for "{path}" (please use .toml or .json)')
    try:
        data = json.loads(text) if kind == 'json' else tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BuildError(f'cannot decode "{path}": {_toml_message(str(error), text)}') from error
    except json.JSONDecodeError as error:
        raise BuildError(f'cannot decode "{path}": {error}') from error
    try:
        unknown = _unknown(data, BLUEPRINT)
    except ValueError as error:
        raise BuildError(f'cannot decode "{path}": {error}') from error
    if unknown and kind == 'json':
        raise BuildError(f'cannot decode "{path}": json: unknown field "{unknown[0].rpartition(".")[2]}"')
    if unknown:
        raise BuildError(f'cannot decode "{path}": unknown keys found: [{" ".join(unknown)}]')
    try:
        return _blueprint(data)
    except ValueError as error:
        raise BuildError(f'cannot decode "{path}": {error}') from error


def _toml_message(message: str, text: str) -> str:
    """The real program names the line first; its commonest message is given in its own words."""
    at = re.fullmatch(r'(.*?) ?\((?:at line (\d+), column (\d+)|at end of document)\)', message)
    if not at:
        return f'toml: {message}'
    line = int(at[2]) if at[2] else text.rstrip('\n').count('\n') + 1
    if "Expected ']' at the end of a table declaration" in at[1]:
        lines = text.split('\n')
        column = int(at[3]) - 1 if at[3] else len(lines[line - 1])
        rest = lines[line - 1][column:]
        got = f"'{rest[0]}'" if rest else "'\\n'" if line < len(lines) else 'EOF'
        # The end of a line is met when the next one has begun, and is counted there.
        return f"toml: line {line if rest else line + 1}: expected '.' or ']' to end table name, but got {got} instead"
    return f'toml: line {line}: {at[1]}'


def _unknown(data, shape, name: str = '') -> list[str]:
    """The keys that the shape has not, by their full names; ValueError for a value of another type."""
    if shape is ANY:
        return []
    if isinstance(shape, list):
        if not isinstance(data, list):
            raise ValueError(f'incompatible types: {name} is not an array')
        return list(dict.fromkeys(key for item in data for key in _unknown(item, shape[0], name)))
    if not isinstance(shape, dict):
        if type(data) is not shape:
            raise ValueError(f'incompatible types: {name} is not {"a string" if shape is str else "an integer"}')
        return []
    if not isinstance(data, dict):
        raise ValueError(f'incompatible types: {name or "the configuration"} is not a table')
    found = []
    for key, value in data.items():
        full = f'{name}.{key}' if name else key
        found += _unknown(value, shape[key], full) if key in shape else [full]
    return found


def size(value) -> int:
    """Bytes of a number or of a text such as "12 GiB"."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    parsed = re.fullmatch(r'\s*(\d+)\s*([A-Za-z]*)\s*', value) if isinstance(value, str) else None
    if not parsed or parsed[2].lower() not in UNITS:
        raise ValueError(f'error parsing size: unknown data size units in string: {value}')
    return int(parsed[1]) * UNITS[parsed[2].lower()]


def check(customizations: dict) -> None:
    """What no manifest can be made of, in the words of the real program; BuildError."""
    for partition in customizations.get('disk', {}).get('partitions', []):
        form = partition.get('fs_type', 'ext4')
        if form not in FILE_SYSTEMS:
            raise BuildError(
                'error reading disk customizations: invalid partitioning customizations: '
                f'unknown or invalid filesystem type (fs_type) for mountpoint "{partition.get("mountpoint", "")}": {form}'
            )
    for kind, allowed, denied in (('directories', DIRECTORIES, ()), ('files', FILES, NO_FILES)):
        paths = [one.get('path', '') for one in customizations.get(kind, [])]
        wrong = [path for path in paths if not _below(path, allowed) or _below(path, denied)]
        if wrong:
            raise BuildError(f'the following custom {kind} are not allowed: {json.dumps(wrong, separators=(" ", ""))}')


def _below(path: str, directories: tuple[str, ...]) -> bool:
    return any(path == one or path.startswith(f'{one}/') for one in directories)


def _named(items: list[dict], kind: str) -> list[dict]:
    for item in items:
        if not NAME.fullmatch(item.get('name', '')):
            raise ValueError(f'customizations.{kind}: "{item.get("name", "")}" is not a {kind} name')
        for field in ('password', 'home', 'shell', 'description'):
            if '\n' in item.get(field, ''):
                raise ValueError(f'customizations.{kind}.{field}: more than one line')
    return items


def _blueprint(data: dict) -> Blueprint:
    custom = data.get('customizations', {})
    minimum, not_supported = 0, [f'customizations.{key}' for key in custom if key not in APPLIED]
    for filesystem in custom.get('filesystem', []):
        if filesystem.get('mountpoint') == '/':
            minimum = size(filesystem.get('minsize', 0))
        else:
            not_supported.append('customizations.filesystem')
    append = custom.get('kernel', {}).get('append', '')
    if '\n' in append:
        raise ValueError('customizations.kernel.append: more than one line')
    return Blueprint(
        users=_named(custom.get('user', []), 'user'),
        groups=_named(custom.get('group', []), 'group'),
        kernel_arguments=append,
        minimum_size=minimum,
        not_supported=not_supported,
        customizations=custom,
    )
