/** Drives one release of a soak from its start to the requested end. */
import { setTimeout as pause } from 'node:timers/promises';
import { EXIT } from '../../client/terminal/exit-codes.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { isFinal } from '../../model/stage/stage.ts';
import { runFlightline } from '../../test/support/flightline.ts';
import { makeProject, type Project } from '../../test/support/project.ts';
import type { Site } from './site.ts';
import type { Tally } from './tally.ts';
import type { Wish } from './wish.ts';

/** A driven release. `record` is the last one seen: final, or held where that was asked for. */
export interface Driven {
  project: Project;
  wish: Wish;
  record: ReleaseRecord;
}

/** A person gives up after so many holds that nobody asked for. */
const MAX_HOLDS = 6;
/** Milliseconds between two reads of a release. */
const LOOK = 1_000;

/** Starts a release and does what a person would, until it has ended or is held as asked. */
export async function drive(site: Site, name: string, wish: Wish, tally: Tally): Promise<Driven> {
  const { environment, releases, stack } = site;
  const broken = wish.kind === 'fixed' || wish.kind === 'held';
  const label = `LABEL io.flightline.example.builder-seconds=${wish.seconds}`;
  const base = `FROM ${stack.registry}/flightline/debian-base:trixie`;
  const sound = [base, label, `RUN echo ${name} > /etc/soak`, ''].join('\n');
  const project = await makeProject({
    registry: stack.registry,
    name: `soak/${name}`,
    containerfile: broken ? `${base}\n${label}\nRUN echo ${name}; false\n` : sound,
    disks: wish.disks.map((type) => ({ type })),
    spec: wish.kind === 'approved' ? { approval: 'required' } : {},
  });
  if (broken) tally.add('broken Containerfile');
  const command = (...args: string[]) => runFlightline(args, { environment, timeout: 120_000 });
  // Temporal, a control worker or the registry may be away just now; a person would try again.
  for (let tries = 1; ; tries++) {
    const { exitCode, stderr } = await command('run', project.spec, '--detach');
    if (exitCode === EXIT.ok || (await releases.isOpen(project.release))) break;
    if (tries === 10) throw new Error(`${project.release} could not be started: ${stderr}`);
    await pause(2_000);
  }
  const began = Date.now();
  let asked = false;
  let meddling = wish.meddling;
  let holds = 0;
  for (;;) {
    await pause(LOOK);
    if (wish.kind === 'cancelled' && !asked && Date.now() >= began + wish.cancelAfter) {
      await releases.cancel(project.release);
      tally.add('cancel');
      asked = true;
    }
    if (meddling && Date.now() >= began + meddling.after) {
      const [word, spec] = meddling.word.split(' ') as [string, string?];
      await command(
        word,
        project.release,
        ...(word === 'retry' ? ['--detach'] : []),
        ...(spec ? [spec, project.spec] : []),
      );
      tally.add(`${meddling.word} at any moment`);
      meddling = null;
    }
    // Nobody answers while the control worker is away.
    const record = await releases.record(project.release).catch(() => undefined);
    if (!record) continue;
    if (isFinal(record.status) && !(await releases.isOpen(project.release))) return { project, wish, record };
    if (record.status !== 'held' || asked) continue;
    if (record.failure?.kind === 'approval-needed') {
      await command('approve', project.release);
      tally.add('approve');
      continue;
    }
    const asExpected = record.failure?.kind === 'containerfile';
    if (wish.kind === 'held' && asExpected) return { project, wish, record };
    if (!asExpected) {
      tally.add(`(a hold that nobody asked for: ${record.failure?.kind})`);
      holds += 1;
      if (holds > MAX_HOLDS) return { project, wish, record };
    }
    if (asExpected) await project.write('Containerfile', sound);
    await command('retry', project.release, '--detach', ...(asExpected ? ['--spec', project.spec] : []));
  }
}
