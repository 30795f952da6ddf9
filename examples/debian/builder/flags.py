"""The command line, as bootc-image-builder's own parser reads it (long flags, repeatable --type, default command)."""

from failure import BuildError

SHARED = {
    'type': list,
    'rootfs': str,
    'config': str,
    'rpmmd': str,
    'target-arch': str,
    'build-container': str,
    'installer-payload-ref': str,
    'log-level': str,
    'local': bool,
    'tls-verify': bool,
    'in-vm': bool,
    'use-librepo': bool,
    'no-default-kernel-args': bool,
    'seed': str,
    'verbose': bool,
    'version': bool,
    'help': bool,
}
BUILD_ONLY = {
    'output': str,
    'store': str,
    'progress': str,
    'chown': str,
    'aws-ami-name': str,
    'aws-bucket': str,
    'aws-region': str,
}
COMMANDS = {'build': SHARED | BUILD_ONLY, 'manifest': SHARED, 'version': SHARED, 'help': SHARED}
SHORT = {'v': 'verbose', 'h': 'help'}
LOG_LEVELS = ('panic', 'fatal', 'error', 'warn', 'warning', 'info', 'debug', 'trace')
AWS = ('aws-region', 'aws-bucket', 'aws-ami-name')

HELP = """Create a bootable image from a container image made of Debian packages
(default action if no command is given)
IMAGE_NAME: container image to build into a bootable image

Usage:
  bootc-image-builder build IMAGE_NAME
  bootc-image-builder manifest IMAGE_NAME
  bootc-image-builder version

Flags:
      --chown string         chown the output directory to match the specified UID:GID
      --installer-payload-ref string   what a bootc-installer installs
      --log-level string     logging level (debug, info, error); default error
      --output string        artifact output directory (default ".")
      --progress string      type of progress bar to use: auto, verbose, term, debug (default "auto")
      --rootfs string        Root filesystem type: ext4 or xfs (default "ext4")
      --rpmmd string         rpm metadata cache directory, not used (default "/rpmmd")
      --store string         directory for intermediate files (default "/store")
      --target-arch string   build for the given target architecture (only this machine's)
      --type stringArray     image types to build: ami, bootc-installer, iso, qcow2, raw, vmdk (default [qcow2])
  -v, --verbose              Switch to verbose mode
      --version              version for bootc-image-builder
"""


class Options(dict):
    """The flags that were given, by name without dashes; `command` and `arguments` beside them."""

    command: str
    arguments: list[str]


def _boolean(name: str, text: str) -> bool:
    if text in ('1', 't', 'T', 'true', 'TRUE', 'True'):
        return True
    if text in ('0', 'f', 'F', 'false', 'FALSE', 'False'):
        return False
    raise BuildError(
        f'invalid argument "{text}" for "--{name}" flag: strconv.ParseBool: parsing "{text}": invalid syntax'
    )


def parse(argv: list[str]) -> Options:
    """Reads the command line; a wrong one raises BuildError in the words of the real program."""
    argv = list(argv)
    command = argv.pop(0) if argv and argv[0] in COMMANDS else 'build'
    options = read(argv, COMMANDS[command])
    options.command = command
    return options


def read(argv: list[str], known: dict[str, type]) -> Options:
    """Reads what comes after a command that knows these flags."""
    argv = list(argv)
    options = Options()
    options.arguments = []
    while argv:
        word = argv.pop(0)
        if word == '--':
            options.arguments += argv
            break
        if not word.startswith('-') or word == '-':
            options.arguments.append(word)
            continue
        name, equals, value = word.partition('=')
        if not name.startswith('--'):
            if name[1] not in SHORT:
                raise BuildError(f"unknown shorthand flag: '{name[1]}' in {name}")
            name = SHORT[name[1]]
        else:
            name = name[2:]
        if name not in known:
            raise BuildError(f'unknown flag: --{name}')
        if known[name] is bool:
            options[name] = _boolean(name, value) if equals else True
            continue
        if not equals:
            if not argv:
                raise BuildError(f'flag needs an argument: --{name}')
            value = argv.pop(0)
        if known[name] is list:
            options.setdefault(name, []).append(value)
        else:
            options[name] = value
    return options


def check(options: Options) -> None:
    """The checks that come before any work: number of arguments, flag groups, log level."""
    if len(options.arguments) != 1:
        raise BuildError(f'accepts 1 arg(s), received {len(options.arguments)}')
    level = options.get('log-level', '')
    if level and level.lower() not in LOG_LEVELS:
        raise BuildError(f'not a valid logrus Level: "{level}"')
    given = [name for name in AWS if name in options]
    if given and len(given) < len(AWS):
        missing = ' '.join(sorted(set(AWS) - set(given)))
        raise BuildError(
            f'if any flags in the group [{" ".join(AWS)}] are set they must all be set; missing [{missing}]'
        )
