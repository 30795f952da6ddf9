/** Certificates of an authority made for one test. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/** The name in deploy/temporal/mtls.toml, by which the server is known. */
export const SERVER_NAME = 'temporal.example.com';

/** Paths of PEM files. */
export interface Certificates {
  authority: string;
  of(name: string): { certificate: string; key: string };
}

/** Makes an authority, and a certificate for each name that is good for servers and clients. */
export async function certificates(directory: string, names: readonly string[]): Promise<Certificates> {
  await mkdir(directory);
  const file = (name: string) => join(directory, name);
  const of = (name: string) => ({ certificate: file(`${name}.pem`), key: file(`${name}.key`) });
  const openssl = (...args: string[]) => execa('openssl', args);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const authority = of('authority');
  const own = ['-subj', '/CN=authority of a test', '-keyout', authority.key, '-out', authority.certificate];
  await openssl('req', '-x509', ...newKey, '-days', '2', ...own);
  for (const name of names) {
    const { certificate, key } = of(name);
    const request = file(`${name}.csr`);
    await openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', key, '-out', request);
    const extensions = file(`${name}.ext`);
    await writeFile(extensions, `subjectAltName=DNS:${SERVER_NAME}\nextendedKeyUsage=serverAuth,clientAuth\n`);
    const signer = ['-CA', authority.certificate, '-CAkey', authority.key, '-CAcreateserial'];
    await openssl('x509', '-req', '-in', request, ...signer, '-days', '2', '-extfile', extensions, '-out', certificate);
  }
  return { authority: authority.certificate, of };
}
