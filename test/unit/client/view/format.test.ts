import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { bytesInWords, elapsedInWords } from '../../../../model/base/words.ts';
import { formatTable } from '../../../../client/view/table.ts';
import { plain, style, truncate, visibleLength } from '../../../../client/view/style.ts';

const WORDS = join(import.meta.dirname, '../../../../model/base/words.ts');

test.each([
  [0, '0.0 s'],
  [420, '0.4 s'],
  [9_940, '9.9 s'],
  [12_400, '12 s'],
  [59_400, '59 s'],
  [59_600, '1:00'],
  [125_000, '2:05'],
  [3_725_000, '1:02:05'],
  [-5, '0.0 s'],
])('%d ms is shown as %s', (milliseconds, text) => expect(elapsedInWords(milliseconds)).toBe(text));

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [276_000_000, '276 MB'],
  [999_600_000, '1.0 GB'],
  [1_440_000_000, '1.4 GB'],
  [10_000_000_000_000_000, '10000 TB'],
])('%d bytes are shown as %s', (bytes, text) => expect(bytesInWords(bytes)).toBe(text));

test('a time carries its zone', async () => {
  // A process of its own: a thread of vitest has no time zone of its own.
  const code = `import { clockInWords, timeInWords } from ${JSON.stringify(WORDS)};
    const at = new Date('2026-07-01T12:00:05Z');
    for (const zone of ['UTC', 'Europe/Berlin', 'America/St_Johns']) {
      process.env.TZ = zone;
      console.log(timeInWords(at), clockInWords(at));
    }`;
  const args = ['--import', 'tsx', '--input-type', 'module', '--eval', code];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout.trimEnd().split('\n')).toEqual([
    '2026-07-01 12:00Z 12:00:05Z',
    '2026-07-01 14:00+02:00 14:00:05+02:00',
    '2026-07-01 09:30-02:30 09:30:05-02:30',
  ]);
});

test('a table pads by what is seen, and leaves no spaces at the end', () => {
  const red = style(true).red('ab');
  expect(
    formatTable(
      [
        [red, 'x', ''],
        ['abcd', 'y', ''],
      ],
      '  ',
    ),
  ).toEqual([`  ${red}    x`, '  abcd  y']);
});

test.each([
  [19, ['a     bb  ccc', 'long      c    dddd']],
  [18, ['a     bb  ccc', 'long      c', '    dddd']],
  [12, ['a     bb', '    ccc', 'long', '    c', '    dddd']],
  [3, ['a', '    bb', '    ccc', 'long', '    c', '    dddd']],
])('columns beyond a width of %d stand on further lines, and no line is empty', (width, lines) => {
  const rows = [
    ['a', 'bb', 'ccc', ''],
    ['long', '', 'c', 'dddd'],
  ];
  expect(formatTable(rows, '', width)).toEqual(lines);
});

describe('style', () => {
  test('without colour nothing is added', () => expect(style(false).bold('text')).toBe('text'));
  test('an empty text stays empty', () => expect(style(true).dim('')).toBe(''));
  test('colour has no length', () => expect(visibleLength(style(true).green('done'))).toBe(4));

  test.each([
    ['short', 10, 'short'],
    ['exactly-10', 10, 'exactly-10'],
    ['eleven-char', 10, 'eleven-ch…'],
  ])('truncates %s to %d', (text, width, cut) => expect(truncate(text, width)).toBe(cut));

  test('a cut line ends its colour', () => {
    const cut = truncate(style(true).red('a long red text'), 6);
    expect(visibleLength(cut)).toBe(6);
    expect(cut).toContain('\u001b[39m');
  });

  test.each([
    ['\u001b[31mred\u001b[0m', 'red'],
    ['a\u001b]0;title\u0007b', 'ab'],
    ['up\u001b[2A\rdown', 'updown'],
    ['tab\there', 'tab here'],
    ['bell\u0007 \u0090', 'bell '],
  ])('%j of a program is shown as %j', (text, shown) => expect(plain(text)).toBe(shown));
});
