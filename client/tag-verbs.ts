/** The verbs about what tags point at: promote, approve, reject, rollback, history. */
import { Option } from 'commander';
import type { Handlers } from './handlers.ts';
import { withoutJson, type Act, type AddVerb, type JsonFlag } from './verb.ts';

/** Adds the verbs; `verb` makes one, `act` runs a handler. */
export function addTagVerbs(verb: AddVerb, act: Act, handlers: Handlers): void {
  for (const [name, summary] of [
    ['approve', 'let what waits for approval move its tags'],
    ['reject', 'end what waits for approval; no tag moves'],
  ] as const) {
    verb(
      name,
      summary,
      `${summary[0]!.toUpperCase()}${summary.slice(1)}: a release, or a promotion to REPOSITORY:TAG.`,
      `flightline ${name} quay.io/acme/edge-camera:v1 --comment "tested in the lab"`,
    )
      .argument('<release>', 'REPOSITORY:TAG, or the workflow id')
      .option('--comment <text>', 'why; kept in the record and history')
      .option('--json', 'print JSON')
      .action((release: string, options: JsonFlag & { comment?: string }) =>
        act(options, (output) => handlers[name](release, withoutJson(options), output)),
      );
  }

  verb(
    'promote',
    'give a release another name, without building',
    'Put the digests of a released name, image and disks, under another tag or repository: signed for it, verified, tagged last. ' +
      'Nothing is built, and within one registry nothing is transferred.',
    'flightline promote quay.io/acme/edge-camera:v1 --to stable',
    'flightline promote quay.io/acme/edge-camera:v1 --to quay.io/acme/production/edge-camera:v1 --approval required',
  )
    .argument('<source>', 'REPOSITORY:TAG, released by flightline')
    .requiredOption('--to <target>', 'TAG in the same repository, or REPOSITORY:TAG')
    .addOption(
      new Option('--approval <what>', 'wait for `flightline approve` before anything is signed').choices(['required']),
    )
    .option('--key <name>', 'sign with this key of the worker configuration; default is the one that signed the source')
    .option('--comment <text>', 'why; kept in the record and history')
    .option('--allow-older', 'move the tag although it points at what was made later')
    .option('--record-repository <repository>', "where the source's record is; default is REPOSITORY/release")
    .option('--detach', 'end once the promotion is started')
    .option('--json', 'print the promotion as JSON; progress goes to standard error')
    .action((source: string, options: PromoteFlags) =>
      act(options, (output) => handlers.promote(source, withoutJson(options), output)),
    );

  verb(
    'rollback',
    'move a shared tag back',
    'Move a tag back to the record before: image, record, and disks where they have the name. What it goes to is verified as a device would.',
    'flightline rollback quay.io/acme/edge-camera:stable --comment "v2 does not boot"',
  )
    .argument('<name>', 'REPOSITORY:TAG')
    .option('--to <record>', 'digest of an image or record, or tag of a record; default is the one before')
    .option('--comment <text>', 'why; kept in the history')
    .option('--record-repository <repository>', 'where the records are; default is REPOSITORY/release')
    .option('--json', 'print JSON')
    .action((name: string, options: RollbackFlags) =>
      act(options, (output) => handlers.rollback(name, withoutJson(options), output)),
    );

  verb(
    'history',
    'what a shared tag pointed at',
    'Show what a shared tag pointed at, since when, why, by which release or person; the newest first.',
    'flightline history quay.io/acme/edge-camera:stable --json',
  )
    .argument('<name>', 'REPOSITORY:TAG')
    .option('--record-repository <repository>', 'where the records are; default is REPOSITORY/release')
    .option('--json', 'print JSON, the oldest first')
    .action((name: string, options: JsonFlag & { recordRepository?: string }) =>
      act(options, (output) => handlers.history(name, withoutJson(options), output)),
    );
}

type PromoteFlags = JsonFlag & {
  to: string;
  approval?: 'required';
  key?: string;
  comment?: string;
  allowOlder?: boolean;
  recordRepository?: string;
  detach?: boolean;
};
type RollbackFlags = JsonFlag & { to?: string; comment?: string; recordRepository?: string };
