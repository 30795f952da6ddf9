/**
 * Set-up file of the projects with real tools: a test that fails prints what its releases ended with, and what the
 * workers logged.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, inject, type RunnerTask } from 'vitest';
import { sharedStack } from './shared-stack.ts';
import type { StackFacts } from './stack.ts';

/** Lines of each log. */
const LINES = 12;
const LINE_LENGTH = 400;
/** Members that are equal in all lines of a worker, or only say where in the SDK a line came from. */
const BORING =
  /^(?:roles|host|namespace|taskQueue|sdkComponent|isLocal|workflow(?:Id|Type)|runId|activity(?:Id|Type)|log)$/;

let fileBegan = 0;
let isTold = false;
beforeAll(() => {
  fileBegan = Date.now();
});
beforeEach(({ onTestFailed }) => {
  const began = Date.now();
  onTestFailed(() => tell(began));
});
// A hook failed, not a test.
// oxlint-disable-next-line no-empty-pattern -- vitest looks at the pattern for what a hook asks for
afterAll(async ({}, file) => {
  if (!isTold && hasFailed(file)) await tell(fileBegan);
});

function hasFailed(task: RunnerTask): boolean {
  return task.result?.state === 'fail' || ('tasks' in task && task.tasks.some(hasFailed));
}

async function tell(since: number): Promise<void> {
  isTold = true;
  // Loaded only now: most files need neither.
  const { runningStacks } = await import('./stack.ts');
  const shared = inject('stacks') === undefined ? [] : [sharedStack()];
  for (const stack of [...runningStacks(), ...shared]) {
    const texts = [await releasesOf(stack, since).catch(String), await logsOf(stack, since).catch(String)];
    console.error(texts.filter((text) => text !== '').join('\n'));
  }
}

/** The state of each release that was started since a moment (ms since 1970). */
async function releasesOf(stack: StackFacts, since: number): Promise<string> {
  const { openReleases } = await import('./releases.ts');
  const releases = await openReleases(stack);
  try {
    const texts: string[] = [];
    const query = `WorkflowType = 'release' AND StartTime >= '${new Date(since).toISOString()}'`;
    for await (const { workflowId, status } of releases.client.workflow.list({ query, pageSize: 10 })) {
      const release = workflowId.replace(/^release\//, '');
      const [record, waiting] = await Promise.all([
        releases.record(release).catch(String),
        releases.waitingFor(release).catch(() => []),
      ]);
      const known = typeof record === 'string' ? record : `${record.status} ${JSON.stringify(record.failure)}`;
      texts.push(`${release} (${status.name}): ${known}`, ...waiting.map((message) => `  waits: ${message}`));
    }
    return texts.join('\n');
  } finally {
    await releases.close();
  }
}

/** The last lines that each process of the stack logged since a moment (ms since 1970). */
async function logsOf(stack: StackFacts, since: number): Promise<string> {
  const logs = join(stack.directory, 'logs');
  const texts: string[] = [];
  for (const name of (await readdir(logs)).filter((file) => file.startsWith('worker-')).toSorted()) {
    const lines = (await readFile(join(logs, name), 'utf8')).trimEnd().split('\n');
    const recent = lines.filter((line) => !(timeOf(line) < since)).slice(-LINES);
    if (recent.length > 0) texts.push(`--- ${name}`, ...recent.map(inShort));
  }
  return texts.join('\n');
}

/** `TIME LEVEL MESSAGE {"stage":"build",…}` */
function inShort(line: string): string {
  if (Number.isNaN(timeOf(line))) return line.slice(0, LINE_LENGTH);
  const { time, level, message, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const told = Object.fromEntries(Object.entries(rest).filter(([name]) => !BORING.test(name)));
  return `${String(time)} ${String(level)} ${String(message)} ${JSON.stringify(told)}`.slice(0, LINE_LENGTH);
}

/** When a line of JSON was logged; what is no JSON counts as recent. */
function timeOf(line: string): number {
  return Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? '');
}
