/**
 * The `gate` activity: lets containers look at an image or at disks of this host, and tells what each said. A gate ends
 * with the activity, and the next attempt starts it over; what has passed is noted.
 */
import { mkdir, lstat, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { digestOf, sha256 } from '../../model/base/digest.ts';
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { GateInput } from '../../model/contract/build.ts';
import { FlightlineError, lastBytes } from '../../model/failure/failure.ts';
import { waiverOf, type GateOutcome, type PinnedGate } from '../../model/gate/gate.ts';
import { INSTALLATION_LABEL, RELEASE_LABEL } from '../../model/oci/labels.ts';
import { Digest } from '../../model/oci/reference.ts';
import { releaseKey } from '../../model/release/inputs.ts';
import { isOfImage, logName } from '../../model/stage/stage.ts';
import { ifMissing } from '../host/space.ts';
import { existingLog, stageLog, withLog } from '../host/logs/stage-log.ts';
import { hostForPlatform, type HostBody, type HostContext } from '../host/work-directory.ts';
import { pullForRelease } from '../image/bases/pulled-images.ts';
import { hashFile } from '../disk/file.ts';
import { readNote, writeNote } from '../tools/note.ts';
import { repositoryOf } from '../tools/podman/build.ts';
import { GATE_CONTAINERS_CONF, type GateView } from '../tools/podman/container/gate-container.ts';
import { builtImage } from '../tools/podman/images.ts';
import { podman } from '../tools/podman/podman.ts';
import { CappedLog } from '../tools/process/capped-log.ts';
import type { Task } from '../tools/process/task.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import { requireGates } from './require-gates.ts';
import { runGate } from './run-gate.ts';

/** Bytes (as JSON) of what all gates said, which the result and a failure have room for. */
const MAX_SAID = 2_500;

/** What was looked at and passed. */
const Passed = z.object({ key: Digest });
/** The digest of a disk, whose file is read once. */
const Hashed = z.object({ size: z.number(), modified: z.number(), digest: Digest });

/** One thing that gates look at. */
interface Thing {
  subject: string;
  digest: string;
  view: () => Promise<GateView>;
}

async function lookAt(whole: HostContext, input: GateInput, context: Task): Promise<ActivityAnswer<'gate'>> {
  const host = hostForPlatform(whole, input.platform);
  const log = await stageLog(host, input.release, logName('gate', input.branch));
  context.report({ host: host.name, ...(input.platform && { subject: input.branch }) });
  requireGates(host.configuration, input.gates, host.name);
  const directory = join(host.work.release(input.release), 'gates');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // What passed stays in the log when the others are asked again.
  const report = new CappedLog(log.path, 'a');
  const layout = join(directory, 'layout');
  try {
    await rm(layout, { recursive: true, force: true });
    await writeFile(join(directory, 'containers.conf'), GATE_CONTAINERS_CONF, { mode: 0o600 });
    const outcomes = await withLog(log, () => askAll(host, input, { context, directory, report }));
    return { host: host.name, log: await existingLog(log), outcomes };
  } finally {
    await rm(layout, { recursive: true, force: true });
    await report.close();
  }
}

/** What the gates of one attempt share. */
interface Attempt {
  readonly context: Task;
  /** Of notes, the layout and podman's configuration. */
  readonly directory: string;
  readonly report: CappedLog;
}

async function askAll(host: HostContext, input: GateInput, attempt: Attempt): Promise<GateOutcome[]> {
  const things = await thingsOf(host, input, attempt.directory);
  const outcomes: GateOutcome[] = [];
  for (const gate of input.gates) {
    for (const thing of things) {
      const said = await ask(host, input, attempt, gate, thing);
      outcomes.push({
        gate: gate.name,
        subject: thing.subject,
        digest: thing.digest,
        passed: said === null,
        said: said ?? '',
      });
    }
  }
  const refused = outcomes.filter(({ passed }) => !passed).length;
  return outcomes.map((one) => ({ ...one, said: lastBytes(one.said, Math.floor(MAX_SAID / Math.max(1, refused))) }));
}

/** Why the gate refuses; null when it passes the thing, now or in an earlier attempt. */
async function ask(
  host: HostContext,
  input: GateInput,
  { context, directory, report }: Attempt,
  gate: PinnedGate,
  { subject, digest, view }: Thing,
): Promise<string | null> {
  const { timeout, name, ...decides } = gate;
  const key = digestOf({ ...decides, looksAt: digest });
  const id = sha256(`${input.branch} ${name} ${subject}`).slice(0, 8);
  const note = join(directory, `${id}.json`);
  const about = `gate ${name} on ${subject} ${digest}`;
  if ((await readNote(note, Passed))?.key === key) return null;
  if (waiverOf({ gate: name, digest }, input.waivers ?? [])) return 'it is waived';
  context.report({ step: `gate ${name} on ${subject}` });
  const { work, configuration } = host;
  const repository = repositoryOf(gate.image);
  const image = await withRegistryAccess(configuration, [repository], (access) =>
    pullForRelease(work, input.release, access, { repository, digest: gate.digest }, input.timing),
  );
  report.write(`-- ${about} --`);
  const container = {
    name: `flightline-gate-${releaseKey(input.release)}-${id}`,
    labels: { [INSTALLATION_LABEL]: work.installation, [RELEASE_LABEL]: input.release },
    image: image.id,
    arguments: gate.arguments,
    network: gate.network === true,
    view: await view(),
    environment: { FLIGHTLINE_GATE: name, FLIGHTLINE_RELEASE: input.reference, FLIGHTLINE_SUBJECT: subject },
    timeout,
  };
  const said = await runGate(container, join(directory, 'containers.conf'), report);
  report.write(`-- ${about} ${said === null ? 'passed' : `refused: ${said.split('\n')[0]}`} --`);
  if (said === null) await writeNote(note, Passed, { key });
  return said;
}

async function thingsOf(host: HostContext, { looksAt, branch }: GateInput, directory: string): Promise<Thing[]> {
  if ('files' in looksAt) {
    return Promise.all(
      looksAt.files.map(async ({ subject, path, size }) => {
        const digest = await digestOfDisk(path, size, join(directory, `${subject}.sha256.json`));
        return { subject, digest, view: () => Promise.resolve({ disk: path }) };
      }),
    );
  }
  const { imageId } = looksAt;
  await builtImage(host.name, imageId);
  const layout = join(directory, 'layout');
  let saved: Promise<unknown> | undefined;
  const view = async () => {
    await (saved ??= saveLayout(imageId, layout));
    return { layout, imageId };
  };
  return [{ subject: isOfImage(branch) ? branch : 'image', digest: `sha256:${imageId}`, view }];
}

/** Layers stay as they lie in the storage: to compress them would take longer than most gates. */
async function saveLayout(imageId: string, layout: string): Promise<void> {
  const args = ['save', '--quiet', '--format=oci-dir', '--uncompressed', `--output=${layout}`, imageId];
  await podman('laying out the image for gates', args, { timeout: 60 * 60_000 });
}

async function digestOfDisk(path: string, size: number, note: string): Promise<string> {
  const facts = await lstat(path).catch(ifMissing(undefined));
  if (!facts?.isFile() || facts.size !== size) {
    throw new FlightlineError('disk-vanished', `${path} is gone, or no longer as it was built`);
  }
  const noted = await readNote(note, Hashed);
  if (noted?.size === size && noted.modified === facts.mtimeMs) return noted.digest;
  const digest = `sha256:${(await hashFile(path)).sha256}`;
  await writeNote(note, Hashed, { size, modified: facts.mtimeMs, digest });
  return digest;
}

export default lookAt satisfies HostBody<'gate'>;
