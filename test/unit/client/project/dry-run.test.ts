import { describe, expect, it } from 'vitest';
import { unseenOnHosts } from '../../../../client/project/dry-run.ts';
import { plannedStages, type PlanFacts } from '../../../../client/project/plan-commands.ts';
import { renderDryRun, type DryRun } from '../../../../client/view/plan.ts';
import { formatDuration, parseDuration } from '../../../../model/base/duration.ts';
import { digestOf, requestFor } from '../../../workflows/facts.ts';

const BASE = { reference: 'registry.example/base:1', digest: digestOf('base') };
const BUILDER = { reference: 'registry.example/builder:1', digest: digestOf('builder') };
const facts = (changes: Parameters<typeof requestFor>[1] = {}): PlanFacts => ({
  request: requestFor('plan', {
    alsoTag: ['stable'],
    buildArgs: { CHANNEL: 'a b' },
    bootTest: { disk: 'qcow2', expect: 'login:', timeout: 300_000 },
    ...changes,
  }),
  resolved: {
    bases: [BASE],
    builder: BUILDER,
    builderConfig: { format: 'toml', digest: digestOf('config') },
    imageInputs: digestOf('inputs'),
  },
  base: BASE.reference,
  own: () => undefined,
});
const commandsOf = (name: string, given = facts()) =>
  plannedStages(given)
    .filter((stage) => stage.name === name)
    .flatMap(({ commands }) => commands.map((words) => words.join(' ')));
const R = 'registry.example/acme/plan';

describe('the command lines of a plan', () => {
  it('pull by digest, build with the labels, lint', () => {
    const [pull, build, lint, ...more] = commandsOf('build');
    expect(pull).toBe(`podman pull --quiet --authfile AUTHFILE --tls-verify=true registry.example/base@${BASE.digest}`);
    expect(build).toContain(' --build-arg=CHANNEL=a b ');
    expect(build).toContain(`--label=org.opencontainers.image.base.digest=${BASE.digest}`);
    expect(lint).toMatch(/^podman run --rm .* --entrypoint=bootc IMAGE_ID container lint$/);
    expect(more).toEqual([]);
  });

  it('ask for a certificate, name secrets by their files, and add what devices trust', () => {
    const given = facts({
      enrollment: { binding: 'early', signer: 'enrollment', days: 30 },
      secrets: [{ id: 'token', from: 'package-token' }],
      pullSecret: 'acme-pull',
      verification: 'bake',
    });
    const [pull, certificate, build, lint, trust, ...more] = commandsOf('build', given);
    expect(pull).toMatch(/^podman pull /);
    expect(certificate).toBe(
      'flightctl certificate request --signer=enrollment --expiration=30d --output=embedded ' +
        '--config-dir=CONFIG_DIRECTORY --output-dir=WORK --request-timeout=120',
    );
    expect(build).toContain(
      ' --secret=id=token,src=FILE_OF_package-token --secret=id=flightline-pull-secret,src=FILE_OF_acme-pull ',
    );
    expect(build).toMatch(/ --tag=localhost\/flightline\/INSTALLATION\/[0-9a-f]{16}:[0-9a-f]{16}-RUN /);
    expect(lint).toContain('container lint');
    expect(trust).toMatch(/^podman build .* --file=WORK\/trust\/Containerfile\.pinned .* WORK\/trust\/context$/);
    expect(trust).not.toContain('--secret');
    expect(more).toEqual([]);
    const operators = facts({ enrollment: { binding: 'early', config: 'agent' } });
    expect(commandsOf('build', operators).join('\n')).not.toContain('flightctl');
  });

  it('give a build on RHEL, and an iso of it, the entitlements of the host', () => {
    const base = { reference: 'registry.redhat.io/rhel9/rhel-bootc:9.5', digest: digestOf('rhel') };
    const given = facts();
    const onRhel = { ...given, resolved: { ...given.resolved, bases: [base] } };
    const volume = '--volume=/etc/pki/entitlement:/etc/pki/entitlement:ro';
    const with_ = (name: string) => commandsOf(name, onRhel).filter((line) => line.includes(volume));
    expect(with_('build')).toHaveLength(1);
    expect(with_('disk-build').map((line) => / --type=(\S+)/.exec(line)?.[1])).toEqual(['iso']);
    expect(commandsOf('build').join('\n')).not.toContain('entitlement');
  });

  it.each<[string, RegExp]>([
    [
      'push',
      /^podman push .* --digestfile=WORK\/digest IMAGE_ID docker:\/\/registry\.example\/acme\/plan@@unknown-digest@@$/,
    ],
    [
      'disk-build',
      /--volume WORK\/disks\/qcow2\+vmdk\/config\.toml:\/config\.toml:ro .* build --progress=verbose --type=qcow2 --type=vmdk /,
    ],
    ['boot-test', /^qemu-system-x86_64 -name flightline-boot-test-INSTALLATION-/],
    [
      'publish',
      /oci:WORK\/publish-qcow2\/layout docker:\/\/registry\.example\/acme\/plan\/diskimage-qcow2@sha256:DIGEST$/,
    ],
    [
      'sign',
      /--sign-by-sigstore-private-key PRIVATE_KEY --sign-passphrase-file PASSPHRASE_FILE --sign-identity registry\.example\/acme\/plan:stable /,
    ],
    ['verify', /^skopeo --policy POLICY --registries\.d REGISTRIES_D copy --all --preserve-digests /],
    ['record', /oci:RECORD docker:\/\/registry\.example\/acme\/plan\/release@sha256:DIGEST$/],
  ])('of %s are those of its activity', (name, expected) => {
    expect(
      commandsOf(name).some((line) => expected.test(line)),
      commandsOf(name).join('\n'),
    ).toBe(true);
  });

  it('move the tags of disks first, then the image’s', () => {
    expect(commandsOf('tag').map((line) => line.split(' ').at(-1))).toEqual([
      ...['qcow2', 'vmdk', 'iso'].map((type) => `docker://${R}/diskimage-${type}:v1`),
      `docker://${R}:v1`,
      `docker://${R}:stable`,
    ]);
  });

  it('are none of a disk that is not published', () => {
    const given = facts({ disks: { qcow2: 'none' } });
    expect(commandsOf('publish', given)).toEqual([]);
    expect(commandsOf('sign', given).filter((line) => line.includes('diskimage'))).toEqual([]);
  });

  it('are none at all without disks but for the image', () => {
    const given = { ...facts({ disks: {} }), resolved: { ...facts().resolved, builder: null } };
    expect(plannedStages(given).map(({ name }) => name)).not.toContain('disk-build');
  });
});

describe('what only a build host can see', () => {
  const unseen = (changes: Parameters<typeof requestFor>[1], base = BASE) =>
    unseenOnHosts(requestFor('plan', changes), [base]).map(({ status, detail }) => `${status} ${detail}`);

  it('is named, and is nothing for a release without secrets', () => {
    expect(unseen({})).toEqual([]);
    expect(unseen({ enrollment: { binding: 'late' } })).toEqual([]);
    const secrets = [{ id: 'token', from: 'package-token' }];
    const asked = { secrets, pullSecret: 'acme-pull', enrollment: { binding: 'early', config: 'agent' } as const };
    expect(unseen(asked)).toEqual([
      'not-run whether the build host has the secrets package-token, acme-pull, agent is seen there, before anything is built',
    ]);
    const rhel = { ...BASE, reference: 'registry.redhat.io/rhel9/rhel-bootc:9.5' };
    expect(unseen({ enrollment: { binding: 'early', signer: 'enrollment', days: 30 } }, rhel)).toEqual([
      'not-run whether the build host has a log-in to Flight Control, a log-in to registry.redhat.io, and a registration ' +
        'is seen there, before anything is built',
    ]);
  });
});

describe('a dry run', () => {
  const plan: DryRun = {
    schemaVersion: 1,
    dryRun: true,
    release: `release/${R}:v1`,
    outcome: 'release',
    image: { reference: `${R}:v1`, alsoTag: ['stable'], tagPolicy: 'create', existing: null },
    disks: [{ type: 'qcow2', form: 'none', reference: null }],
    inputs: { image: digestOf('inputs'), base: [BASE], builder: BUILDER, context: digestOf('context') },
    hosts: ['host-a'],
    stages: [{ name: 'build', subject: 'image', worker: 'build', commands: [['podman', 'build', "--label=a=it's"]] }],
    checks: [
      { name: 'signing', status: 'failed', detail: 'no key', remedy: 'make one' },
      { name: 'builder manifest qcow2', status: 'not-run', detail: 'not built yet', remedy: null },
    ],
  };

  it('is told in words, with command lines a shell would take', () => {
    const text = renderDryRun(plan, false).join('\n');
    expect(text).toContain(`${R}:v1  what a release would do; nothing was built, sent or kept`);
    expect(text).toContain(`base         ${BASE.reference} ${BASE.digest}`);
    expect(text).toContain('failed   signing: no key\n         make one');
    expect(text).toContain('not run  builder manifest qcow2: not built yet');
    expect(text).toContain("  build image  build worker\n    podman build '--label=a=it'\\''s'");
  });

  it('says when nothing would be built', () => {
    const text = renderDryRun({ ...plan, outcome: 'unchanged', stages: [] }, false).join('\n');
    expect(text).toContain('nothing would be built: the same inputs were released before');
    expect(text).not.toContain('stages');
  });
});

it.each([
  ['30s', 30_000, '30s'],
  ['90s', 90_000, '90s'],
  ['300s', 300_000, '5m'],
  ['2h', 7_200_000, '2h'],
  ['5 minutes', undefined, ''],
  ['-5m', undefined, ''],
  ['1w', undefined, ''],
  ['2d', 172_800_000, '2d'],
])('reads the duration %s', (text, milliseconds, written) => {
  expect(parseDuration(text)).toBe(milliseconds);
  if (milliseconds !== undefined) expect(formatDuration(milliseconds)).toBe(written);
});
