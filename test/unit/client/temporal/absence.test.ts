import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { absenceRemedy } from '../../../../client/temporal/absence.ts';

let directory: string;
let environment: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-absence-'));
  environment = join(directory, '.flightline/stack/environment');
  await mkdir(join(directory, 'project/os'), { recursive: true });
  await mkdir(join(directory, '.flightline/stack'), { recursive: true });
  await writeFile(environment, '');
});

afterAll(() => rm(directory, { recursive: true, force: true }));

describe('where no server answers', () => {
  const other = /^start one with `flightline up`, or say where it is with TEMPORAL_ADDRESS/;

  it.each(['', 'project/os'])('a terminal in %j of a stack is told how to reach it', (below) => {
    expect(absenceRemedy(false, join(directory, below))).toBe(
      `this terminal does not know the stack in ${directory}/.flightline/stack: read its variables with ` +
        `\`. ${environment}\`, and start it with \`flightline up\` if it does not run`,
    );
  });

  it('one that names a server, or is elsewhere, is not', () => {
    expect(absenceRemedy(true, directory)).toMatch(other);
    expect(absenceRemedy(false, tmpdir())).toMatch(other);
  });

  it.runIf(process.geteuid?.() === 0)('no shell is told to read what is somebody else’s', async () => {
    await chown(environment, 65_534, 65_534);
    expect(absenceRemedy(false, directory)).toMatch(other);
    await chown(environment, 0, 0);
  });
});
