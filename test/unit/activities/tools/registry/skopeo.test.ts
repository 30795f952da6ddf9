import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { copyArguments, writeDevicePolicy } from '../../../../../activities/tools/registry/skopeo.ts';

const access = {
  authfile: '/a/auth.json',
  registriesDirectory: '/a/registries.d',
  insecure: (repository: string) => repository.startsWith('127.0.0.1:'),
};
const D = `sha256:${'0'.repeat(64)}`;
const common = ['--registries.d', '/a/registries.d', 'copy'];

describe('copyArguments', () => {
  test.each<[what: string, copy: Parameters<typeof copyArguments>[0], expected: string[]]>([
    [
      'a plain copy ignores any policy and carries no signature',
      { source: 'oci:/x', destination: `docker://quay.io/a/b@${D}` },
      [
        '--insecure-policy',
        ...common,
        '--all',
        '--preserve-digests',
        '--authfile',
        '/a/auth.json',
        '--remove-signatures',
      ],
    ],
    [
      'signing an index alone',
      {
        source: `docker://127.0.0.1:5000/a@${D}`,
        destination: `docker://127.0.0.1:5000/a@${D}`,
        multiArch: 'index-only',
        sign: { privateKey: '/k', passphraseFile: '/p', identity: '127.0.0.1:5000/a:v1' },
      },
      [
        '--insecure-policy',
        ...common,
        '--multi-arch',
        'index-only',
        '--preserve-digests',
        '--authfile',
        '/a/auth.json',
        '--src-tls-verify=false',
        '--dest-tls-verify=false',
        '--sign-by-sigstore-private-key',
        '/k',
        '--sign-passphrase-file',
        '/p',
        '--sign-identity',
        '127.0.0.1:5000/a:v1',
      ],
    ],
    [
      'verifying into a directory',
      { source: 'docker://127.0.0.1:5000/a/b:v1', destination: 'dir:/127.0.0.1:5000/x', policy: '/policy.json' },
      [
        '--policy',
        '/policy.json',
        ...common,
        '--all',
        '--preserve-digests',
        '--authfile',
        '/a/auth.json',
        '--src-tls-verify=false',
        '--remove-signatures',
      ],
    ],
  ])('%s', (_, copy, expected) => {
    expect(copyArguments(copy, access)).toEqual([...expected, copy.source, copy.destination]);
  });

  test("uses the caller's own logins when there is no authfile", () => {
    const copy = { source: 'oci:/x', destination: 'docker://127.0.0.1:5000/a:v1' };
    expect(copyArguments(copy, { ...access, authfile: undefined })).not.toContain('--authfile');
  });
});

test("the device's policy rejects all but the repository, by the guide's own entry", async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-policy-'));
  const file = await writeDevicePolicy({ directory }, 'quay.io/acme/edge', '/k.pub');
  const written: unknown = JSON.parse(await readFile(file, 'utf8'));
  await rm(directory, { recursive: true });
  expect(written).toEqual({
    default: [{ type: 'reject' }],
    transports: { docker: { 'quay.io/acme/edge': [{ type: 'sigstoreSigned', keyPath: '/k.pub' }] } },
  });
});
