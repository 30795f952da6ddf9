/** The list of hosts. Pure. */
import type { ListedHost } from '../../model/contract/host-status.ts';
import { bytesInWords, clockInWords, elapsedInWords } from '../../model/base/words.ts';
import { formatTable } from './table.ts';
import { style } from './style.ts';

/** How it is shown. */
interface HostsStyle {
  colour: boolean;
  columns: number | undefined;
  /** Milliseconds since 1970. */
  now: number;
}

const TITLES = ['HOST', 'ROLES', 'STATE', 'BUILDS FOR', 'BUILD', 'DISK', 'TRANSFER', 'FREE', 'VERSION', 'LAST SEEN'];

/** A table with a row for each host, then what each does. */
export function renderHosts(hosts: readonly ListedHost[], { colour, columns, now }: HostsStyle): string[] {
  const paint = style(colour);
  if (hosts.length === 0) return ['no workers: start one with `flightline worker`, or a stack with `flightline up`'];
  const rows = hosts.map(({ host, roles, state, lastSeen, versions, status }) => [
    host,
    roles.join(', '),
    state === 'silent' ? paint.red(state) : state,
    ...(status
      ? [
          status.architectures.join(', '),
          ...[status.slots.build, status.slots.disk, status.slots.transfer].map(
            ({ used, limit }) => `${used}/${limit}`,
          ),
          `${bytesInWords(status.disk.free)} of ${bytesInWords(status.disk.total)}`,
        ]
      : ['', '', '', '', '']),
    versions.join(', '),
    lastSeen === null ? 'minutes ago' : seenText(now - Date.parse(lastSeen)),
  ]);
  const doing = hosts.flatMap((host) => doingLines(host).map((line) => `${host.host}: ${line}`));
  return [
    ...formatTable([TITLES.map((title) => paint.bold(title)), ...rows], '', columns),
    ...(doing.length > 0 ? ['', ...doing] : []),
  ];
}

function seenText(age: number): string {
  return age < 2_000 ? 'now' : `${elapsedInWords(age)} ago`;
}

/** What a host does, a line each. */
function doingLines({ roles, state, status }: Pick<ListedHost, 'roles' | 'state' | 'status'>): string[] {
  if (state === 'silent') {
    return roles.includes('build')
      ? ['does not answer: its build worker is not running, or the host is away']
      : [`does not ask for work: its ${roles.join(' and ')} worker is not running, or the machine is away`];
  }
  if (!status) return [];
  const named = (release: string) => release.replace(/^release\//, '');
  const { draining } = status;
  return [
    ...(draining ? [`is being drained${draining.comment === null ? '' : ` (${draining.comment})`}`] : []),
    ...status.running.map(({ stage, workflow, since }) => {
      return `${stage} of ${named(workflow)} since ${clockInWords(new Date(since))}`;
    }),
    ...status.leases.map(({ release, branch, slot }) =>
      slot === null
        ? `keeps files of ${branch} of ${named(release)}`
        : `has a ${slot} slot for ${branch} of ${named(release)}`,
    ),
    ...status.waiting.map(({ release, branch, slot }) => `${branch} of ${named(release)} waits for a ${slot} slot`),
    ...(status.containers === null
      ? ['podman did not answer in time']
      : status.containers.map((name) => `container ${name}`)),
  ];
}
