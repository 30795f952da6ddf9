/** deploy/logs with the program that reads it: rsyslog sends what workers log, line by line, and nothing else. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { findProgram } from '../../../scripts/setup/detect.ts';
import { eventually } from '../../support/wait.ts';
import { stopped } from '../../support/stopped.ts';

const LINES = [
  { level: 'info', event: 'worker-ready', message: 'the worker is polling its task queues' },
  { level: 'warn', message: `a long one with "quotes" and ümlauts ${'x'.repeat(4_000)}` },
].map((line) => JSON.stringify(line));

it('rsyslog sends the lines of workers as they were written', async () => {
  const program = await findProgram(['rsyslogd']);
  if (program === undefined) throw new Error("rsyslog is not there: install Debian's package rsyslog");
  const directory = await mkdtemp(join(tmpdir(), 'flightline-log-shipping-'));
  const at = (name: string) => join(directory, name);
  let received = '';
  const server = createServer((socket) => void socket.on('data', (data) => (received += String(data))));
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const shipped = await readFile(join(import.meta.dirname, '../../../deploy/logs/rsyslog.conf'), 'utf8');
  const secured = /StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509\/name"/;
  expect(shipped).toMatch(secured);
  await writeFile(
    at('rsyslog.conf'),
    [
      `global(workDirectory="${directory}")`,
      'module(load="imuxsock" SysSock.Use="off")',
      `input(type="imuxsock" Socket="${at('log')}")`,
      // The test's own server speaks no TLS.
      shipped.replace(secured, '').replace('logs.example.com', '127.0.0.1').replace('6514', `${port}`),
      '',
    ].join('\n'),
  );
  const daemon = spawn(program, ['-n', '-f', at('rsyslog.conf'), '-i', at('pid')], { stdio: 'inherit' });
  try {
    const log = (tag: string, line: string) =>
      eventually('rsyslog listens', async () => {
        const { exitCode } = await execa('logger', ['--socket', at('log'), '--size', '64KiB', '--tag', tag, line], {
          reject: false,
        });
        return exitCode === 0 || undefined;
      });
    await log('another', 'of no worker');
    for (const line of LINES) await log('flightline', line);
    const lines = await eventually('the lines arrive', async () => {
      const all = received.split('\n').filter((line) => line !== '');
      return all.length >= LINES.length ? all : undefined;
    });
    expect(lines.map((line) => line.trim())).toEqual(LINES);
  } finally {
    await stopped(daemon, 'SIGTERM');
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
});
