/** `flightline drain`: this machine's build host makes no new promises, and empties. */
import type { Command } from '@commander-js/extra-typings';
import { openBuildHost, type HostLease } from '../../workers/host/build-host.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { pause } from '../terminal/pause.ts';
import { verb, type OptionsOf } from '../verb.ts';

const syntax = (command: Command) =>
  command
    .option('--undo', 'take claims again')
    .option('--wait', 'wait until no release needs this host any more')
    .option('--comment <text>', 'why; whoever waits for this host reads it')
    .option('--config <file>', 'the worker configuration; default is /etc/flightline/worker.yaml');

type DrainOptions = OptionsOf<typeof syntax>;

export default verb({
  group: 'machine',
  summary: 'let this build host empty itself',
  description:
    'Let the build host of this machine promise no more slots. What runs goes on to its ' +
    'end; what would come next is done on other hosts, or waits for one.',
  examples: ['flightline drain --comment "new kernel" --wait', 'flightline drain --undo'],
  json: { help: 'print JSON', schemas: ['drain'] },

  syntax,

  run: (args, options, output) => drain(args, options, output),
});

/** Milliseconds between two looks at the leases. */
const POLL = 1_000;

/** Begins or ends the drain of the host whose work directory the worker configuration names. */
async function drain(_: [], options: DrainOptions, output: Output): Promise<number> {
  const host = await openBuildHost(options.config);
  if (host.name === null) {
    throw new UserError(
      'no-build-host',
      `${host.path} is not the work directory of a build worker`,
      "run this on the build host, and name its worker's configuration with --config",
    );
  }
  if (options.undo) {
    const was = await host.undrain();
    output.result(was ? `${host.name} takes claims again` : `${host.name} was not being drained`);
    output.document({ host: host.name, draining: null, leases: await host.leases() });
    return EXIT.ok;
  }
  const draining = await host.drain(options.comment ?? null);
  let leases = await host.leases();
  let said = '';
  for (;;) {
    const text = drainLines(host.name, draining.comment, leases).join('\n');
    if (text !== said) output.result(text);
    said = text;
    if (!options.wait || leases.length === 0) break;
    await pause(POLL);
    leases = await host.leases();
  }
  output.document({ host: host.name, draining, leases });
  return EXIT.ok;
}

/** What is printed: that the host is being drained, and what still needs it. */
function drainLines(host: string, comment: string | null, leases: readonly HostLease[]): string[] {
  const why = comment === null ? '' : ` (${comment})`;
  if (leases.length === 0) return [`${host} is being drained${why}, and no release needs it: stop its worker`];
  return [
    `${host} is being drained${why}; ${leases.length === 1 ? 'this needs it still' : 'these need it still'}:`,
    ...leases.map((lease) => `  ${lease.release} ${lease.branch}: ${leaseWords(lease)}`),
  ];
}

function leaseWords({ slot }: HostLease): string {
  if (slot === 'build') return 'its image is being built';
  if (slot === 'disk') return 'its disks are being built';
  return 'its files are here until it ends';
}
