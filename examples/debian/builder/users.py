"""Users and groups of the configuration, made with the image's own programs."""

import ctypes
import secrets
import string
from collections.abc import Callable

from failure import BuildError
from root import inside

HASHED = ('$2b$', '$5$', '$6$', '$y$')
ALPHABET = string.ascii_letters + string.digits + './'
KEYS = """umask 077
home=$(getent passwd "$1" | cut -d: -f6)
mkdir -p "$home/.ssh" && cat >>"$home/.ssh/authorized_keys" && chown -R "$1:" "$home/.ssh"
"""


def hashed(password: str) -> str:
    """The password as it stands in /etc/shadow; one that is hashed already is returned as it is."""
    if password.startswith(HASHED):
        return password
    library = ctypes.CDLL('libcrypt.so.1')
    library.crypt.restype = ctypes.c_char_p
    salt = '$6$' + ''.join(secrets.choice(ALPHABET) for _ in range(16))
    result = library.crypt(password.encode(), salt.encode())
    if not result or not result.startswith(b'$6$'):
        raise BuildError('cannot hash a password')
    return result.decode()


def _known(root: str, file: str) -> set[str]:
    with open(inside(root, f'etc/{file}'), encoding='utf-8') as lines:
        return {line.split(':', 1)[0] for line in lines}


def add_groups(root: str, groups: list[dict], run: Callable[..., None]) -> None:
    """Makes the groups that are not there yet."""
    present = _known(root, 'group')
    for group in groups:
        if group['name'] not in present:
            number = ['--gid', str(group['gid'])] if 'gid' in group else []
            run('chroot', root, 'groupadd', *number, '--', group['name'])


def add_users(root: str, users: list[dict], run: Callable[..., None]) -> None:
    """Makes or changes the users. Passwords and keys go by standard input, never as an argument."""
    flags = {'description': '--comment', 'home': '--home-dir', 'shell': '--shell', 'uid': '--uid', 'gid': '--gid'}
    for user in users:
        name = user['name']
        arguments = [word for key, flag in flags.items() if key in user for word in (flag, str(user[key]))]
        if user.get('groups'):
            arguments += ['--groups', ','.join(user['groups'])]
        if name in _known(root, 'passwd'):
            arguments = ['--home' if word == '--home-dir' else word for word in arguments]
            if arguments:
                run('chroot', root, 'usermod', *arguments, '--', name)
        else:
            shell = [] if 'shell' in user else ['--shell', '/bin/bash']
            run('chroot', root, 'useradd', '--create-home', *shell, *arguments, '--', name)
        if 'password' in user:
            run('chroot', root, 'chpasswd', '--encrypted', stdin=f'{name}:{hashed(user["password"])}\n')
        if 'key' in user:
            run('chroot', root, 'sh', '-ec', KEYS, 'sh', name, stdin=user['key'].rstrip('\n') + '\n')
