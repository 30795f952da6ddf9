/** A token of SoftHSM with a key, for a cosign that speaks PKCS#11. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

const MODULE = '/usr/lib/softhsm/libsofthsm2.so';
const PIN = '834921';

/** What is missing for such tokens, for the name of a skipped test; empty when nothing is. */
export const missingForTokens = existsSync(MODULE) ? '' : ": Debian's softhsm2 is not installed";

/** A key in a token. */
export interface TokenKey {
  uri: string;
  publicKey: string;
  pinFile: string;
  /** Writes the PIN, or another one, to the file. */
  givePin(pin?: string): Promise<void>;
  /** What its security officer does when it has locked itself. */
  unlock(): Promise<void>;
  /** For SoftHSM in the programs that use the token. */
  environment: { SOFTHSM2_CONF: string };
}

/**
 * SoftHSM with what it lacks, and what tokens that one can hold have: after three wrong PINs it is locked. The count is
 * kept beside its configuration. The 19th function of the list is C_Login (PKCS#11 2.40, CK_FUNCTION_LIST).
 */
const LOCKING = `
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define LOGIN 18
#define PIN_INCORRECT 0xA0ul
#define PIN_LOCKED 0xA4ul
struct functions { unsigned char version[2]; void *each[68]; };
static struct functions ours;
static unsigned long (*theirs)(unsigned long, unsigned long, unsigned char *, unsigned long);
static FILE *count(const char *mode) {
  char path[4096];
  snprintf(path, sizeof path, "%s.wrong", getenv("SOFTHSM2_CONF"));
  return fopen(path, mode);
}
static unsigned long login(unsigned long session, unsigned long user, unsigned char *pin, unsigned long length) {
  FILE *file = count("r");
  int wrong = 0;
  if (file) { if (fscanf(file, "%d", &wrong) != 1) wrong = 0; fclose(file); }
  if (wrong >= 3) return PIN_LOCKED;
  unsigned long result = theirs(session, user, pin, length);
  if (result == PIN_INCORRECT) wrong++; else if (result == 0) wrong = 0;
  file = count("w");
  if (file) { fprintf(file, "%d", wrong); fclose(file); }
  return result;
}
unsigned long C_GetFunctionList(struct functions **list) {
  void *module = dlopen("${MODULE}", RTLD_NOW);
  unsigned long (*get)(struct functions **) = module ? dlsym(module, "C_GetFunctionList") : NULL;
  struct functions *found;
  if (!get || get(&found) != 0) return 5;
  ours = *found;
  theirs = ours.each[LOGIN];
  ours.each[LOGIN] = login;
  *list = &ours;
  return 0;
}
`;

/** Makes a token with a P-256 key in a directory. It needs a C compiler, as cosign with PKCS#11 does. */
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
  const module = join(directory, 'locking.so');
  await execa('gcc', ['-shared', '-fPIC', '-O1', '-o', module, '-x', 'c', '-'], { input: LOCKING });
  const pinFile = join(directory, 'pin');
  const givePin = (pin = PIN) => writeFile(pinFile, `${pin}\n`, { mode: 0o600 });
  await givePin();
  const uri = `pkcs11:token=flightline;object=release;id=%01?module-path=${module}`;
  return { uri, publicKey, pinFile, givePin, unlock: () => rm(`${conf}.wrong`), environment };
}
