/**
 * The `boot-test` activity: boots a disk in QEMU until the expected line appears on the serial console. The machine has
 * no network, and does not change the file. It ends with the activity, and the next attempt starts over.
 */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { copyFile, lstat, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { BootTestInput, BootTestResult } from '../../model/contract/disk.ts';
import { formatDuration } from '../../model/base/duration.ts';
import { FlightlineError, lastBytes } from '../../model/failure/failure.ts';
import { diskSubject, logName } from '../../model/stage/stage.ts';
import { BootConsole } from './boot-console.ts';
import { ifMissing } from '../host/space.ts';
import { requireDisksFor } from '../host/claim.ts';
import { withLease } from '../host/leased.ts';
import type { Task } from '../tools/process/task.ts';
import { existingLog, stageLog, withLog } from '../host/logs/stage-log.ts';
import { CappedLog } from '../tools/process/capped-log.ts';
import { readNote, writeNote } from '../tools/note.ts';
import { CommandError, lastLines, runCommand } from '../tools/process/command.ts';
import {
  accelerators,
  endMachine,
  findQemu,
  machineName,
  qemuArguments,
  type Accelerator,
  type QemuCommand,
} from '../tools/qemu.ts';
import { foreignTo, hostForPlatform, type HostBody, type HostContext } from '../host/work-directory.ts';

/** Milliseconds between two reads of the console. */
const LOOK = 500;
/**
 * Under KVM a guest that prints nothing for this long (ms) counts as stopped, since nested KVM may stop at the first
 * instruction that it does not know. Emulation then gets the whole time again.
 */
const KVM_SILENCE = 10_000;
/** Set when emulation has booted what KVM could not. From then on this worker's tests begin under emulation. */
let kvmStops = false;
/** Console lines in the failure, and their bytes, which must leave room for the message. */
const MESSAGE_LINES = 30;
const MESSAGE_BYTES = 2_400;
/** Most bytes of a console, so that a guest that restarts its getty for ever does not fill the disk. */
const MAX_CONSOLE = 64 * 1024 * 1024;

/** A passed test, noted for a later attempt. */
const Passed = z.object({
  inputs: z.string(),
  expect: z.string(),
  size: z.number(),
  modified: z.number(),
  accelerator: z.enum(['kvm', 'tcg']),
  after: z.number().int().nonnegative(),
});
type Passed = z.infer<typeof Passed>;

async function testBoot(whole: HostContext, input: BootTestInput, context: Task): Promise<ActivityAnswer<'bootTest'>> {
  const host = hostForPlatform(whole, input.platform);
  return withLease(host, input, context, async () => {
    const log = await stageLog(host, input.release, logName('boot-test', diskSubject(input.test.disk, input.platform)));
    context.report({ host: host.name });
    const result = await withLog(log, () => bootTest(host, input, context, log.path));
    return { host: host.name, log: await existingLog(log), ...result };
  });
}

async function bootTest(
  host: HostContext,
  input: BootTestInput,
  context: Task,
  logFile: string,
): Promise<Pick<BootTestResult, 'accelerator' | 'after' | 'adopted'>> {
  const { test, file, inputs } = input;
  requireDisksFor(host, input.architecture);
  const facts = await lstat(file.path).catch(ifMissing(undefined));
  if (!facts?.isFile() || facts.size !== file.size) {
    throw new FlightlineError('disk-vanished', `${file.path} is gone, or no longer as it was built`);
  }
  const name = machineName(host.work.installation, input.release, input.platform);
  // An earlier attempt, whose worker is gone, may have left one.
  await endMachine(name);
  const directory = join(host.work.release(input.release), `boot-test-${test.disk}`);
  const note = { inputs, expect: test.expect, size: facts.size, modified: facts.mtimeMs };
  const noted = await readNote(`${directory}.json`, Passed);
  if (noted && Object.entries(note).every(([key, value]) => noted[key as keyof Passed] === value)) {
    return { accelerator: noted.accelerator, after: noted.after, adopted: true };
  }
  const { program, firmware } = await findQemu(input.architecture);
  const log = new CappedLog(logFile, 'w');
  try {
    const { architecture } = input;
    const isNative = foreignTo(host, architecture) === null;
    const command = { architecture, name, firmware, type: test.disk, disk: file.path };
    const passed = await boot(program, command, { test, directory, log, context, isNative });
    await writeNote(`${directory}.json`, Passed, { ...note, ...passed });
    return { ...passed, adopted: false };
  } finally {
    await log.close();
    await endMachine(name);
    await rm(directory, { recursive: true, force: true });
  }
}

/** What the machines of one test share. */
interface Test {
  readonly test: BootTestInput['test'];
  /** Only for this test, and emptied for each machine. */
  readonly directory: string;
  readonly log: CappedLog;
  readonly context: Task;
  /** The disk is for the host's architecture: KVM runs no other. */
  readonly isNative: boolean;
}

type Machine = Omit<QemuCommand, 'accelerator' | 'variables' | 'console'>;
/** How a boot ended. `seen`: the expected text appeared. */
type End = { kind: 'seen'; after: number } | { kind: 'silent' | 'late' | 'flood' } | { kind: 'ended'; said: string };

async function boot(
  program: string,
  machine: Machine,
  test: Test,
): Promise<{ accelerator: Accelerator; after: number }> {
  const [first, ...others] = (await accelerators()).filter((one) => one !== 'kvm' || (!kvmStops && test.isNative));
  let accelerator = first!;
  let end = await run(program, machine, accelerator, test);
  for (const next of others) {
    if (end.kind !== 'silent' && end.kind !== 'ended') break;
    test.log.write(`-- ${describe(end)} under ${nameOf(accelerator)}: another try under ${nameOf(next)} --`);
    accelerator = next;
    end = await run(program, machine, accelerator, test);
  }
  if (end.kind === 'seen') {
    kvmStops ||= accelerator !== first;
    return { accelerator, after: end.after };
  }
  if (end.kind === 'ended' && end.said !== '') throw qemuError(end.said);
  const { disk, expect, timeout } = test.test;
  const why = end.kind === 'late' ? `within ${formatDuration(timeout)}` : `before ${describe(end)}`;
  const lines = test.log.tail(200).filter((line) => line.trim() !== '');
  const said = lines.slice(-MESSAGE_LINES).join('\n');
  throw new FlightlineError(
    'boot-test',
    `"${expect}" did not appear on the serial console of the ${disk} disk ${why} (${nameOf(accelerator)}); ` +
      (said === ''
        ? 'nothing was printed there: the image needs a kernel argument such as console=ttyS0'
        : `the console's end:\n${lastBytes(said, MESSAGE_BYTES)}`),
  );
}

function nameOf(accelerator: Accelerator): string {
  return accelerator === 'kvm' ? 'KVM' : 'emulation';
}

function describe(end: End): string {
  switch (end.kind) {
    case 'silent':
      return 'the machine stopped printing';
    case 'ended':
      return end.said === '' ? 'the machine switched itself off or started again' : `QEMU ended: ${end.said}`;
    case 'flood':
      return 'the console printed too much';
    case 'late':
    case 'seen':
      return 'the time was up';
  }
}

/** QEMU itself failed, not the image. */
function qemuError(said: string): FlightlineError {
  const kind = /cannot allocate memory/i.test(said) ? 'out-of-memory' : 'host-setup';
  return new FlightlineError(kind, `QEMU could not run the disk: ${said}`);
}

/** Runs one machine from start to end. */
async function run(program: string, machine: Machine, accelerator: Accelerator, test: Test): Promise<End> {
  const { directory, context, log } = test;
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const variables = join(directory, 'variables');
  await copyFile(machine.firmware.variables, variables);
  const path = join(directory, 'console');
  const args = qemuArguments({ ...machine, accelerator, variables, console: path });
  context.report({ step: `booting under ${nameOf(accelerator)}` });
  const over = new AbortController();
  const machineEnd = runCommand(program, args, { environment: { TMPDIR: directory }, end: over.signal }).then(
    ({ stderr }) => {
      // QEMU answers SIGTERM with an orderly end.
      const signal = /terminating on signal \d+/.exec(stderr)?.[0];
      if (signal && !over.signal.aborted) throw new FlightlineError('worker-restarted', `QEMU was ended: ${signal}`);
      return { kind: 'ended', said: '' } as const;
    },
    (error: unknown) => {
      if (!(error instanceof CommandError)) throw error;
      if (error.signal === 'SIGKILL') {
        throw new FlightlineError('worker-restarted', 'QEMU was killed from outside, as when memory runs out');
      }
      return { kind: 'ended', said: lastLines(error.stderr, 5) || error.message } as const;
    },
  );
  const watching = watch(new BootConsole(path, log), accelerator, test, over.signal);
  try {
    const end = await Promise.race([machineEnd, watching]);
    if (end.kind !== 'ended') return end;
    // Its last output may show that it booted before it ended.
    over.abort();
    const seen = await watching;
    return seen.kind === 'seen' ? seen : end;
  } finally {
    over.abort();
    await Promise.allSettled([machineEnd, watching]);
  }
}

/** Reads the console until the text appears, the time is up, or the machine has ended (`over`). */
async function watch(
  console: BootConsole,
  accelerator: Accelerator,
  { test, context }: Test,
  over: AbortSignal,
): Promise<Exclude<End, { kind: 'ended' }>> {
  const begun = Date.now();
  let size = -1;
  let quiet = 0;
  try {
    for (;;) {
      const last = over.aborted;
      await console.read();
      if (console.has(test.expect)) return { kind: 'seen', after: Date.now() - begun };
      context.report({ line: console.lastLine });
      if (last || Date.now() - begun >= test.timeout) return { kind: 'late' };
      if (console.size > MAX_CONSOLE) return { kind: 'flood' };
      quiet = console.size === size ? quiet + LOOK : 0;
      size = console.size;
      if (accelerator === 'kvm' && quiet >= KVM_SILENCE) return { kind: 'silent' };
      await sleep(LOOK, undefined, { signal: AbortSignal.any([over, context.signal]) }).catch(() => undefined);
      context.throwIfCancelled();
    }
  } finally {
    console.end();
  }
}

export default testBoot satisfies HostBody<'bootTest'>;
