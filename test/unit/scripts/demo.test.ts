import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { choiceFor, chooseExample } from '../../../scripts/demo/example.ts';
import { evidenceHints } from '../../../scripts/demo/evidence.ts';
import { demoSpec, demoTag, registryOfSpec, writeDemoProject } from '../../../scripts/demo/project.ts';

const SPEC = `# yaml-language-server: $schema=../../schemas/flightline.schema.json
name: debian
image:
  repository: 127.0.0.1:5000/demo/debian # where it goes
  tag: v1
signing: { key: release }
builder:
  image: 127.0.0.1:5000/flightline/debian-builder:1
`;

test('the tag tells when', () => expect(demoTag(new Date('2026-11-23T04:05:06.789Z'))).toBe('demo-20261123-040506'));

describe('the spec of a demo', () => {
  const values = { registry: '127.0.0.1:23456', tag: 'demo-20261123-040506', sbom: false, gate: null };

  test("names the stack's registry and the demo's tag, and keeps its comments", () => {
    const own = SPEC.replaceAll('127.0.0.1:5000', '127.0.0.1:23456').replace('tag: v1', 'tag: demo-20261123-040506');
    expect(demoSpec(SPEC, values)).toBe(`${own}provenance: true\n`);
  });

  test('asks for bills of materials where Syft can list them, and says so where not', () => {
    expect(parse(demoSpec(SPEC, { ...values, sbom: true }))).toMatchObject({
      image: { sbom: ['spdx', 'cyclonedx'] },
      provenance: true,
    });
    const record = { image: { reference: 'r:1', digest: null, verified: true }, attestations: [] };
    const publicKey = '/keys/release.pub';
    expect(evidenceHints(record, { sbom: false, keep: false, publicKey })).toEqual([
      expect.stringContaining('no SBOM: Syft is not installed'),
    ]);
    expect(evidenceHints(record, { sbom: true, keep: true, publicKey })).toEqual([
      expect.stringContaining('cosign verify-attestation --key /keys/release.pub'),
    ]);
    expect(evidenceHints({ image: record.image }, { sbom: false, keep: true, publicKey })).toEqual([]);
  });

  test('asks the gate that is there', () => {
    const image = '127.0.0.1:23456/flightline/gates/setuid:1';
    expect(parse(demoSpec(SPEC, { ...values, gate: image }))).toMatchObject({ gates: [{ name: 'setuid', image }] });
  });

  test('leaves images of other registries alone', () => {
    const builder = 'quay.io/centos-bootc/bootc-image-builder:latest';
    expect(demoSpec(SPEC.replace(/image: 127.*/, `image: ${builder}`), values)).toContain(`image: ${builder}`);
  });

  test.each([
    [SPEC, '127.0.0.1:5000'],
    ['image: {repository: quay.io/acme/x}', 'quay.io'],
    ['image: {}', undefined],
    ['', undefined],
  ])('its own registry %#', (text, registry) => expect(registryOfSpec(text)).toBe(registry));

  test('is written with its Containerfile, in place of an earlier copy', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-demo-'));
    try {
      const [example, copy] = [join(directory, 'example'), join(directory, 'copy')];
      await mkdir(example);
      await mkdir(copy);
      await writeFile(join(copy, 'old'), '');
      await writeFile(join(example, 'flightline.yaml'), SPEC);
      await writeFile(join(example, 'Containerfile'), 'FROM 127.0.0.1:5000/flightline/debian-base:trixie\n');
      const spec = await writeDemoProject(example, copy, values);
      expect(spec).toBe(join(copy, 'flightline.yaml'));
      expect(await readFile(join(copy, 'Containerfile'), 'utf8')).toBe(
        'FROM 127.0.0.1:23456/flightline/debian-base:trixie\n',
      );
      await expect(readFile(join(copy, 'old'))).rejects.toThrow('ENOENT');
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

test.each([
  [true, 'centos-stream9'],
  [false, 'debian'],
] as const)('where quay.io answers=%s, the example is %s', (quay, name) => expect(choiceFor(quay).name).toBe(name));

test('the choice of a person needs no look', async () => {
  expect(await chooseExample('debian')).toEqual({ name: 'debian', reason: 'chosen with --example' });
});
