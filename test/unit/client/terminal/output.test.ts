/** What a command's words become on the way to a person. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { asTyped } from '../../../../client/terminal/as-typed.ts';

const tty = vi.hoisted(() => ({ isTerminal: true }));
vi.mock('node:tty', () => ({ isatty: () => tty.isTerminal }));
// Another file of the same thread may have loaded it with the real terminal.
vi.resetModules();
const { processOutput } = await import('../../../../client/terminal/output.ts');

/** Sets all that the output looks at, and no more. */
function environment(variables: Record<string, string>): void {
  for (const name of ['CI', 'TERM', 'NO_COLOR', 'FORCE_COLOR', 'npm_lifecycle_event', 'npm_config_local_prefix']) {
    vi.stubEnv(name, variables[name]);
  }
}
afterEach(() => void vi.unstubAllEnvs());

it.each<[boolean, Record<string, string>, boolean, boolean]>([
  [true, {}, true, true],
  [false, {}, false, false],
  [true, { CI: 'true' }, false, true],
  [true, { CI: 'false' }, true, true],
  [true, { NO_COLOR: '1' }, true, false],
  [true, { NO_COLOR: '' }, true, true],
  [true, { TERM: 'dumb' }, false, false],
  [false, { FORCE_COLOR: '1' }, false, true],
  [false, { FORCE_COLOR: '', CI: 'true' }, false, true],
  [true, { FORCE_COLOR: '0' }, true, false],
  [true, { FORCE_COLOR: '1', NO_COLOR: '1' }, true, true],
])('a terminal=%s with %j is redrawn=%s, in colour=%s', (isTerminal, variables, live, colour) => {
  tty.isTerminal = isTerminal;
  environment(variables);
  expect(processOutput()).toMatchObject({ live, colour: { result: colour, progress: colour } });
});

describe('a hint', () => {
  const TEXT = 'let it go on: flightline retry a/b:v1 --spec flightline.yaml (`flightline logs a/b:v1`)';

  it('stays as it is where the command is installed', () => {
    environment({});
    expect(asTyped(TEXT)).toBe(TEXT);
  });

  it('names the spec that was given', () => {
    environment({});
    expect(asTyped(TEXT, 'edge/flightline.yaml')).toContain('retry a/b:v1 --spec edge/flightline.yaml (');
  });

  it('is a call of npm in a clone, wherever the user stands', () => {
    environment({ npm_lifecycle_event: 'flightline', npm_config_local_prefix: process.cwd() });
    expect(asTyped(TEXT)).toBe(
      'let it go on: npm run flightline -- retry a/b:v1 --spec flightline.yaml (`npm run flightline -- logs a/b:v1`)',
    );
    environment({ npm_lifecycle_event: 'flightline', npm_config_local_prefix: '/srv/flightline' });
    expect(asTyped('flightline list')).toBe('npm --prefix /srv/flightline run flightline -- list');
  });

  it('leaves other words alone', () => {
    environment({ npm_lifecycle_event: 'flightline', npm_config_local_prefix: process.cwd() });
    for (const text of ['edit edge/flightline.yaml', 'quay.io/flightline is full', 'flightline requests it'])
      expect(asTyped(text)).toBe(text);
  });
});
