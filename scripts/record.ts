/**
 * `npm run recording`: records on a terminal how a release goes on after its worker was killed, and writes it as the
 * README's moving picture. Nothing is made up: the commands are typed into a shell, and what they print is what is
 * there.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readState } from '../workers/stack/state.ts';
import { framesOf } from './recording/frames.ts';
import { svgOf } from './recording/svg.ts';
import { TypedTerminal } from './recording/typed-terminal.ts';

const ROOT = join(import.meta.dirname, '..');
const SIZE = { columns: 100, rows: 24 };
const TITLE =
  'A release on a terminal: its build worker is killed while a disk is being built; ' +
  'the release goes on where it was, and what it published verifies.';
const REFERENCE = '$FLIGHTLINE_REGISTRY/edge-camera';
const MINUTE = 60_000;

const [target = join(ROOT, 'docs/release.svg')] = process.argv.slice(2);
const directory = await mkdtemp(join(tmpdir(), 'flightline-recording-'));
const env = {
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  TEMPORAL_CLI_PATH: process.env['TEMPORAL_CLI_PATH'],
};
const stack = new TypedTerminal({ cwd: directory, env });
const shell = new TypedTerminal({ cwd: directory, env, ...SIZE, betweenKeys: 45 });

/** Runs a command that must end well. */
async function run(command: string): Promise<void> {
  const code = await shell.run(command, 5 * MINUTE);
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${shell.shown.slice(-6_000)}`);
}

try {
  await stack.type(`${process.execPath} ${join(ROOT, 'dist/client/main.js')} up --data stack\n`);
  await stack.shows('The stack is up', { within: 15 * MINUTE });
  await run('. stack/environment');
  const flags = '--target openshift-virtualization --base debian-example --binding late --no-podman-compose';
  await run(`flightline init edge-camera ${flags} --repository ${REFERENCE}`);
  // The example's builder is done in seconds, bootc-image-builder in minutes.
  await run(`printf 'LABEL io.flightline.example.builder-seconds=20\\n' >> edge-camera/Containerfile`);
  await run('clear');

  const from = shell.pieces.length;
  const begin = shell.shown.length;
  await shell.type('flightline run edge-camera\n');
  await shell.shows(/disk-build +qcow2 +\S*running/, { from: begin, within: 5 * MINUTE });
  await pause(4_000);
  await shell.typeToPrompt('\u0003');
  const worker = readState(join(directory, 'stack'))!.children.find(({ name }) => name === 'build')!;
  await run(`kill -9 ${worker.pid}   # the worker that builds`);
  await run(`flightline watch ${REFERENCE}:v1`);
  await run(`flightline verify ${REFERENCE}/diskimage-qcow2:v1`);

  const frames = await framesOf(shell.pieces, { ...SIZE, from, shortest: 40, longest: 600, last: 8_000 });
  const svg = svgOf(frames, SIZE, TITLE);
  await writeFile(resolve(target), svg);
  console.log(`wrote ${target}: ${frames.length} frames, ${Math.round(svg.length / 1_000)} kB`);
} finally {
  await shell.close();
  // The stack stops what it started before its terminal goes.
  await stack.typeToPrompt('\u0003').catch(() => undefined);
  await stack.close();
  await rm(directory, { recursive: true, force: true });
}
