import { CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import type { Handlers } from '../../client/handlers.ts';
import { createProgram } from '../../client/program.ts';

/** What a command line asks for: the verb's name and what it was given, without the output. */
async function parse(...args: string[]): Promise<{ verb: string; given: unknown[]; json: boolean; code: number }> {
  let called: { verb: string; given: unknown[]; json: boolean } | undefined;
  let code = -1;
  const handlers = new Proxy({} as Handlers, {
    get:
      (_, verb) =>
      async (...given: unknown[]) => {
        const { json } = given.pop() as { json: boolean };
        called = { verb: String(verb), given, json };
        return 7;
      },
  });
  const program = createProgram((answered) => (code = answered), handlers);
  program.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  for (const command of program.commands) {
    command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  }
  await program.parseAsync(args, { from: 'user' });
  return { ...called!, code };
}

const R = 'quay.io/acme/edge-camera:v1';

test.each<[string[], string, unknown[], boolean]>([
  [['run'], 'run', ['flightline.yaml', {}], false],
  [['run', 'x.yaml', '--tag', 'v2', '--detach', '--json'], 'run', ['x.yaml', { tag: 'v2', detach: true }], true],
  [
    ['run', '--on-failure', 'fail', '--keep-files', '/d'],
    'run',
    ['flightline.yaml', { onFailure: 'fail', keepFiles: '/d' }],
    false,
  ],
  [['run', '--dry-run', '--json'], 'run', ['flightline.yaml', { dryRun: true }], true],
  [['run', '--public-context'], 'run', ['flightline.yaml', { publicContext: true }], false],
  [['list'], 'list', [{ limit: 20 }], false],
  [['list', '--limit', '5', '--json'], 'list', [{ limit: 5 }], true],
  [['status', R, '--json'], 'status', [R], true],
  [['watch', R], 'watch', [R], false],
  [['cancel', R], 'cancel', [R], false],
  [['retry', R, '--spec', 'f.yaml'], 'retry', [R, { spec: 'f.yaml' }], false],
  [['retry', R, '--detach', '--json'], 'retry', [R, { detach: true }], true],
  [['logs', R, '--stage', 'build'], 'logs', [R, { stage: 'build' }], false],
  [['keygen', '--output-prefix', 'p'], 'keygen', [{ outputPrefix: 'p' }], false],
  [['verify', R, '--key', 'k.pub'], 'verify', [R, { key: 'k.pub' }], false],
  [['doctor'], 'doctor', [{}], false],
  [['doctor', '--role', 'build', '--fix', '--json'], 'doctor', [{ role: ['build'], fix: true }], true],
  [['up'], 'up', [{ data: '.flightline/stack', examples: true }], false],
  [['up', '--no-examples'], 'up', [{ data: '.flightline/stack', examples: false }], false],
  [
    ['up', '--registry', 'quay.io/acme', '--data', 'd'],
    'up',
    [{ registry: 'quay.io/acme', data: 'd', examples: true }],
    false,
  ],
  [['worker'], 'worker', [{ role: ['control', 'build', 'sign'] }], false],
  [
    ['worker', '--role', 'sign,control', '--host-name', 'h', '--config', 'c'],
    'worker',
    [{ role: ['control', 'sign'], hostName: 'h', config: 'c' }],
    false,
  ],
])('flightline %j', async (args, verb, given, json) => {
  expect(await parse(...args)).toEqual({ verb, given, json, code: 7 });
});

describe('usage errors', () => {
  test.each([
    [['nonsense']],
    [['run', '--nonsense']],
    [['run', 'a', 'b']],
    [['run', '--on-failure', 'ignore']],
    [['list', '--limit', '0']],
    [['list', '--limit', 'x']],
    [['status']],
    [['keygen']],
    [['verify', R]],
    [['worker', '--role', 'build,cook']],
  ])('%j', async (args) => {
    await expect(parse(...args)).rejects.toBeInstanceOf(CommanderError);
  });
});

test('every verb has help with an example', () => {
  for (const command of createProgram(() => undefined).commands) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    expect(help, command.name()).toMatch(/Examples?:\n {2}\$ flightline /);
  }
});
