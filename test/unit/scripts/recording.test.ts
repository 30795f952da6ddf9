/** The recording: what a terminal showed, as frames, and as a picture that plays. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { framesOf } from '../../../scripts/recording/frames.ts';
import { svgOf } from '../../../scripts/recording/svg.ts';

const SIZE = { columns: 20, rows: 3 };
const options = { ...SIZE, from: 0, shortest: 40, longest: 600, last: 1_000 };
const pieces = [
  { at: 0, text: '$ ' },
  { at: 100, text: 'a' },
  { at: 110, text: ' & <b>\r\n' },
  { at: 5_110, text: '\u001B[1mbold\u001B[22m \u001B[32mgreen\u001B[39m' },
];

describe('frames', () => {
  it('are the screen after each piece that stood long enough, no longer than wanted', async () => {
    const frames = await framesOf(pieces, options);
    expect(frames.map(({ milliseconds }) => milliseconds)).toEqual([100, 600, 1_000]);
    expect(frames.map(({ lines }) => lines[0]!.map(({ text }) => text).join(''))).toEqual([
      '$',
      '$ a & <b>',
      '$ a & <b>',
    ]);
    expect(frames[2]!.lines[1]).toEqual([
      { column: 0, text: 'bold', colour: null, bold: true, dim: false },
      { column: 5, text: 'green', colour: 2, bold: false, dim: false },
    ]);
  });

  it('begin where it is wanted, on the screen as it was then', async () => {
    const frames = await framesOf(pieces, { ...options, from: 2 });
    expect(frames[0]!.lines[0]![0]!.text).toBe('$ a & <b>');
  });
});

it('the picture draws each line once, and shows every frame for its time', async () => {
  const svg = svgOf(await framesOf(pieces, options), SIZE, 'a < b');
  expect(svg).toContain('<title>a &lt; b</title>');
  expect(svg.match(/\$ a &amp; &lt;b&gt;/g)).toHaveLength(1);
  expect(svg.match(/<use /g)).toHaveLength(4);
  expect(svg).toContain('play 1700ms');
  expect(svg).not.toContain('<script');
});

it('the picture of the README shows a kill, and a release that goes on', () => {
  const svg = readFileSync(join(import.meta.dirname, '../../../docs/release.svg'), 'utf8');
  for (const text of [
    'flightline run',
    'kill -9',
    'flightline watch',
    '2 tries',
    'released',
    'verified as a device would',
  ]) {
    expect(svg).toContain(text);
  }
  expect(svg.length).toBeLessThan(300_000);
});
