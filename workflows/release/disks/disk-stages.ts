/** The stages of a builder run that follow its build on the host: boot test, gates, publication. */
import { ApplicationFailure } from '@temporalio/common';
import type { DiskBuildResult, PublishResult } from '../../../model/contract/disk.ts';
import type { BuilderRunInput } from '../../../model/contract/workflows.ts';
import { failureOf } from '../../../model/failure/failure.ts';
import type { GateVerdict } from '../../../model/gate/gate.ts';
import type { RequestedDisk } from '../../../model/spec/request.ts';
import { diskSubject } from '../../../model/stage/stage.ts';
import { activities } from '../../activities.ts';
import type { ClaimedHost } from '../../host/claimed-host.ts';
import { runStage, type StageBoard } from '../../run-stage.ts';
import { passGates } from '../gates/pass-gates.ts';

/** Time (ms) that a boot test needs besides waiting: to end an earlier one, to try KVM, to end QEMU. */
const BOOT_TEST_MARGIN = 2 * 60_000;

/** Boots the disk of the boot test, if it is one of this run. */
export async function bootDisk(
  board: StageBoard,
  host: ClaimedHost,
  { bootTest: test, build, release, runId }: BuilderRunInput,
  built: DiskBuildResult,
): Promise<void> {
  if (!test) return;
  const { branch, platform, timing, architecture } = build;
  const subject = diskSubject(test.disk, platform);
  await runStage(board, { name: 'boot-test', subject }, host.name, () => {
    const { path, size } = fileOf(built, test.disk);
    const file = { path, size };
    const input = { release, runId, branch, platform, test, architecture, timing, file, inputs: built.inputs };
    return host.run((scheduleToStart) => {
      const startToClose = test.timeout + BOOT_TEST_MARGIN;
      const place = { host: host.name, work: 'disk', startToClose, scheduleToStart } as const;
      const worker = activities('stage', timing, `boot ${subject} on ${host.name}`, place);
      return worker.bootTest(input);
    });
  });
}

/** Lets the gates look at the file of each disk. @throws StageFailed `gate` */
export async function passDisks(
  board: StageBoard,
  host: ClaimedHost,
  { gates, waivers, disks, build, release, runId }: BuilderRunInput,
  built: DiskBuildResult,
  told: (verdicts: GateVerdict[]) => void,
): Promise<void> {
  if (!gates) return;
  const { branch, platform, timing, image } = build;
  const files = disks.map(({ type }) => {
    const { path, size } = fileOf(built, type);
    return { subject: diskSubject(type, platform), path, size };
  });
  const input = {
    release,
    runId,
    branch,
    ...(platform && { platform }),
    reference: `${image.repository}:${image.tag}`,
    gates,
    looksAt: { files },
    ...(waivers && { waivers }),
    timing,
  };
  await passGates(board, host, input, { work: 'disk', told });
}

/** Publishes a disk by digest. */
export function publishDisk(
  board: StageBoard,
  host: ClaimedHost,
  { release, runId, build, keepFiles }: BuilderRunInput,
  disk: RequestedDisk,
  built: DiskBuildResult,
): Promise<PublishResult> {
  const { branch, platform, timing, image, architecture } = build;
  const subject = diskSubject(disk.type, platform);
  return runStage(board, { name: 'publish', subject }, host.name, () => {
    const file = fileOf(built, disk.type);
    return host.run((scheduleToStart) => {
      const { transferStartToClose: startToClose } = timing;
      const place = { host: host.name, work: 'transfer', startToClose, scheduleToStart } as const;
      const worker = activities('stage', timing, `publish ${subject} from ${host.name}`, place);
      const input = { release, runId, branch, platform, disk, image, architecture, keepFiles, timing };
      return worker.publish({ ...input, file: { path: file.path, size: file.size }, inputs: built.inputs });
    });
  });
}

/** The file of a disk type. @throws ApplicationFailure `builder` when the builder made none. */
function fileOf(built: DiskBuildResult, type: string): DiskBuildResult['files'][number] {
  const file = built.files.find((one) => one.type === type);
  if (file) return file;
  const failure = failureOf('builder', `the builder made no file for ${type}`, { log: built.log });
  throw ApplicationFailure.nonRetryable(failure.message, failure.kind, failure);
}
