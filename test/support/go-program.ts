/** Programs for long tests that Go builds from their sources: once for each version, in the user's cache. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** What `go install` makes. */
interface GoProgram {
  /** The program, and the directory in the cache. */
  name: string;
  /** Import path with version. */
  module: string;
  tags?: string;
}

/** The newest cosign, with PKCS#11, which distributions leave out. */
const COSIGN: GoProgram = {
  name: 'cosign',
  module: 'github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3',
  tags: 'pkcs11key',
};
/** The last of the versions before; it signs by key services. */
const COSIGN_2: GoProgram = { name: 'cosign', module: 'github.com/sigstore/cosign/v2/cmd/cosign@v2.6.5' };
const ORAS: GoProgram = { name: 'oras', module: 'oras.land/oras/cmd/oras@v1.3.6' };

/** Path of cosign 3. To build it takes minutes. */
export const cosign3 = (): Promise<string> => goProgram(COSIGN);

/** Path of cosign 2. To build it takes minutes. */
export const cosign2 = (): Promise<string> => goProgram(COSIGN_2);

/** Path of oras 1.3. */
export const oras = (): Promise<string> => goProgram(ORAS);

async function goProgram({ name, module, tags = '' }: GoProgram): Promise<string> {
  const cache = join(homedir(), '.cache/flightline', `${name}-${module.split('@v')[1]!}`);
  const program = join(cache, name);
  if (existsSync(program)) return program;
  await execa('go', ['install', `-tags=${tags}`, '-ldflags=-s -w', module], {
    env: { GOBIN: cache, CGO_ENABLED: tags === '' ? '0' : '1' },
    timeout: 60 * 60_000,
  });
  return program;
}
