/** A cosign that speaks PKCS#11, which distributions leave out, and a token of SoftHSM for it. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { generateKeyPairSync } from 'node:crypto';

const COSIGN = 'github.com/sigstore/cosign/v2/cmd/cosign@v2.5.0';
const CACHE = join(homedir(), '.cache/flightline/cosign-pkcs11');
const MODULE = '/usr/lib/softhsm/libsofthsm2.so';
const PIN = '834921';

/** Path of the program. It is built once, by Go, which takes minutes. */
export async function cosignWithPkcs11(): Promise<string> {
  const program = join(CACHE, 'cosign');
  if (existsSync(program)) return program;
  await execa('go', ['install', '-tags=pkcs11key', '-ldflags=-s -w', COSIGN], {
    env: { GOBIN: CACHE, CGO_ENABLED: '1' },
    timeout: 60 * 60_000,
  });
  return program;
}

/** A key in a token. */
export interface TokenKey {
  uri: string;
  publicKey: string;
  pinFile: string;
  /** Writes the PIN, or another one, to the file. */
  givePin(pin?: string): Promise<void>;
  /** For SoftHSM in the programs that use the token. */
  environment: { SOFTHSM2_CONF: string };
}

/** Makes a token with a P-256 key in a directory. */
export async function makeTokenKey(directory: string): Promise<TokenKey> {
  const tokens = join(directory, 'tokens');
  const conf = join(directory, 'softhsm2.conf');
  await mkdir(tokens, { mode: 0o700 });
  await writeFile(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const environment = { SOFTHSM2_CONF: conf };
  const softhsm = (...args: string[]) => execa('softhsm2-util', args, { env: environment });
  await softhsm('--init-token', '--free', '--label', 'flightline', '--so-pin', '12345678', '--pin', PIN);
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const imported = join(directory, 'imported.pem');
  await writeFile(imported, key.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const name = ['--token', 'flightline', '--label', 'release', '--id', '01', '--pin', PIN];
  await softhsm('--import', imported, ...name);
  const publicKey = join(directory, 'token.pub');
  await writeFile(publicKey, key.publicKey.export({ type: 'spki', format: 'pem' }));
  const pinFile = join(directory, 'pin');
  const givePin = (pin = PIN) => writeFile(pinFile, `${pin}\n`, { mode: 0o600 });
  await givePin();
  const uri = `pkcs11:token=flightline;object=release;id=%01?module-path=${MODULE}`;
  return { uri, publicKey, pinFile, givePin, environment };
}
