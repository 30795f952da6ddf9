/** Manual pages: one for each verb, in a form that groff takes without a warning, and all of them are installed. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { manualPages } from '../../../../client/verbs.ts';

const pages = await manualPages();
const hasGroff = spawnSync('groff', ['--version']).status === 0;

it('package.json names every page, so that npm installs it', () => {
  const { man } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../../package.json'), 'utf8')) as {
    man: string[];
  };
  expect(man).toEqual([...pages.keys()].map((name) => `./dist/man/${name}`).toSorted());
});

it('a page says what the help says', () => {
  const page = pages.get('flightline-run.1')!;
  expect(page).toMatch(
    /^\.TH FLIGHTLINE\\-RUN 1 "" "flightline \S+" "flightline"\n\.SH NAME\nflightline\\-run \\- check a/,
  );
  expect(page).toContain('.TP\n.B \\-\\-tag <tag>\nreplace the spec');
  expect(page).toContain('.nf\n$ flightline run \\-\\-dry\\-run\n.fi');
  const main = pages.get('flightline.1')!;
  expect(main).toContain('.SH APPROVAL AND TAGS\n.TP\n.B flightline\\-approve(1)');
  expect(main).toContain('.SH EXIT STATUS\n.TP\n.B 0\ndone\n');
  expect(pages.get('flightline-schedule.1')).toContain('.SH SCHEDULE PAUSE\n.B flightline schedule pause');
});

describe.runIf(hasGroff)('groff', () => {
  it('sets every page without a warning', () => {
    const all = [...pages.values()].join('');
    const set = spawnSync('groff', ['-k', '-man', '-ww', '-Tutf8'], { input: all, encoding: 'utf8' });
    expect([set.status, set.stderr]).toEqual([0, '']);
  });
});
