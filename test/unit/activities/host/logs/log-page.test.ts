import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MissingLog, readLogPage } from '../../../../../activities/host/logs/log-file.ts';
import { registerSecret } from '../../../../../activities/tools/process/redact.ts';
import { temporaryHost } from '../../../../support/host.ts';

/** Bytes. */
const MAX_PAGE = 8_000;

let host: Awaited<ReturnType<typeof temporaryHost>>;
let log: string;
beforeEach(async () => {
  host = await temporaryHost();
  await mkdir(join(host.work.logs, 'one'));
  log = join(host.work.logs, 'one', 'build.log');
});
afterEach(() => host.remove());

async function readAll(): Promise<{ text: string; pages: number }> {
  let [text, offset, pages] = ['', 0, 0];
  for (;;) {
    const page = await readLogPage(host, log, offset);
    expect(Buffer.byteLength(page.text)).toBeLessThanOrEqual(MAX_PAGE);
    text += page.text;
    offset = page.nextOffset;
    pages += 1;
    if (page.end) return { text, pages };
  }
}

describe('readLogPage', () => {
  it.each<[string, string, number]>([
    ['empty', '', 1],
    ['short', 'a\nb\n', 1],
    ['exactly a page', 'x'.repeat(MAX_PAGE), 1],
    ['lines', `${'line of text äöü\n'.repeat(2000)}`, 5],
    ['one long line of three-byte characters', '€'.repeat(6000), 3],
    ['one long line of four-byte characters', `a${'𝄞'.repeat(4000)}`, 3],
  ])('gives the whole of a log: %s', async (_, text, pages) => {
    await writeFile(log, text);
    expect(await readAll()).toEqual({ text, pages });
  });

  it('waits for the rest of a character that is being written', async () => {
    await writeFile(log, Buffer.from('ab€').subarray(0, 4));
    expect(await readLogPage(host, log, 0)).toEqual({ text: 'ab', nextOffset: 2, end: true });
    await writeFile(log, 'ab€');
    expect(await readLogPage(host, log, 2)).toEqual({ text: '€', nextOffset: 5, end: true });
  });

  it('answers at the end with nothing, and behind it with what took the place of a longer log', async () => {
    await writeFile(log, 'ab');
    expect(await readLogPage(host, log, 2)).toEqual({ text: '', nextOffset: 2, end: true });
    expect(await readLogPage(host, log, 100)).toEqual({ text: 'ab', nextOffset: 2, end: true, restarted: true });
  });

  it('takes a path from the log directory', async () => {
    await writeFile(log, 'ab');
    expect(await readLogPage(host, 'one/build.log', 0)).toEqual({ text: 'ab', nextOffset: 2, end: true });
    await expect(readLogPage(host, '../installation', 0)).rejects.toThrow('not below the log directory');
    await expect(readLogPage(host, 'one/push.log', 0)).rejects.toBeInstanceOf(MissingLog);
  });

  it('redacts', async () => {
    registerSecret('hunter2-hunter2');
    await writeFile(log, 'password hunter2-hunter2\n');
    expect((await readLogPage(host, log, 0)).text).toBe('password [secret]\n');
  });

  it('refuses what is not a log', async () => {
    const outside = join(host.work.path, 'secret');
    await writeFile(outside, 'secret');
    await symlink(outside, join(host.work.logs, 'one', 'link.log'));
    await symlink(host.work.path, join(host.work.logs, 'up'));
    for (const path of [
      outside,
      join(host.work.logs, '..', 'secret'),
      join(host.work.logs, 'one', 'link.log'),
      join(host.work.logs, 'up', 'secret'),
      join(host.work.logs, 'one'),
      join(host.work.logs, 'none.log'),
      host.work.logs,
      'relative.log',
    ]) {
      await expect(readLogPage(host, path, 0)).rejects.toMatchObject({ failure: { kind: 'invalid-input' } });
    }
  });

  it('ends a page at a line, so that no secret is split', async () => {
    await writeFile(log, `first\n${'x'.repeat(MAX_PAGE)}`);
    expect(await readLogPage(host, log, 0)).toEqual({ text: 'first\n', nextOffset: 6, end: false });
  });

  it('goes on through bytes that are no text', async () => {
    await writeFile(log, Buffer.alloc(MAX_PAGE + 1, 0x80));
    expect(await readLogPage(host, log, 0)).toMatchObject({ nextOffset: MAX_PAGE, end: false });
  });
});
