import { describe, expect, it } from 'vitest';
import { driverOf } from '../../../../model/builder/builder-driver.ts';
import { builderRuns, diskArtifactType } from '../../../../model/spec/disk.ts';
import { failureOf, jsonBytes, MAX_MESSAGE } from '../../../../model/failure/failure.ts';
import { FlightlineSpec } from '../../../../model/spec/flightline-spec.ts';
import { builderContainerName, diskInputsDigest, imageInputsDigest } from '../../../../model/release/inputs.ts';
import { canonicalJson } from '../../../../model/base/digest.ts';
import {
  isLoopbackRegistry,
  parseReference,
  releaseIdFrom,
  repositoryIsWithin,
} from '../../../../model/oci/reference.ts';
import { makeRequest } from '../../../../model/spec/make-request.ts';
import { formatProblems, parseYamlFile } from '../../../../model/spec/spec-file.ts';
import { dateValue, expandTemplate } from '../../../../model/base/template.ts';
import { isAllowed, registryFor, WorkerConfiguration } from '../../../../model/spec/worker-configuration.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('parseReference', () => {
  it.each([
    ['quay.io/acme/a:v1', { repository: 'quay.io/acme/a', tag: 'v1' }],
    ['127.0.0.1:5000/a', { repository: '127.0.0.1:5000/a' }],
    ['[::1]:5000/a/b:t', { repository: '[::1]:5000/a/b', tag: 't' }],
    ['localhost:5000/a:t', { repository: 'localhost:5000/a', tag: 't' }],
    [`quay.io/a/b@${digest}`, { repository: 'quay.io/a/b', digest }],
    [`quay.io/a/b:t@${digest}`, { repository: 'quay.io/a/b', tag: 't', digest }],
  ])('reads %s', (text, reference) => {
    expect(parseReference(text)).toEqual({ ok: true, reference });
  });

  it.each([
    ['-x', /not a repository name/],
    ['quay.io/Acme/a', /lower case/],
    ['debian:12', /not a repository name/],
    ['library/debian', /names no registry/],
    ['localhost/a:1', /push it to a registry/],
    ['quay.io/a:-t', /is not a tag/],
    ['quay.io/a@sha256:12', /is not a digest/],
    [`quay.io/${'a'.repeat(300)}`, /longer than 255/],
  ])('refuses %s', (text, problem) => {
    const result = parseReference(text);
    expect(result.ok ? '' : result.problem).toMatch(problem);
  });
});

it.each([
  ['quay.io/a:v1', 'release/quay.io/a:v1'],
  ['release/quay.io/a:v1', 'release/quay.io/a:v1'],
  ['quay.io/a', undefined],
  ['what', undefined],
])('reads the release %s', (text, id) => expect(releaseIdFrom(text)).toBe(id));

it.each([
  ['127.0.0.1:5000', true],
  ['127.9.9.9', true],
  ['localhost:1', true],
  ['[::1]:5000', true],
  ['quay.io', false],
  ['127.0.0.1.nip.io', false],
  ['localhost.example.com', false],
])('%s is a loopback registry: %s', (registry, expected) => expect(isLoopbackRegistry(registry)).toBe(expected));

it.each([
  ['quay.io/acme/a', 'quay.io/acme', true],
  ['quay.io/acme', 'quay.io/acme', true],
  ['quay.io/acme2', 'quay.io/acme', false],
  ['quay.io/acme/a', 'quay.io', true],
])('%s is within %s: %s', (repository, scope, expected) =>
  expect(repositoryIsWithin(repository, scope)).toBe(expected),
);

const SPEC = `name: edge camera
image:
  repository: quay.io/acme/edge-camera
  tag: v1
signing: {key: release}
disks:
  - type: iso
  - {type: qcow2, publish: container-disk}
  - type: raw
`;
const FOR_TWO = SPEC.replace('tag: v1', 'tag: v1\n  platforms: [linux/amd64, linux/arm64]');
const parse = (text: string) => parseYamlFile(text, FlightlineSpec);

describe('the spec', () => {
  it('fills in every default', () => {
    const result = parse(SPEC);
    expect(result.ok && result.value).toMatchObject({
      image: { alsoTag: [], context: '.', containerfile: 'Containerfile', platforms: ['linux/amd64'] },
      disks: [{ type: 'iso', publish: 'artifact' }, { publish: 'container-disk' }, { type: 'raw' }],
      repositories: { disk: '{{repository}}/diskimage-{{type}}' },
      builder: { image: 'quay.io/centos-bootc/bootc-image-builder:latest' },
      onFailure: 'hold',
    });
  });

  it.each([
    [
      'an unknown key',
      SPEC.replace('  tag: v1', '  tga: v1'),
      'f:4:3: image.tga: unknown key "tga"; did you mean "tag"?',
    ],
    ['an unknown key at the top', `${SPEC}disk: []\n`, 'f:10:1: disk: unknown key "disk"; did you mean "disks"?'],
    [
      'an unknown key in a list',
      SPEC.replace('type: iso', 'type: iso\n    compres: gzip'),
      'f:8:5: disks[0].compres: unknown key "compres"; did you mean "compress"?',
    ],
    [
      'a repository like an option',
      SPEC.replace('quay.io/acme/edge-camera', '-x'),
      'f:3:15: image.repository: is not a repository name: write REGISTRY/NAME in lower case, without a tag, ' +
        'such as quay.io/acme/edge-camera',
    ],
    ['an unknown disk type', SPEC.replace('type: iso', 'type: floppy'), /^f:7:11: disks\[0\]\.type: /],
    ['a missing key', SPEC.replace('signing: {key: release}\n', ''), /^f:1:1: signing is missing$/],
    [
      'a container disk of an iso',
      SPEC.replace('type: iso', '{type: iso, publish: container-disk}').replace('- type: raw', '- type: vmdk'),
      /disks\[0\]\.publish: container-disk is for qcow2 and raw/,
    ],
    [
      'an installer without an image',
      SPEC.replace('type: iso', 'type: bootc-installer'),
      'f:7:11: disks[0].type: bootc-installer needs installer: {image: …}, a bootable image that installs the release',
    ],
    [
      'an installer for another type',
      SPEC.replace('type: iso', '{type: iso, installer: {image: quay.io/acme/installer}}').replace(
        '- type: raw',
        '- type: vmdk',
      ),
      /disks\[0\]\.installer: is for bootc-installer, not iso/,
    ],
    [
      'a boot test of a disk that is not asked for',
      `${SPEC}bootTest: {disk: vmdk}\n`,
      'f:10:18: bootTest.disk: vmdk is not among the disks',
    ],
    [
      'a boot test of an archive',
      `${SPEC.replace('type: raw', 'type: ova')}bootTest: {disk: ova}\n`,
      /^f:10:18: bootTest\.disk: cannot be booted: name one of ami, anaconda-iso/,
    ],
    [
      'a boot test without end',
      `${SPEC}bootTest: {disk: raw, timeout: 5 minutes}\n`,
      'f:10:32: bootTest.timeout: is not a duration from 10s to 2h, such as 90s, 5m or 1h',
    ],
    [
      'a boot test for two lines',
      `${SPEC}bootTest: {disk: raw, expect: "a\\nb"}\n`,
      'f:10:31: bootTest.expect: must be one line of plain text',
    ],
    ['a disk twice', SPEC.replace('type: raw', 'type: iso'), 'f:9:11: disks[2].type: iso is listed twice'],
    [
      'more disks than a record holds, over all platforms',
      `${FOR_TWO}  - type: vhd\n`,
      /disks: are 8 for 2 platforms, more than 6: make further releases for them/,
    ],
    [
      'early binding for two platforms',
      `${FOR_TWO}enrollment: {binding: early}\n`,
      /enrollment\.binding: early is not yet supported for an image of several platforms/,
    ],
    [
      'an installer for two platforms',
      FOR_TWO.replace('type: iso', 'type: bootc-installer\n    installer: {image: quay.io/acme/installer:1}'),
      /type: bootc-installer is not yet supported for an image of several platforms/,
    ],
    ['a target like an option', SPEC.replace('tag: v1', 'target: -y'), /image\.target: is not the name of a stage/],
    ['broken YAML', 'name: [', /^f:1:\d+: /],
    ['a doubled key', `name: a\n${SPEC}`, /^f:2:1: .*unique/],
    ['an empty file', '', /^f:1:1: name is missing$/],
    ['no mapping', '- a', /^f:1:1: /],
  ])('%s is one clear error', (_, text, expected) => {
    const result = parse(text);
    const lines = result.ok ? [] : formatProblems('f', result.problems).split('\n');
    expect(lines.length).toBeGreaterThan(0);
    if (typeof expected === 'string') expect(lines).toEqual([expected]);
    else expect(lines.some((line) => expected.test(line))).toBe(true);
  });

  it.each([
    ['enrollment: {binding: early, expiration: 1y}', /expiration.*not a number of days/],
    ['enrollment: {binding: early, expiration: 0d}', /expiration.*not a number of days/],
    ['enrollment: {binding: early, expiration: 3651d}', /more than 3650 days/],
    ['enrollment: {binding: early, signer: ca}', /signer/],
    ['enrollment: {binding: early, renewBefore: 365d}', /renewBefore.*not shorter than the validity, 365d/],
    ['enrollment: {binding: early, expiration: 30d, renewBefore: 30d}', /not shorter than the validity, 30d/],
    ['enrollment: {binding: late, renewBefore: 30d}', /renewBefore.*for early binding/],
    ['enrollment: {binding: early, config: a, expiration: 30d}', /expiration.*does not go with config/],
    ['enrollment: {binding: late, config: a}', /config.*is for early binding/],
    ['enrollment: {}', /binding/],
    ['secrets: [{id: flightline-x, from: a}]', /must not begin with/],
    ['secrets: [{id: "a,src=/etc/shadow", from: a}]', /is an id/],
    ['secrets: [{id: a, from: b}, {id: a, from: c}]', /listed twice/],
    ['gates: [{name: a, image: q.io/a/b:1}, {name: a, image: q.io/a/c:1}]', /gates\[1\]\.name.*a is listed twice/],
    ['gates: [{name: A b, image: q.io/a/b:1}]', /is a short name/],
    ['gates: [{name: a, image: "b c"}]', /gates\[0\]\.image/],
    ['gates: [{name: a, image: q.io/a/b:1, on: release}]', /gates\[0\]\.on/],
    ['gates: [{name: a, image: q.io/a/b:1, timeout: 0s}]', /is not a duration from 1s to 6h/],
    ['secrets: [{id: a, from: /etc/shadow}]', /is the name of a secret/],
  ])('refuses %s', (line, problem) => {
    const result = parse(`${SPEC}${line}\n`);
    expect(result.ok ? 'accepted' : formatProblems('f', result.problems)).toMatch(problem);
  });
});

describe('makeRequest', () => {
  const facts = {
    context: { kind: 'artifact' as const, digest },
    commit: 'abcdef012345',
    date: '20261123',
    source: null,
    spec: `sha256:${'0'.repeat(64)}`,
  };
  const make = (change: (text: string) => string = (text) => text, more: object = {}) => {
    const parsed = parse(change(SPEC));
    if (!parsed.ok) throw new Error(formatProblems('f', parsed.problems));
    return makeRequest(parsed.value, { ...facts, ...more });
  };
  const made = (...args: Parameters<typeof make>) => {
    const result = make(...args);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    return result.request;
  };

  it.each<[string, object]>([
    ['', {}],
    ['enrollment: {binding: late}', { enrollment: { binding: 'late' } }],
    ['enrollment: {binding: early}', { enrollment: { binding: 'early', signer: 'enrollment', days: 365 } }],
    [
      'enrollment: {binding: early, expiration: 30d, signer: flightctl.io/enrollment}',
      { enrollment: { binding: 'early', signer: 'flightctl.io/enrollment', days: 30 } },
    ],
    ['enrollment: {binding: early, config: agent}', { enrollment: { binding: 'early', config: 'agent' } }],
    ['secrets: [{id: a, from: b}]', { secrets: [{ id: 'a', from: 'b' }] }],
    ['secrets: []', {}],
  ])('carries names of secrets, and nothing where there are none: %s', (line, expected) => {
    const { enrollment, secrets, pullSecret } = made((text) => `${text}${line}\n`);
    expect(JSON.parse(JSON.stringify({ enrollment, secrets, pullSecret }))).toEqual(expected);
  });

  it('names repositories and compressions', () => {
    expect(made().disks).toEqual([
      { type: 'iso', publish: 'artifact', compress: 'none', repository: 'quay.io/acme/edge-camera/diskimage-iso' },
      {
        type: 'qcow2',
        publish: 'container-disk',
        compress: 'none',
        repository: 'quay.io/acme/edge-camera/diskimage-qcow2',
      },
      { type: 'raw', publish: 'artifact', compress: 'gzip', repository: 'quay.io/acme/edge-camera/diskimage-raw' },
    ]);
    expect(made().recordRepository).toBe('quay.io/acme/edge-camera/release');
  });

  it.each([
    ['v1', undefined, 'v1', 'create'],
    ['"{{date}}-{{commit}}"', undefined, '20261123-abcdef012345', 'move'],
    ['v1', 'v2', 'v2', 'create'],
    ['v1', 'n-{{date}}', 'n-20261123', 'move'],
  ])('tag %s with --tag %s is %s, %s', (written, tag, expected, policy) => {
    const request = made((text) => text.replace('tag: v1', `tag: ${written}`), tag ? { tag } : {});
    expect([request.tag, request.tagPolicy]).toEqual([expected, policy]);
  });

  it.each([
    ['', undefined, 'v1'],
    ['  alsoTag: [latest]', undefined, 'latest'],
    ['  alsoTag: ["{{commit}}", stable, latest]', undefined, 'stable'],
    ['  alsoTag: ["{{commit}}"]', 'v2', 'v2'],
    ['  alsoTag: [latest]', 'latest', 'latest'],
    ['  updateFrom: stable\n  alsoTag: [latest]', undefined, 'stable'],
    ['  updateFrom: "{{date}}"', undefined, '20261123'],
  ])('machines follow, with %j and --tag %s, %s', (lines, tag, expected) => {
    const request = made((text) => text.replace('  tag: v1', `  tag: v1\n${lines}`), tag ? { tag } : {});
    expect(request.updateFrom).toBe(expected);
  });

  it('lets platforms be missing that there are, where there are several', () => {
    const allow = (text: string, platform: string) => text.replace('tag: v1', `tag: v1\n  allowMissing: [${platform}]`);
    expect(made(() => allow(FOR_TWO, 'linux/arm64')).allowMissing).toEqual(['arm64']);
    expect(made(() => FOR_TWO).allowMissing).toBeUndefined();
    const refused = { ok: false, problems: [{ path: 'image.allowMissing' }] };
    for (const text of [allow(SPEC, 'linux/amd64'), allow(FOR_TWO, 'linux/riscv64')]) {
      expect(make(() => text)).toMatchObject(refused);
    }
  });

  it('refuses {{commit}} without a commit, and says why', () => {
    const result = make((text) => text.replace('tag: v1', 'tag: "{{commit}}"'), { commit: undefined });
    expect(result).toMatchObject({
      ok: false,
      problems: [{ path: 'image.tag', message: expect.stringContaining('uncommitted') }],
    });
  });

  it('refuses two things in one repository', () => {
    const result = make((text) => `${text}repositories: {disk: "{{repository}}"}\n`);
    expect(result).toMatchObject({ ok: false, problems: [{ path: 'repositories' }] });
  });

  it('refuses what would not fit in a payload', () => {
    const result = make((text) => text.replace('tag: v1', `buildArgs: {X: ${'y'.repeat(9_000)}}`));
    expect(result).toMatchObject({ ok: false, problems: [{ message: expect.stringContaining('too large') }] });
  });
});

describe('the driver of a builder', () => {
  it.each([
    ['quay.io/centos-bootc/bootc-image-builder:latest', 'bootc-image-builder'],
    ['127.0.0.1:5000/flightline/debian-builder:1', 'bootc-image-builder'],
    ['ghcr.io/osbuild/image-builder-cli:latest', 'image-builder'],
    ['ghcr.io:443/osbuild/image-builder@sha256:' + '0'.repeat(64), 'image-builder'],
    ['quay.io/acme/my-image-builder:1', 'bootc-image-builder'],
  ])('%s: %s', (image, driver) => {
    expect(driverOf(image)).toBe(driver);
  });

  it('decides how many types are made at once', () => {
    const disks = (['qcow2', 'vmdk'] as const).map((type) => ({ type, publish: 'none', compress: 'none' }) as const);
    expect(builderRuns(disks, 'image-builder').map(({ types }) => types)).toEqual([['qcow2'], ['vmdk']]);
    expect(builderRuns(disks, 'bootc-image-builder').map(({ types }) => types)).toEqual([['qcow2', 'vmdk']]);
  });
});

describe('builderRuns', () => {
  it.each([
    [['qcow2', 'vmdk'], [['qcow2', 'vmdk']]],
    [
      ['vmdk', 'iso', 'qcow2'],
      [['qcow2', 'vmdk'], ['iso']],
    ],
    [
      ['iso', 'anaconda-iso'],
      [['iso'], ['anaconda-iso']],
    ],
    [['raw', 'ami'], [['ami', 'raw']]],
    [[], []],
  ] as const)('%j become %j', (types, expected) => {
    const disks = types.map((type) => ({ type, publish: 'artifact' as const, compress: 'none' as const }));
    expect(builderRuns(disks).map((run) => run.types)).toEqual(expected);
  });
});

it.each([
  ['qcow2', 'none', 'application/vnd.diskimage.qcow2'],
  ['raw', 'gzip', 'application/vnd.diskimage.raw.gzip'],
  ['iso', 'none', 'application/vnd.diskimage.iso'],
] as const)('the artifact type of %s, %s', (type, compress, expected) => {
  expect(diskArtifactType({ type, compress })).toBe(expected);
});

describe('inputs', () => {
  const image = {
    files: digest,
    bases: [
      { reference: 'b', digest },
      { reference: 'a', digest },
    ],
    buildArgs: { y: '1', x: '2' },
    architecture: 'amd64',
  };
  it('do not depend on order', () => {
    const turned = { ...image, bases: [...image.bases].reverse(), buildArgs: { x: '2', y: '1' } };
    expect(imageInputsDigest(turned)).toBe(imageInputsDigest(image));
  });
  it('depend on every value', () => {
    expect(imageInputsDigest({ ...image, architecture: 'arm64' })).not.toBe(imageInputsDigest(image));
    const [other, base] = image.bases as [(typeof image.bases)[0], (typeof image.bases)[0]];
    const of = (index: string, manifest: string) =>
      imageInputsDigest({ ...image, bases: [other, { ...base, digest: index, manifest }] });
    expect(of('index', digest)).toBe(imageInputsDigest(image));
    expect(of(digest, 'manifest')).not.toBe(imageInputsDigest(image));
    const disk = {
      image: digest,
      origin: 'a:b',
      builder: digest,
      configuration: null,
      rootfs: null,
      types: ['qcow2'],
      architecture: 'amd64',
    };
    expect(diskInputsDigest({ ...disk, rootfs: 'xfs' })).not.toBe(diskInputsDigest(disk));
    expect(diskInputsDigest({ ...disk, arguments: { seed: 1 } })).not.toBe(diskInputsDigest(disk));
    expect(diskInputsDigest({ ...disk, arguments: undefined })).toBe(diskInputsDigest(disk));
    expect(builderContainerName('release/a', diskInputsDigest(disk))).toMatch(/^flightline-[0-9a-f]{12}$/);
  });
  it('depend on what is put into the image: of secrets the names, of enrollment what is asked', () => {
    const early = { binding: 'early', signer: 'enrollment', days: 365 } as const;
    const digests = [
      image,
      { ...image, enrollment: early },
      { ...image, enrollment: { ...early, days: 30 } },
      { ...image, enrollment: { binding: 'early', config: 'agent' } as const },
      { ...image, pullSecret: 'a' },
      { ...image, pullSecret: 'b' },
      { ...image, secrets: [{ id: 'a', from: 'b' }] },
    ].map(imageInputsDigest);
    expect(new Set(digests).size).toBe(digests.length);
    expect(imageInputsDigest({ ...image, enrollment: { binding: 'late' } })).toBe(imageInputsDigest(image));
  });
  it('are hashed from canonical JSON', () => {
    expect(canonicalJson({ b: [1, undefined, null], a: { d: undefined, c: 'x' } })).toBe(
      '{"a":{"c":"x"},"b":[1,null,null]}',
    );
  });
});

describe('templates', () => {
  it('give the day in UTC', () => expect(dateValue(new Date('2026-11-23T23:59:00-05:00'))).toBe('20261124'));
  it('name what is known when a name is not', () => {
    expect(expandTemplate('{{x}}', { date: '1' })).toEqual({
      ok: false,
      problem: '{{x}} is not known here; known are {{date}}',
    });
  });
});

describe('the worker configuration', () => {
  it('grants nothing by default but the usual builder', () => {
    expect(WorkerConfiguration.parse({})).toMatchObject({ keys: {}, registries: [], limits: { build: 2, disk: 1 } });
  });
  it('takes the most specific registry', () => {
    const registries = ['quay.io', 'quay.io/acme'].map((location) => ({ location, insecure: false }));
    expect(registryFor({ registries }, 'quay.io/acme/a')?.location).toBe('quay.io/acme');
    expect(registryFor({ registries }, 'quay.io/acme2/a')?.location).toBe('quay.io');
    expect(registryFor({ registries }, 'ghcr.io/a')).toBeUndefined();
  });
  it('allows by path segment', () => expect(isAllowed(['quay.io/acme'], 'quay.io/acmeister')).toBe(false));
});

it('keeps the end of a long failure message, where the cause stands', () => {
  const failure = failureOf('builder', `${'x'.repeat(9_000)}the cause`);
  expect(jsonBytes(failure.message)).toBeLessThanOrEqual(MAX_MESSAGE);
  expect(failure.message.length).toBeGreaterThan(MAX_MESSAGE * 0.85);
  expect(failure.message.endsWith('the cause')).toBe(true);
});

it.each(['é', '─', '"', '😀', '\\', '\u001b[1;31m'])('a failure of many %s fits in a payload too', (text) => {
  const { message } = failureOf('containerfile', `${text.repeat(4_000)}the cause`);
  expect(jsonBytes(message)).toBe(Buffer.byteLength(JSON.stringify(message)));
  expect(jsonBytes(message)).toBeLessThanOrEqual(MAX_MESSAGE);
  expect(message).toMatch(/the cause$/);
});

it('a failure shows what a terminal would, without its colours', () => {
  const { message } = failureOf('containerfile', 'one\n\u001b[31mtwo\u001b[0m\t[1/2] three\r\u0007');
  expect(message).toBe('one\ntwo\t[1/2] three');
});
