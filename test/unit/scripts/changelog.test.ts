import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import config from '../../../bump.config.ts';
import { headed } from '../../../scripts/changelog.ts';

const ROOT = join(import.meta.dirname, '../../..');
const DAY = new Date('2026-12-01T12:00:00Z');
const UPGRADE = '### On an upgrade\n\n- Nothing.\n';

it('what is unreleased gets its version and day', () => {
  expect(headed(`# Changelog\n\n## Unreleased\n\n${UPGRADE}\n## 0.2.0 (2026-11-30)\n\n- a\n`, '0.3.0', DAY)).toBe(
    `# Changelog\n\n## 0.3.0 (2026-12-01)\n\n${UPGRADE}\n## 0.2.0 (2026-11-30)\n\n- a\n`,
  );
  expect(headed(`## Unreleased\n\n${UPGRADE}`, '0.3.0', DAY)).toContain('## 0.3.0 (2026-12-01)');
});

it.each([
  ['nothing new', `## 0.2.0 (2026-11-30)\n\n${UPGRADE}`, /nothing under "## Unreleased"/],
  ['no word on upgrades', `## Unreleased\n\n- a\n\n## 0.2.0 (2026-11-30)\n\n${UPGRADE}`, /what an upgrade takes/],
])('%s is no release', (_, changelog, message) => {
  expect(() => headed(changelog, '0.3.0', DAY)).toThrow(message);
});

it('the version is the same wherever it is written', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  for (const file of config.files!) {
    const text = readFileSync(join(ROOT, file as string), 'utf8');
    expect(text, file as string).toContain(version);
    expect(text.match(/flightline[:-]\d+\.\d+\.\d+/g) ?? [], file as string).toEqual(
      (text.match(/flightline[:-]\d+\.\d+\.\d+/g) ?? []).map((name) => name.replace(/[\d.]+$/, version)),
    );
  }
  expect(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')).toContain(`\n## ${version} (`);
});
