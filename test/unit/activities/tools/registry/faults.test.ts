/**
 * The kinds of failure of what skopeo and podman printed under each fault of a registry. Recorded by
 * `npx tsx test/support/record-faults.ts`.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { classifyPodman } from '../../../../../activities/tools/podman/classify.ts';
import { CommandError } from '../../../../../activities/tools/process/command.ts';
import { registryError } from '../../../../../activities/tools/registry/classify.ts';
import type { FlightlineError } from '../../../../../model/failure/failure.ts';

const Recorded = z.object({
  program: z.enum(['skopeo', 'podman']),
  operation: z.string(),
  place: z.string(),
  fault: z.string(),
  exitCode: z.number(),
  output: z.string(),
});
const recorded = z.array(Recorded).parse(JSON.parse(readFileSync(new URL('faults.json', import.meta.url), 'utf8')));

/** What each fault is, wherever it happens. */
const KINDS: Record<string, string> = {
  '401': 'registry-login',
  '401 once': 'registry-login',
  '401 without a challenge': 'registry-login',
  '403': 'registry-denied',
  '429': 'registry',
  '500': 'registry',
  '502': 'registry',
  '503': 'registry',
  refused: 'registry',
  reset: 'registry',
  truncated: 'registry',
  'unknown host': 'registry',
  'unknown authority': 'host-setup',
};

function kindOf({ program, exitCode, output }: z.infer<typeof Recorded>): string {
  if (program === 'podman') {
    return classifyPodman(output.split('\n').findLast((line) => line.startsWith('Error: ')) ?? output).kind;
  }
  const facts = { exitCode, signal: null, timedOut: false, notFound: false, stdout: '', stderr: output };
  return (registryError(new CommandError(program, facts), 'copying') as FlightlineError).failure.kind;
}

test('every fault was recorded, at every place of both programs', () => {
  expect(new Set(recorded.map(({ fault }) => fault))).toEqual(new Set(Object.keys(KINDS)));
  expect(new Set(recorded.map(({ program, operation }) => `${program} ${operation}`)).size).toBe(5);
  const failed = recorded.filter(({ exitCode }) => exitCode !== 0);
  expect(failed.length).toBeGreaterThan(200);
});

test.each(
  recorded
    .filter(({ exitCode }) => exitCode !== 0)
    .map((one) => [`${one.program} ${one.operation}, ${one.place}: ${one.fault}`, one] as const),
)('%s', (_, one) => {
  expect(kindOf(one), one.output).toBe(KINDS[one.fault]);
});
