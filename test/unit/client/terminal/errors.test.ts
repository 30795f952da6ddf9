import { describe, expect, test } from 'vitest';
import { FlightlineError } from '../../../../model/failure/failure.ts';
import { RELEASE_STATUSES } from '../../../../model/stage/stage.ts';
import { errorText, explain, isUnavailable, isWorkerAway, UserError } from '../../../../client/terminal/errors.ts';
import { exitCodeOf } from '../../../../client/terminal/exit-codes.ts';
import { Interrupted } from '../../../../client/terminal/pause.ts';

test('exit codes of the statuses', () => {
  expect(Object.fromEntries(RELEASE_STATUSES.map((status) => [status, exitCodeOf(status)]))).toEqual({
    running: 0,
    released: 0,
    unchanged: 0,
    failed: 1,
    held: 4,
    cancelled: 5,
  });
});

function grpc(code: number, details: string): Error {
  return new Error('request failed', { cause: Object.assign(new Error(`${code} X: ${details}`), { code, details }) });
}

describe('explain', () => {
  test.each([
    ['a user error', new UserError('kind', 'message', 'remedy', 6), 'kind', 6],
    ['Ctrl-C', new Interrupted('detached'), 'interrupted', 130],
    ['a wrong spec, found below', new FlightlineError('invalid-input', 'bad'), 'invalid-input', 2],
    ['a wrong context', new FlightlineError('context-invalid', 'bad'), 'context-invalid', 2],
    ['another failure', new FlightlineError('registry-login', 'denied'), 'registry-login', 1],
    ['no server', grpc(14, 'no connection'), 'no-temporal', 3],
    ['a deadline', grpc(4, 'Deadline exceeded'), 'no-temporal', 3],
    ['a refusal', grpc(7, 'permission denied'), 'no-temporal', 3],
    ['a wrong request', grpc(3, 'invalid'), 'unexpected', 1],
    ['no text at all', 'thrown text', 'unexpected', 1],
  ])('%s', (_, error, kind, exitCode) => {
    const explained = explain(error);
    expect([explained.explanation.kind, explained.exitCode]).toEqual([kind, exitCode]);
    expect(explained.explanation.message).not.toBe('');
    expect(explained.stack === undefined).toBe(
      kind !== 'unexpected' || error === 'thrown text' ? kind !== 'unexpected' : false,
    );
  });

  test('errors of workers/ about Temporal are known by name', () => {
    const error = Object.assign(new Error('nothing answers'), { name: 'TemporalUnreachableError', remedy: 'start it' });
    expect(explain(error)).toEqual({
      explanation: { kind: 'no-temporal', message: 'nothing answers', remedy: 'start it' },
      exitCode: 3,
      stack: undefined,
    });
  });

  test('an error of the system names no trace', () => {
    const error = Object.assign(new Error("EACCES: permission denied, mkdir '/x'"), {
      code: 'EACCES',
      syscall: 'mkdir',
    });
    expect(explain(error)).toMatchObject({ exitCode: 1, stack: undefined, explanation: { kind: 'system' } });
  });
});

test('the text of an error', () => {
  expect(errorText(explain(new UserError('kind', 'it failed', 'do this')))).toBe('error: it failed\n  do this');
  expect(errorText(explain(new UserError('kind', 'it failed', '')))).toBe('error: it failed');
  expect(errorText(explain(new Interrupted('detached', 'watch it')))).toBe('detached\n  watch it');
  expect(errorText(explain(new Error('bug')))).toMatch(/^Error: bug\n {4}at .*error: bug\n/s);
});

test.each([
  [grpc(14, ''), true],
  [grpc(4, ''), true],
  [grpc(5, ''), false],
  [new Error('x'), false],
  [undefined, false],
])('passes by itself %#', (error, passes) => expect(isUnavailable(error)).toBe(passes));

test.each([
  [grpc(9, 'no poller seen for task queue recently, worker may be down'), true],
  [grpc(4, ''), true],
  [grpc(3, ''), false],
])('is a worker that is away %#', (error, away) => expect(isWorkerAway(error)).toBe(away));
