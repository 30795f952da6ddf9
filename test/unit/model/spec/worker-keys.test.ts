import { describe, expect, it } from 'vitest';
import { WorkerConfiguration } from '../../../../model/spec/worker-configuration.ts';

const read = (key: object) =>
  WorkerConfiguration.safeParse({ keys: { release: { publicKey: '/k.pub', repositories: ['quay.io/acme'], ...key } } });

describe('a key that is not a file', () => {
  it.each([
    'awskms:///alias/release',
    'gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k',
    'azurekms://vault.example/release',
    'hashivault://release',
    'pkcs11:token=releases;object=release?module-path=/usr/lib/softhsm/libsofthsm2.so',
  ])('is %s', (kms) => {
    expect(read({ kms }).success).toBe(true);
  });

  it.each([
    ['another kind', { kms: 'k8s://namespace/secret' }],
    ['a file', { kms: '/etc/flightline/release.private' }],
    ['two words', { kms: 'hashivault://release --insecure' }],
    ['a PIN on the command line', { kms: 'pkcs11:token=t?pin-value=1234' }],
    ['a private key besides', { kms: 'hashivault://release', privateKey: '/k', passphraseFile: '/p' }],
    ['a passphrase for what is no token', { kms: 'hashivault://release', passphraseFile: '/p' }],
  ])('is not %s', (_, key) => {
    expect(read(key).success).toBe(false);
  });

  it('may be a token with its PIN in a file', () => {
    expect(read({ kms: 'pkcs11:token=t', passphraseFile: '/pin' }).success).toBe(true);
  });
});
