/** Schedules for tests: sets them with short periods, reads their runs, and what these asked of the registry. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NightlyResult } from '../../model/release/nightly.ts';
import { podman } from './host-state.ts';
import { runFlightline } from './flightline.ts';
import { withClient, type StackFacts } from './stack.ts';
import { eventually } from './wait.ts';

/** One run of a schedule, ended. */
export interface EndedRun extends NightlyResult {
  id: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  endedAt: number;
}

/** The runs of a repository's schedule that have ended, the oldest first. */
export async function endedRuns(stack: StackFacts, repository: string): Promise<EndedRun[]> {
  return withClient(stack, async (client) => {
    const runs: EndedRun[] = [];
    const query = `WorkflowType = 'nightly' AND ExecutionStatus = 'Completed'`;
    for await (const { workflowId, runId, startTime, closeTime } of client.workflow.list({ query })) {
      if (!workflowId.startsWith(`nightly/${repository}-`)) continue;
      const result = (await client.workflow.getHandle(workflowId, runId).result()) as NightlyResult;
      runs.push({ ...result, id: workflowId, startedAt: startTime.getTime(), endedAt: closeTime!.getTime() });
    }
    return runs.sort((left, right) => left.startedAt - right.startedAt);
  });
}

/** Waits for a run after a moment (ms since 1970), and for those before it to have ended. */
export async function runAfter(stack: StackFacts, repository: string, moment: number): Promise<EndedRun> {
  return eventually(
    'a run of the schedule ends',
    async () => (await endedRuns(stack, repository)).find(({ startedAt }) => startedAt >= moment),
    { interval: 500 },
  );
}

/** Runs a verb of `flightline schedule` with `--json`, which must succeed. */
export async function schedule(stack: StackFacts, ...args: string[]): Promise<Record<string, never>> {
  const outcome = await runFlightline(['schedule', ...args, '--json'], { environment: stack.environment });
  if (outcome.exitCode !== 0) throw new Error(`schedule ${args.join(' ')}: ${outcome.stderr}${outcome.stdout}`);
  return JSON.parse(outcome.stdout) as Record<string, never>;
}

/** Pushes an image with one more file than another one has; a new one each time. */
export async function pushVariant(stack: StackFacts, from: string, reference: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-variant-'));
  try {
    await writeFile(join(directory, 'variant'), `${process.hrtime.bigint()}\n`);
    await writeFile(join(directory, 'Containerfile'), `FROM ${from}\nCOPY variant /usr/share/variant\n`);
    await podman(stack, ['build', '--quiet', '--layers=false', '--pull=never', '--tag', reference, directory]);
    await podman(stack, ['push', '--quiet', '--tls-verify=false', reference]);
    await podman(stack, ['rmi', '--force', reference]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** One request in the registry's access log. */
export interface RegistryRequest {
  /** Milliseconds since 1970; the log has whole seconds. */
  at: number;
  method: string;
  path: string;
}

const LINE = /\[(\d+)\/(\w{3})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})\] "([A-Z]+) (\S+) HTTP/;

/** What was asked of repositories whose path begins so, from one moment to another (ms since 1970). */
export async function requestsOf(
  stack: StackFacts,
  path: string,
  from: number,
  to: number,
): Promise<RegistryRequest[]> {
  const lines = (await readFile(stack.registryLog, 'utf8')).split('\n');
  return lines
    .flatMap((line): RegistryRequest[] => {
      const found = LINE.exec(line);
      if (!found) return [];
      const [, day, month, year, time, zone, method, asked] = found;
      return [{ at: Date.parse(`${day} ${month} ${year} ${time} ${zone}`), method: method!, path: asked! }];
    })
    .filter(({ at, path: asked }) => at >= from - 1_000 && at <= to && asked.startsWith(`/v2/${path}`));
}
