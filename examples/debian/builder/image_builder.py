"""The second face: the command line of osbuild/image-builder, which makes one disk type for each call."""

import json
import os
import shutil
import sys
import tempfile

import blueprint
import command
import flags
import progress
import storage
from disk_types import exports
from failure import BuildError, Cancelled
from plan import Request, manifest
from process import stop_on_signals
from stages import Workshop

MANIFEST = {
    'blueprint': str,
    'seed': str,
    'arch': str,
    'bootc-ref': str,
    'bootc-default-fs': str,
    'bootc-installer-payload-ref': str,
    'bootc-no-default-kernel-args': bool,
    'use-librepo': bool,
    'ignore-warnings': bool,
    'output-dir': str,
    'verbose': bool,
}
BUILD = MANIFEST | {
    'with-manifest': bool,
    'cache': str,
    'progress': str,
    'output-name': str,
    'in-vm': bool,
}
COMMANDS = {'build': BUILD, 'manifest': MANIFEST}


def main(argv: list[str]) -> int:
    """Runs the command line and returns the exit code: 0, 1 for every error, 2 when a signal ended it."""
    stop_on_signals()
    try:
        if not argv or argv[0] not in COMMANDS:
            raise BuildError(f'unknown command "{" ".join(argv[:1])}" for "image-builder"')
        name, *rest = argv
        options = flags.read(rest, COMMANDS[name])
        if len(options.arguments) != 1:
            raise BuildError(f'accepts 1 arg(s), received {len(options.arguments)}')
        (build if name == 'build' else print_manifest)(options)
    except (BuildError, OSError) as error:
        print(f'error: {error}', file=sys.stderr, flush=True)
        return 1
    except Cancelled:
        return 2
    return 0


def _request(options: flags.Options, bar: progress.Verbose, directory: str) -> tuple[Request, str]:
    """What the first face makes of the same request; a key of the blueprint that it does not apply is an error here."""
    if 'bootc-ref' not in options:
        raise BuildError('the example builder makes disks of bootc images only: --bootc-ref is missing')
    given = flags.Options(type=options.arguments)
    given.command, given.arguments = 'build', [options['bootc-ref']]
    same = {'bootc-default-fs': 'rootfs', 'arch': 'target-arch', 'bootc-installer-payload-ref': 'installer-payload-ref'}
    for theirs, ours in same.items():
        if theirs in options:
            given[ours] = options[theirs]
    configuration = blueprint.load(options['blueprint']) if 'blueprint' in options else blueprint.EMPTY
    wrong = f'blueprint validation failed for image type "{options.arguments[0]}"'
    try:
        blueprint.check(configuration.customizations)
    except BuildError as error:
        raise BuildError(str(error)) from error
    if configuration.not_supported and not options.get('ignore-warnings'):
        raise BuildError(f'Warnings during manifest creation:\n{wrong}: {configuration.not_supported[0]}: not supported')
    return command.prepare(given, bar, directory, configuration)


def print_manifest(options: flags.Options) -> None:
    """The manifest command: the plan on the standard output."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            print(json.dumps(manifest(_request(options, progress.Verbose(), directory)[0]), indent=2))
        finally:
            storage.unmount(directory)


def build(options: flags.Options) -> None:
    """The build command: DIR/NAME.EXT, and DIR/NAME.osbuild-manifest.json where it is asked for."""
    command.check_setup(options.get('arch'))
    bar = progress.choose(options.get('progress', 'auto'))
    cache = options.get('cache', '/store')
    output = options.get('output-dir', '.')
    for path in (cache, output):
        os.makedirs(path, exist_ok=True)
    directory = tempfile.mkdtemp(prefix='build-', dir=cache)
    try:
        _build(options, bar, directory, output)
    finally:
        bar.stop()
        storage.unmount(directory)
        shutil.rmtree(directory, ignore_errors=True)


def _build(options: flags.Options, bar: progress.Verbose, directory: str, output: str) -> None:
    kind = options.arguments[0]
    request, root = _request(options, bar, directory)
    bar.message(f'Building manifest for bootc-{kind}')
    plan = manifest(request)
    name = options.get('output-name', f'bootc-{kind}-{request.image.architecture}')
    if options.get('with-manifest'):
        with open(f'{output}/{name}.osbuild-manifest.json', 'w', encoding='utf-8') as file:
            file.write(json.dumps(plan, indent=2) + '\n')
    bar.pulse('Image building step')
    command.run_osbuild(plan, Workshop(request, root, directory, bar.log), bar, [kind], output)
    [(folder, made)] = exports([kind]).items()
    target = f'{output}/{name}.{made.partition(".")[2]}'
    os.rename(f'{output}/{folder}/{made}', target)
    os.rmdir(f'{output}/{folder}')
    print(f'Image build successful: {target}', flush=True)
