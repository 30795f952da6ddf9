import { describe, expect, test } from 'vitest';
import { bookwormSources } from '../../../scripts/fresh/machine.ts';
import { parseResults, verdict } from '../../../scripts/fresh/verdict.ts';
import { parseDeb822, parseOneLine } from '../../../scripts/setup/apt-sources.ts';

describe('sources of the bare root', () => {
  test('Debian 12 on the mirrors of a Debian 13 machine', () => {
    const sources = parseDeb822(
      'Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie trixie-updates\nComponents: main\nSigned-By: /k.gpg\n\n' +
        'Types: deb\nURIs: http://security.example/debian-security\nSuites: trixie-security\nComponents: main\n',
    );
    expect(bookwormSources(sources)).toEqual([
      'deb [signed-by=/k.gpg] http://mirror.example/debian bookworm main',
      'deb [signed-by=/k.gpg] http://mirror.example/debian bookworm-updates main',
      'deb http://security.example/debian-security bookworm-security main',
    ]);
  });

  test('a machine without a Debian mirror has to name one', () => {
    const ubuntu = parseOneLine('deb http://mirror.example/ubuntu noble main');
    expect(() => bookwormSources(ubuntu)).toThrow(/--mirror/);
  });
});

describe('verdict', () => {
  test.each([
    ['all in time', 'demo 0 599\ntest 0 1200\nagain 0 60\n', true],
    ['the demo took too long', 'demo 0 601\ntest 0 1200\nagain 0 60\n', false],
    ['a step failed', 'demo 0 100\ntest 1 10\n', false],
    ['a step did not run', 'demo 0 100\ntest 0 10\n', false],
    ['nothing ran', '', false],
  ])('%s', (_name, results, ok) => {
    expect(verdict(parseResults(results), ['demo', 'test', 'again']).ok).toBe(ok);
  });
});
