/** The stand-in for the `flightctl` client (stand-in-flightctl.mjs), as a test prepares it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What goes wrong in the stand-in. */
export type FlightctlMode =
  | 'ok'
  /** The login has expired. */
  | 'expired'
  /** The role may not request certificates, or may not read the enrollment configuration. */
  | 'forbidden'
  | 'installer'
  | 'unreachable'
  /** The client is killed once the server has issued the certificate. */
  | 'killed'
  /**
   * Exit code 0, and nothing printed; a certificate that has ended; one that is valid too long; a key of another
   * certificate.
   */
  | 'empty'
  | 'ended'
  | 'too-long'
  | 'foreign-key'
  /** The certificate authority ends in ten days. */
  | 'old-authority';

/** Absolute path of the executable. */
export const STAND_IN_FLIGHTCTL = join(import.meta.dirname, 'stand-in-flightctl.mjs');

/** A login of the stand-in. */
export interface FlightctlLogIn {
  /** What `--config-dir` names. */
  directory: string;
  set(mode: FlightctlMode): Promise<void>;
  /** The arguments of every call so far. */
  calls(): Promise<string[][]>;
}

/** Logs the stand-in in. */
export async function logInFlightctl(directory: string, mode: FlightctlMode = 'ok'): Promise<FlightctlLogIn> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(join(directory, 'client.yaml'), 'service: {}\n', { mode: 0o600 });
  const set = (next: FlightctlMode) => writeFile(join(directory, 'stand-in.json'), JSON.stringify({ mode: next }));
  await set(mode);
  return {
    directory,
    set,
    calls: async () => {
      const text = await readFile(join(directory, 'calls'), 'utf8').catch(() => '');
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as string[]);
    },
  };
}
