/** `flightline drain`: this machine's build host makes no new promises, and empties. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beginDrain, endDrain, type Draining } from '../../activities/host/drain.ts';
import { isVoid, type Lease } from '../../activities/host/lease-decision.ts';
import { readLeaseFiles } from '../../activities/host/leases.ts';
import { openWorkDirectory } from '../../activities/host/work-directory.ts';
import { chooseHostName, loadWorkerConfiguration } from '../../workers/configuration.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { pause } from '../terminal/pause.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'machine',
  summary: 'let this build host empty itself',
  description:
    'Let the build host of this machine promise no more slots. What runs goes on to its ' +
    'end; what would come next is done on other hosts, or waits for one.',
  examples: ['flightline drain --comment "new kernel" --wait', 'flightline drain --undo'],
  json: 'print JSON',

  syntax: (command) =>
    command
      .option('--undo', 'take claims again')
      .option('--wait', 'wait until no release needs this host any more')
      .option('--comment <text>', 'why; whoever waits for this host reads it')
      .option('--config <file>', 'the worker configuration; default is /etc/flightline/worker.yaml'),

  run: (args, options, output) => drain(args, options, output),
});

interface DrainOptions {
  /** Takes claims again. */
  undo?: boolean | undefined;
  /** Returns only when no release needs the host any more. */
  wait?: boolean | undefined;
  /** Why, for whoever waits for the host. */
  comment?: string | undefined;
  /** The worker configuration's file. */
  config?: string | undefined;
}

/** Milliseconds between two looks at the leases. */
const POLL = 1_000;

/** Begins or ends the drain of the host whose work directory the worker configuration names. */
async function drain(_: [], options: DrainOptions, output: Output): Promise<number> {
  const { configuration } = await loadWorkerConfiguration(options.config);
  const name = chooseHostName(undefined, configuration);
  const path = configuration.directories.work;
  if (!existsSync(join(path, 'installation'))) {
    throw new UserError(
      'no-build-host',
      `${path} is no work directory of a build worker`,
      "run this on the build host, and name its worker's configuration with --config",
    );
  }
  const work = await openWorkDirectory(path);
  const remaining = async () => {
    const { leases } = await readLeaseFiles({ name, work, configuration });
    return leases.filter((lease) => !isVoid(lease, new Date()));
  };
  if (options.undo) {
    const was = await endDrain(work);
    output.result(was ? `${name} takes claims again` : `${name} was not being drained`);
    output.document({ host: name, draining: null, leases: (await remaining()).map(leaseDocument) });
    return EXIT.ok;
  }
  const draining = await beginDrain(work, options.comment ?? null);
  let leases = await remaining();
  let said = '';
  for (;;) {
    const lines = drainLines(name, draining, leases);
    if (lines.join('\n') !== said) output.result(lines.join('\n'));
    said = lines.join('\n');
    if (!options.wait || leases.length === 0) break;
    await pause(POLL);
    leases = await remaining();
  }
  output.document({ host: name, draining, leases: leases.map(leaseDocument) });
  return EXIT.ok;
}

/** What is printed: that the host is being drained, and what still needs it. */
function drainLines(host: string, draining: Draining, leases: readonly Lease[]): string[] {
  const why = draining.comment === null ? '' : ` (${draining.comment})`;
  if (leases.length === 0) return [`${host} is being drained${why}, and no release needs it: stop its worker`];
  return [
    `${host} is being drained${why}; ${leases.length === 1 ? 'this needs it still' : 'these need it still'}:`,
    ...leases.map((lease) => `  ${lease.release} ${lease.branch}: ${leaseWords(lease)}`),
  ];
}

function leaseWords({ slot }: Lease): string {
  if (slot === 'build') return 'its image is being built';
  if (slot === 'disk') return 'its disks are being built';
  return 'its files are here until it ends';
}

function leaseDocument({ release, branch, slot }: Lease): object {
  return { release, branch, slot };
}
