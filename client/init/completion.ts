/**
 * From what the flags of `flightline init` say to all that a project needs: asks for the rest, or says which flag is
 * missing.
 */
import { Repository, parseReference, registryOf } from '../../model/oci/reference.ts';
import type { Asker } from '../terminal/ask.ts';
import { UserError } from '../terminal/errors.ts';
import { firstUser, problemWithKeyFile } from './first-user.ts';
import { BASES, BINDINGS, imagesFor, TARGETS, type Base, type Binding, type Choices, type Target } from './choices.ts';

/** The flags; what is absent was not given. */
interface InitFlags {
  target?: Target | undefined;
  base?: Base | undefined;
  binding?: Binding | undefined;
  podmanCompose?: boolean | undefined;
  /** Name of the first user. */
  user?: string | undefined;
  /** File with the public key by which the first user logs in. */
  sshKey?: string | undefined;
  repository?: string | undefined;
  baseImage?: string | undefined;
  builderImage?: string | undefined;
}

const HINTS: Record<Target | Base | Binding, string> = {
  'bare-metal': 'an iso that installs',
  'openshift-virtualization': 'a qcow2 as a container disk',
  vsphere: 'a vmdk',
  'centos-stream9': 'needs quay.io and rpm.flightctl.io',
  'centos-stream10': 'needs quay.io and rpm.flightctl.io',
  rhel9: 'needs a registered build host and a login to registry.redhat.io',
  rhel10: 'needs a registered build host and a login to registry.redhat.io',
  fedora: 'needs quay.io and rpm.flightctl.io',
  'debian-example': 'needs `flightline up` alone; has no agent, and is for trying flightline',
  early: 'the image holds the enrollment certificate, the same for all devices',
  late: 'provisioning brings each device its own',
};

/**
 * Completes the choices.
 *
 * @throws UserError `usage` for a missing flag without a terminal, early binding of a virtual machine, or a name that
 *   is none.
 */
export async function complete(flags: InitFlags, asker: Asker | null): Promise<Choices> {
  const hinted = <Value extends Target | Base | Binding>(values: readonly Value[]) =>
    values.map((value) => ({ value, hint: HINTS[value] }));
  // Report wrong flags before asking anything.
  refuseWrongNames(flags);
  if (flags.sshKey !== undefined || flags.user !== undefined) firstUser(flags.user, flags.sshKey ?? '');
  if (flags.binding === 'early' && flags.target !== undefined) refuseEarly(flags.target);
  const missing = missingFlags(flags);
  if (!asker && missing.length > 0) {
    throw new UserError(
      'usage',
      `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing, and there is no terminal to ask on`,
      '`flightline init --help` has the values of each',
    );
  }
  const ask = asker!;
  const target = flags.target ?? (await ask.choose('Where do devices run?', hinted(TARGETS)));
  if (flags.binding === 'early') refuseEarly(target);
  const base = flags.base ?? (await ask.choose('What is the image built on?', hinted(BASES)));
  const binding =
    flags.binding ??
    (target === 'bare-metal'
      ? await ask.choose('When does a device learn where to enroll?', hinted(BINDINGS))
      : 'late');
  const podmanCompose =
    flags.podmanCompose ??
    (asker && missing.length > 0 ? await asker.confirm('Support applications of podman-compose?') : false);
  const keyFile =
    flags.sshKey ??
    (asker && missing.length > 0
      ? await asker.text(
          'Whose public SSH key may log in? Nothing for nobody',
          '~/.ssh/id_ed25519.pub',
          problemWithKeyFile,
        )
      : '');
  const user = firstUser(flags.user, keyFile);
  const repository =
    flags.repository ??
    (await ask.text('Where is the OS image published?', 'quay.io/acme/edge-camera', problemWithRepository));
  return { target, base, binding, podmanCompose, user, repository, ...imagesFor(base, registryOf(repository), flags) };
}

/** The flags without which a project is not complete. */
export function missingFlags({ target, base, binding, repository }: InitFlags): string[] {
  return [
    ...(target === undefined ? ['--target'] : []),
    ...(base === undefined ? ['--base'] : []),
    // Virtual machines are bound late, so there is nothing to ask.
    ...(binding === undefined && (target === undefined || target === 'bare-metal') ? ['--binding'] : []),
    ...(repository === undefined ? ['--repository'] : []),
  ];
}

function refuseEarly(target: Target): void {
  if (target === 'bare-metal') return;
  throw new UserError(
    'usage',
    `--binding early is for bare-metal, not ${target}: the guide uses late binding for virtual ` +
      `machines, whose cloud-init ` +
      'brings each its own short-lived certificate',
    'leave --binding out, or give --binding late',
  );
}

function refuseWrongNames({ repository, baseImage, builderImage }: InitFlags): void {
  const problem = repository === undefined ? undefined : problemWithRepository(repository);
  if (problem) throw new UserError('usage', `--repository ${problem}`, 'such as quay.io/acme/edge-camera');
  for (const [flag, image] of Object.entries({ '--base-image': baseImage, '--builder-image': builderImage })) {
    const parsed = image === undefined ? undefined : parseReference(image);
    if (parsed?.ok === false) throw new UserError('usage', `${flag} ${parsed.problem}`, 'name it as REGISTRY/NAME:TAG');
  }
}

function problemWithRepository(text: string): string | undefined {
  const parsed = Repository.safeParse(text);
  return parsed.success ? undefined : `"${text}" ${parsed.error.issues[0]!.message}`;
}
