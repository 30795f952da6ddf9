import { describe, expect, it, test } from 'vitest';
import { trustedInputs } from '../../../../activities/image/bake-trust.ts';
import { deviceLayer } from '../../../../activities/context/own-layers.ts';
import {
  deviceArguments,
  deviceRefusal,
  type DeviceContainer,
} from '../../../../activities/tools/podman/container/device-container.ts';
import {
  deviceFiles,
  mergePolicy,
  policyFor,
  pulledRepositoriesOfSpec,
  readPolicy,
  registriesDropIn,
  type SignaturePolicy,
} from '../../../../model/device/signature-policy.ts';
import { FlightlineSpec } from '../../../../model/spec/flightline-spec.ts';
import { imageInputsDigest } from '../../../../model/release/inputs.ts';

const R = 'quay.io/acme/edge';
const KEY = '/etc/pki/containers/release.pub';
const ours = { type: 'sigstoreSigned', keyPath: KEY };
const gpg = { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/etc/pki/rpm-gpg/key' };
const accept = { type: 'insecureAcceptAnything' };
const reject = { type: 'reject' };
const policy = (fallback: object, docker: Record<string, object[]>): SignaturePolicy =>
  ({ default: [fallback], transports: { docker } }) as SignaturePolicy;
/** What is said when the default accepts. */
const OPEN = 'images of repositories without an entry are accepted unsigned, as before';

describe('merging into a policy', () => {
  test.each<[string, SignaturePolicy, Record<string, object[]>, string[]]>([
    ['none of it accepts', policy(accept, {}), { [R]: [ours] }, [OPEN]],
    ['the default rejects: only what is listed', policy(reject, {}), { [R]: [ours] }, []],
    ['so does the default of registries', policy(accept, { '': [reject] }), { '': [reject], [R]: [ours] }, []],
    ['the entry is there', policy(reject, { [R]: [ours] }), { [R]: [ours] }, []],
    ['an entry accepts anything', policy(reject, { [R]: [accept] }), { [R]: [ours] }, []],
    [
      'what holds it accepts anything',
      policy(reject, { 'quay.io/acme': [accept] }),
      { 'quay.io/acme': [accept], [R]: [ours] },
      [],
    ],
    [
      'another requirement holds for it: both do',
      policy(reject, { 'quay.io': [gpg] }),
      { 'quay.io': [gpg], [R]: [gpg, ours] },
      [`${R} must also meet what "quay.io" asks for (signedBy)`],
    ],
    [
      'the nearest scope counts',
      policy(reject, { 'quay.io': [reject], 'quay.io/acme': [gpg] }),
      { 'quay.io': [reject], 'quay.io/acme': [gpg], [R]: [gpg, ours] },
      [`${R} must also meet what "quay.io/acme" asks for (signedBy)`],
    ],
    [
      'the default asks for something',
      policy(gpg, {}),
      { [R]: [gpg, ours] },
      [`${R} must also meet what the default asks for (signedBy)`],
    ],
    [
      'a looser identity of the same key: both hold',
      policy(reject, { [R]: [{ ...ours, signedIdentity: { type: 'matchRepository' } }] }),
      { [R]: [{ ...ours, signedIdentity: { type: 'matchRepository' } }, ours] },
      [`${R} must also meet what "${R}" asks for (sigstoreSigned)`],
    ],
    [
      'a single name would pass by the key',
      policy(reject, { [`${R}:v1`]: [accept], [`${R}:bad`]: [reject] }),
      { [`${R}:v1`]: [ours], [`${R}:bad`]: [reject], [R]: [ours] },
      [`${R}:v1 has an entry of its own, to which the key was added`],
    ],
    [
      'a name that only begins alike is another one',
      policy(reject, { 'quay.io/acme/ed': [gpg], 'quay.io/acme/edge-two': [gpg] }),
      { 'quay.io/acme/ed': [gpg], 'quay.io/acme/edge-two': [gpg], [R]: [ours] },
      [],
    ],
  ])('%s', (_, existing, docker, notes) => {
    const before = structuredClone(existing);
    const merged = mergePolicy(existing, [R], KEY);
    expect(merged).toEqual({ policy: { ...before, transports: { docker } }, notes, rejected: [] });
    expect(existing).toEqual(before);
    // Once more changes nothing.
    expect(mergePolicy(merged.policy, [R], KEY).policy).toEqual(merged.policy);
  });

  test.each([
    [R, R],
    ['quay.io/acme', R],
    ['quay.io', R],
    ['*.io', R],
    ['*.example.com', 'registry.example.com:5000/acme/edge'],
    ['registry.example.com:5000', 'registry.example.com:5000/acme/edge'],
  ])('a reject of %s stays', (scope, repository) => {
    const existing = policy(accept, { [scope]: [reject] });
    const merged = mergePolicy(existing, [repository], KEY);
    expect(merged.policy).toEqual(existing);
    expect(merged.rejected).toEqual([repository]);
    expect(merged.notes).toContain(`"${scope}" is rejected there, and stays so: ${repository} would be refused`);
  });

  it('keeps what it does not know', () => {
    const existing = {
      ...policy(accept, {}),
      transports: { 'docker-daemon': { '': [accept] }, docker: { 'quay.io/other': [gpg] } },
    };
    expect(mergePolicy(existing, [R], KEY).policy.transports).toEqual({
      'docker-daemon': { '': [accept] },
      docker: { 'quay.io/other': [gpg], [R]: [ours] },
    });
    expect(mergePolicy({ default: [reject] }, [R], KEY).policy).toEqual(policyFor([R], KEY, 'reject'));
  });

  test.each([
    ['no JSON', '{'],
    ['no default', '{"transports":{}}'],
    ['an empty list', '{"default":[]}'],
    ['a list of something else', '{"default":["reject"]}'],
  ])('%s is refused', (_, text) => {
    expect(() => readPolicy(text, 'it')).toThrow(/^it is (?:not JSON|no policy)/);
  });
});

describe('the files of a device', () => {
  it('are named after the key and the repository', () => {
    const repositories = ['127.0.0.1:5000/acme/edge', 'quay.io/disks'];
    const files = deviceFiles(
      { key: 'release', publicKey: 'PEM', repositories },
      policyFor(repositories, KEY, 'reject'),
    );
    expect(files.map(({ path }) => path)).toEqual([
      KEY,
      '/etc/containers/registries.d/127.0.0.1-5000-acme-edge.yaml',
      '/etc/containers/policy.json',
    ]);
    expect(registriesDropIn(repositories).text).toBe(
      'docker:\n  127.0.0.1:5000/acme/edge:\n    use-sigstore-attachments: true\n' +
        '  quay.io/disks:\n    use-sigstore-attachments: true\n',
    );
  });

  test.each([
    ['the image alone', [{ type: 'iso' }, { type: 'qcow2' }], {}, [R]],
    ['a container disk below it', [{ type: 'qcow2', publish: 'container-disk' }], {}, [R]],
    [
      'a container disk elsewhere',
      [{ type: 'qcow2', publish: 'container-disk' }, { type: 'iso' }],
      { disk: 'quay.io/acme/edge-{{type}}' },
      [R, 'quay.io/acme/edge-qcow2'],
    ],
  ])('are about what is pulled: %s', (_, disks, repositories, expected) => {
    const spec = FlightlineSpec.parse({
      name: 'x',
      image: { repository: R },
      signing: { key: 'release' },
      disks,
      repositories,
    });
    expect(pulledRepositoriesOfSpec(spec)).toEqual(expected);
  });
});

describe('verification: bake', () => {
  const trust = { key: 'release', publicKey: 'PEM', repositories: [R] };

  it('is one last layer', () => {
    const files = deviceFiles(trust, policyFor([R], KEY, 'reject'));
    expect(deviceLayer(files)).toBe('COPY --chown=0:0 etc /etc');
  });

  it('makes another image, of the key too', () => {
    const inputs = { files: 'f', bases: [], buildArgs: {}, architecture: 'amd64' };
    const plain = imageInputsDigest(inputs);
    // What was released before this key of the spec was there keeps its digest.
    expect(plain).toBe('sha256:8fa225fa0d1fd5777b3077de734c113fc1e32e7df0a7d9d56143ece738881fdc');
    const verification = { key: 'release', repositories: [R] };
    expect(imageInputsDigest({ ...inputs, verification })).not.toBe(plain);
    const made = [trust, { ...trust, publicKey: 'other' }, { ...trust, key: 'other' }].map((one) =>
      trustedInputs(plain, one),
    );
    expect(new Set([plain, ...made]).size).toBe(4);
  });
});

describe('asking a device', () => {
  const container: DeviceContainer = {
    name: 'flightline-device-0',
    labels: { 'io.flightline.release': 'release/x' },
    image: `${R}@sha256:1`,
    repository: R,
    digest: 'sha256:1',
    insecure: false,
    key: 'release',
    otherKey: null,
    tool: 'image',
    access: null,
    files: { pulled: '/srv/pulled' },
  };

  it('by the program of the image, which gets no login', () => {
    const args = deviceArguments(container);
    expect(args.join(' ')).toBe(
      'run --rm --name=flightline-device-0 --pull=never --systemd=false --security-opt=label=disable ' +
        '--label=io.flightline.release=release/x --volume=/srv/pulled:/run/flightline-pulled ' +
        `--entrypoint=skopeo ${R}@sha256:1 --policy /etc/containers/policy.json ` +
        '--registries.d /etc/containers/registries.d copy --all --preserve-digests --remove-signatures ' +
        `docker://${R}@sha256:1 dir:/run/flightline-pulled`,
    );
  });

  it('by the host’s, with the image’s files in their places and another key', () => {
    const args = deviceArguments({
      ...container,
      tool: 'host',
      otherKey: '/srv/other.pub',
      access: { authfile: '/tmp/a/auth.json', directory: '/tmp/a' },
      files: { policy: '/srv/policy.json', registries: '/srv/registries.d', keys: '/srv/keys' },
    });
    expect(args.filter((one) => one.startsWith('--volume='))).toEqual([
      '--volume=/srv/policy.json:/etc/containers/policy.json:ro',
      '--volume=/srv/registries.d:/etc/containers/registries.d:ro',
      '--volume=/srv/keys:/etc/pki/containers:ro',
      '--volume=/tmp/a:/tmp/a:ro',
      `--volume=/srv/other.pub:${KEY}:ro`,
    ]);
    expect(args.slice(args.indexOf('--rootfs')).join(' ')).toBe(
      '--rootfs /:O skopeo --policy /etc/containers/policy.json --registries.d /etc/containers/registries.d copy ' +
        `--all --preserve-digests --authfile /tmp/a/auth.json --remove-signatures docker://${R}@sha256:1 ` +
        `docker://${R}@sha256:1`,
    );
  });

  const fatal = (text: string) => `time="2026-01-01T00:00:00Z" level=fatal msg="${text}"\n`;
  test.each<[string, 'signature' | 'files' | null]>([
    [fatal('Source image rejected: A signature was required, but no signature exists'), 'signature'],
    [fatal('Source image rejected: cryptographic signature verification failed: invalid signature'), 'signature'],
    [fatal(`Source image rejected: Running image docker://${R} is rejected by policy.`), 'signature'],
    [fatal(`Source image rejected: open ${KEY}: no such file or directory`), 'files'],
    [fatal('Error loading trust policy: open /etc/containers/policy.json: no such file or directory'), 'files'],
    [fatal('initializing source: reading signature storage configuration: namespace defined twice'), 'files'],
    [fatal('initializing source docker://quay.io: dial tcp: connection refused'), null],
    ['Error: crun: unknown version specified: OCI runtime error', null],
  ])('%s', (output, kind) => {
    expect(deviceRefusal(output)?.kind ?? null).toBe(kind);
  });
});
