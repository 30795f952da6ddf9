import { appendFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registerSecret } from '../../../../../../activities/tools/process/redact.ts';
import { CappedLog } from '../../../../../../activities/tools/process/capped-log.ts';
import { ContainerLogReader } from '../../../../../../activities/tools/podman/container/container-log.ts';
import { LineJoiner } from '../../../../../../activities/tools/podman/container/line-joiner.ts';

const entry = (stream: string, kind: string, text: string) =>
  `2026-11-23T15:47:41.25+00:00 ${stream} ${kind} ${text}\n`;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('LineJoiner', () => {
  it('joins the parts of a line, each stream for itself', () => {
    const joiner = new LineJoiner();
    const text = entry('stdout', 'P', 'one ') + entry('stderr', 'F', 'other') + entry('stdout', 'F', 'line');
    expect(joiner.add(text)).toEqual([
      { stream: 'stderr', text: 'other' },
      { stream: 'stdout', text: 'one line' },
    ]);
  });

  it('leaves nothing of a secret across the pieces of a long line', () => {
    const secret = 'a-secret-of-the-container';
    registerSecret(secret);
    // The first piece that makes the line too long ends within the secret.
    const cut = 9 * 8192;
    for (const before of [cut - 1, cut - 12, cut - secret.length + 1]) {
      const joiner = new LineJoiner();
      const long = `${'x'.repeat(before)}${secret}${'y'.repeat(70_000)}`;
      const pieces = long.match(/.{1,8192}/g)!.map((piece) => entry('stdout', 'P', piece));
      const lines = [...pieces.flatMap((piece) => joiner.add(piece)), ...joiner.add(entry('stdout', 'F', ''))];
      expect(lines.length).toBeGreaterThan(1);
      expect(lines.map(({ text }) => text).join('')).toBe(`${'x'.repeat(before)}[secret]${'y'.repeat(70_000)}`);
    }
  });

  it('waits for what is cut anywhere', () => {
    const joiner = new LineJoiner();
    const text = entry('stdout', 'F', 'a b') + entry('stdout', 'F', '');
    expect(
      text
        .split('')
        .flatMap((letter) => joiner.add(letter))
        .map((line) => line.text),
    ).toEqual(['a b', '']);
  });

  it('gives out the last line without an end, and the last state of a line that was redrawn', () => {
    const joiner = new LineJoiner();
    expect(joiner.add(entry('stdout', 'F', '10%\r50%\r100%\r'))).toEqual([{ stream: 'stdout', text: '100%' }]);
    joiner.add(entry('stderr', 'P', 'panic'));
    expect(joiner.end()).toEqual([{ stream: 'stderr', text: 'panic' }]);
    expect(joiner.end()).toEqual([]);
  });
});

describe('ContainerLogReader', () => {
  it('reads what came since the last time, also from a file put in its place', async () => {
    const path = join(directory, 'container.log');
    const reader = new ContainerLogReader(path);
    const texts = async () => (await reader.read()).map((line) => line.text);
    expect(await texts()).toEqual([]);
    await writeFile(path, entry('stdout', 'F', 'größer'));
    expect(await texts()).toEqual(['größer']);
    await appendFile(path, entry('stdout', 'F', 'b'));
    expect(await texts()).toEqual(['b']);
    expect(await texts()).toEqual([]);
    await writeFile(`${path}.new`, entry('stdout', 'F', 'c'));
    await rename(`${path}.new`, path);
    expect(await texts()).toEqual(['c']);
  });
});

describe('CappedLog', () => {
  it('stops at its limit, says so, and keeps the end', async () => {
    const path = join(directory, 'a.log');
    const log = new CappedLog(path, 'w', 30);
    for (let number = 0; number < 1_000; number++) log.write(`line ${number}`);
    await log.close();
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(lines.slice(0, 4)).toEqual(['line 0', 'line 1', 'line 2', 'line 3']);
    expect(lines[4]).toMatch(/796 lines are left out/);
    expect(lines.at(-1)).toBe('line 999');
    expect(log.tail(2)).toEqual(['line 998', 'line 999']);
  });

  it('goes on with what is there', async () => {
    const path = join(directory, 'a.log');
    for (const line of ['one', 'two']) {
      const log = new CappedLog(path, 'a');
      log.write(line);
      await log.close();
    }
    expect(await readFile(path, 'utf8')).toBe('one\ntwo\n');
  });
});
