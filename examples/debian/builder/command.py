"""The commands build, manifest and version: their checks in bib's order, then the stages of the plan."""

import json
import os
import platform
import shutil
import sys
import tempfile
import time
import tomllib

import blueprint
import flags
import inspection
import progress
import storage
from disk_types import TYPES, check_types, exports
from failure import BuildError, Cancelled
from plan import ARCHITECTURES, Request, identifiers, manifest, needed
from process import run, stop_on_signals
from root import inside
from stages import FIRMWARE, Workshop

VERSION = 'build_revision: example-debian-1\nbuild_time: unknown\nbuild_tainted: false'
PACE_LABEL = 'io.flightline.example.builder-seconds'
MANIFEST_LABEL = 'io.flightline.example.manifest-seconds'
CAP_SYS_ADMIN = 21
MACHINES = {'x86_64': 'amd64', 'aarch64': 'arm64'}


def main(argv: list[str]) -> int:
    """Runs the command line and returns the exit code: 0, 1 for every error, 2 when a signal ended it."""
    stop_on_signals()
    try:
        options = flags.parse(argv)
        if options.get('help') or options.command == 'help':
            print(flags.HELP, end='')
        elif options.get('version') or options.command == 'version':
            print(VERSION)
        else:
            flags.check(options)
            (build if options.command == 'build' else print_manifest)(options)
    except (BuildError, OSError) as error:
        print(f'{time.strftime("%Y/%m/%d %H:%M:%S")} error: {error}', file=sys.stderr, flush=True)
        return 1
    except Cancelled:
        return 2
    return 0


def _prefixed(prefix: str, function, *arguments):
    try:
        return function(*arguments)
    except BuildError as error:
        raise BuildError(f'{prefix}: {error}') from error


def check_setup(target: str | None) -> None:
    """Raises BuildError when this is not a privileged container of a rootful podman, or has no boot loader for the target."""
    with open('/proc/self/uid_map', encoding='ascii') as file:
        if file.read().split() != ['0', '0', '4294967295']:
            raise BuildError('this command must be run in rootful (not rootless) podman')
    with open('/proc/self/status', encoding='ascii') as file:
        effective = next(int(line.split()[1], 16) for line in file if line.startswith('CapEff:'))
    if not effective >> CAP_SYS_ADMIN & 1:
        raise BuildError('this command requires a privileged container')
    machine = MACHINES.get(platform.machine(), platform.machine())
    known = {*MACHINES, *MACHINES.values(), 'ppc64le', 's390x', 'riscv64'}
    if target and target in known and MACHINES.get(target, target) != machine and not _has_loader(target):
        raise BuildError(
            f'cannot run binary in target arch: cannot run canary binary for "{target}",'
            " do you have 'qemu-user-static' installed?"
        )
    if target and target not in known:
        print(f'WARNING: cannot check architecture support for {target}: no canary binary found', file=sys.stderr)


def _has_loader(target: str) -> bool:
    """Whether disks can be made for another machine: all else that is run or put into them is this one's or the image's."""
    names = ARCHITECTURES.get(MACHINES.get(target, target))
    return names is not None and os.path.isfile(FIRMWARE.format(names[2]))


def _kernel_arguments(root: str, machine: str) -> str:
    """The image's own kernel arguments, from /usr/lib/bootc/kargs.d as bootc defines them."""
    directory = inside(root, 'usr/lib/bootc/kargs.d')
    arguments = []
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        if name.endswith('.toml'):
            try:
                with open(inside(root, f'usr/lib/bootc/kargs.d/{name}'), 'rb') as file:
                    data = tomllib.load(file)
            except tomllib.TOMLDecodeError as error:
                raise BuildError(f'cannot decode /usr/lib/bootc/kargs.d/{name}: {error}') from error
            if machine in data.get('match-architectures', [machine]):
                arguments += data.get('kargs', [])
    return ' '.join(arguments)


def _kernel(root: str) -> str:
    modules = inside(root, 'usr/lib/modules')
    versions = sorted(os.listdir(modules)) if os.path.isdir(modules) else []
    for version in reversed(versions):
        files = [f'usr/lib/modules/{version}/{name}' for name in ('vmlinuz', 'initramfs.img')]
        if all(os.path.isfile(inside(root, file)) for file in files):
            return version
    raise BuildError('no kernel in container (/usr/lib/modules/<version>/{vmlinuz,initramfs.img})')


def _content(root: str) -> int:
    sizes: list[str] = []
    run(['du', '--summarize', '--one-file-system', '--block-size=1', root], sizes.append)
    return int(sizes[-1].split()[0])


def prepare(
    options: flags.Options, bar: progress.Verbose, directory: str, given: blueprint.Blueprint | None = None
) -> tuple[Request, str]:
    """Checks the request, mounts the image below the directory and returns the request with the root's path."""
    reference = options.arguments[0]
    types = options.get('type', ['qcow2'])
    if options.get('local') is True:
        print(
            'WARNING: --local is now the default behavior, you can remove it from the command line', file=sys.stderr, flush=True
        )  # fmt: skip
    elif options.get('local') is False:
        raise BuildError(
            '--local=false is no longer supported, remove it and make sure to pull the container before running bib:\n'
            f'\tsudo podman pull {reference}'
        )
    target = options.get('target-arch')
    if target and target not in (*MACHINES, *MACHINES.values()):
        raise BuildError(f'unsupported architecture "{target}"')
    storage.check_mounted()
    check_types(types)
    configuration = given or blueprint.load(options.get('config'))
    image = storage.inspect(reference)
    if image.labels.get('containers.bootc') != '1':
        raise BuildError(f'image {reference} is not a bootc image')
    bar.pulse('Manifest generation step')
    bar.start()
    rootfs = options.get('rootfs') or 'ext4'
    if rootfs not in ('ext4', 'xfs'):
        raise BuildError(
            f'failed to set default rootfs for bootc distro: unknown or unsupported filesystem type name: {rootfs}'
        )
    if image.architecture not in ARCHITECTURES:
        raise BuildError(f'unsupported architecture "{image.architecture}"')
    with inspection.container(reference):
        root = storage.mount(image, directory)
        time.sleep(_seconds(image, MANIFEST_LABEL))
    is_iso = any(TYPES[kind].iso for kind in types)
    payload = options.get('installer-payload-ref') if 'bootc-installer' in types else None
    if 'bootc-installer' in types and not payload:
        raise BuildError('no installer payload bootc ref set')
    if is_iso and not os.path.isdir(f'{root}/usr/lib/live/boot'):
        raise BuildError('no live-boot in container')
    if payload:
        storage.mount_payload(storage.inspect(payload), directory)
    blueprint.check(configuration.customizations)
    for key in configuration.not_supported[:1]:
        # Without a newline, as the real program has it.
        sys.stderr.write(f'blueprint validation failed for image type "{types[0]}": {key}: not supported')
        sys.stderr.flush()
    return Request(
        reference=reference,
        image=image,
        types=types,
        rootfs=rootfs,
        blueprint=configuration,
        kernel=_kernel(root),
        kernel_arguments=_kernel_arguments(root, ARCHITECTURES[image.architecture][0]),
        image_size=0 if is_iso else _content(root),
        payload=payload,
    ), root


def print_manifest(options: flags.Options) -> None:
    """The manifest command: the plan on the standard output."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            request, _ = _prefixed('cannot generate manifest', prepare, options, progress.Verbose(), directory)
            print(json.dumps(manifest(request), indent=2))
        finally:
            storage.unmount(directory)


def _seconds(image: storage.Image, label: str) -> float:
    """A time that a label of the image asks for; 0 without it."""
    value = image.labels.get(label, '0')
    try:
        return float(value)
    except ValueError as error:
        raise BuildError(f'label {label}: "{value}" is not a number') from error


def build(options: flags.Options) -> None:
    """The build command."""
    _prefixed('cannot validate the setup', check_setup, options.get('target-arch'))
    output, types = options.get('output', '.'), options.get('type', ['qcow2'])
    try:
        os.makedirs(output, exist_ok=True)
    except OSError as error:
        raise BuildError(f'cannot setup build dir: mkdir {output}: {error.strerror.lower()}') from error
    if 'aws-region' in options:
        if 'ami' not in types:
            listed = ','.join(types)
            raise BuildError(f'cannot handle AWS setup: aws flags set for non-ami image type (type is set to {listed})')
        raise BuildError('cannot handle AWS setup: the example builder uploads nothing')
    kind = options.get('progress', 'auto')
    bar = progress.choose('verbose' if kind == 'auto' and options.get('verbose') else kind)
    store = options.get('store', '/store')
    os.makedirs(store, exist_ok=True)
    directory = tempfile.mkdtemp(prefix='build-', dir=store)
    try:
        _build(options, bar, directory, output, types)
    finally:
        bar.stop()
        storage.unmount(directory)
        shutil.rmtree(directory, ignore_errors=True)


def _build(options: flags.Options, bar: progress.Verbose, directory: str, output: str, types: list[str]) -> None:
    name = f'manifest-{"-".join(types)}.json'
    bar.message(f'Generating manifest {name}')
    request, root = _prefixed('cannot build manifest', prepare, options, bar, directory)
    bar.message('Done generating manifest')
    plan = manifest(request)
    with open(f'{output}/{name}', 'w', encoding='utf-8') as file:
        file.write(json.dumps(plan, indent=2) + '\n')
    bar.pulse('Disk image building step')
    bar.message(f'Building {name}')
    run_osbuild(plan, Workshop(request, root, directory, bar.log), bar, types, output)
    bar.message('Build complete!')
    bar.message(f'Results saved in {output}')
    change_owner(output, options.get('chown', ''))


def run_osbuild(plan: dict, shop: Workshop, bar: progress.Verbose, types: list[str], output: str) -> None:
    """Makes the disks of the plan and exports them, with the log and the error that osbuild would have."""
    try:
        perform(needed(plan['pipelines'], list(exports(types))), shop, bar)
        export(shop.directory, output, types)
    except BuildError as error:
        bar.log(str(error))
        bar.log('manifest - failed\nFailed')
        detail = '' if bar.raw_log else '\nBuildLog:\n' + '\n'.join(bar.kept) + f'\nOutput:\n{error}'
        raise BuildError(f'cannot run osbuild: error running osbuild: exit status 1{detail}') from error


def perform(pipelines: list[dict], shop: Workshop, bar: progress.Verbose) -> None:
    """Does every stage of the pipelines, with the log that osbuild writes."""
    ids = identifiers(pipelines)
    pace = progress.Pace(_seconds(shop.request.image, PACE_LABEL), sum(len(one['stages']) for one in pipelines))
    shop.log(f'starting -Pipeline source org.osbuild.containers-storage: {shop.request.image.id}')
    shop.log('Build\n  root: <host>\n\n⏱  Duration: 0.00s')
    for number, (pipeline, stage_ids) in enumerate(zip(pipelines, ids, strict=True)):
        bar.pipeline(number, len(pipelines), pipeline['name'])
        shop.log(f'Pipeline {pipeline["name"]}: {stage_ids[-1]}')
        shop.log('Build\n  root: <host>\n  runner: org.osbuild.debian13 (org.osbuild.debian13)')
        for position, (stage, identifier) in enumerate(zip(pipeline['stages'], stage_ids, strict=True)):
            bar.stage(position, len(pipeline['stages']), stage['type'])
            started = time.monotonic()
            shop.log(f'{stage["type"]}: {identifier} {json.dumps(stage["options"], indent=2)}')
            shop.perform(stage)
            pace.step(shop.log)
            shop.log(f'\n⏱  Duration: {time.monotonic() - started:.2f}s')
    shop.log('manifest - finished successfully\nPipelines')
    for pipeline, stage_ids in zip(pipelines, ids, strict=True):
        shop.log(f'{pipeline["name"] + ":":<10}\t{stage_ids[-1]}')


def export(directory: str, output: str, types: list[str]) -> None:
    """Copies the results to the output; a copy that did not come to its end is removed."""
    for folder, name in exports(types).items():
        os.makedirs(f'{output}/{folder}', exist_ok=True)
        target = f'{output}/{folder}/{name}'
        complete = False
        try:
            run(['cp', '--reflink=auto', '--sparse=auto', '--', f'{directory}/{name}', target], lambda _line: None)
            os.chmod(target, 0o644)
            complete = True
        finally:
            if not complete and os.path.exists(target):
                os.unlink(target)


def change_owner(output: str, owner: str) -> None:
    """--chown: the output directory and everything in it."""
    if not owner:
        return
    user, _, group = owner.partition(':')
    for text in (user, group):
        if text and not text.isdigit():
            raise BuildError(
                f'cannot setup owner for "{output}": cannot parse chown: strconv.Atoi: parsing "{text}": invalid syntax'
            )
    for folder, _, names in os.walk(output):
        for name in ('', *names):
            os.lchown(os.path.join(folder, name), int(user or 0), int(group or os.getgid()))
