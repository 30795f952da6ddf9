import { execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { bookwormSources, inspectMachine } from './fresh/machine.ts';
import type { Machine } from './fresh/machine.ts';
import { parseResults, verdict } from './fresh/verdict.ts';
import { readAptSources } from './setup/detect.ts';

/**
 * `npm run test:fresh`: shows that a bare machine is enough. Makes a Debian 12 root with nothing but git and
 * certificates, lends it this machine's Node and Go and its way to the package registries, and does what a newcomer
 * does, with empty caches. A used machine hides missing steps of the set-up.
 */
const HELP = `Usage: npm run test:fresh -- [options]

Runs the newcomer's commands in a bare Debian 12 root. Needs root, mmdebstrap, unshare, Node, Go and git.

  --only STEP       only one of: setup (host tools and packages), demo, test
  --keep            keep the root afterwards
  --directory DIR   where the root is made; a real file system, not an overlay (default /var/tmp)
  --go-cache DIR    use and fill Go caches in DIR, which saves minutes; by default they are empty
  --mirror URL      the Debian mirror (default: the one of this machine's apt sources)

Example: npm run test:fresh -- --only demo
`;

const execute = promisify(execFile);
const HERE = path.dirname(fileURLToPath(import.meta.url));
const SEQUENCES: Record<string, string[]> = { setup: ['setup'], demo: ['demo', 'again'], test: ['test'] };
const EVERYTHING = ['demo', 'test', 'again'];

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    keep: { type: 'boolean', default: false },
    directory: { type: 'string', default: '/var/tmp' },
    'go-cache': { type: 'string' },
    mirror: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

function say(message: string): void {
  console.error(message);
}

/** Runs a program to its end, its output on stderr and in the log. */
async function run(program: string, args: readonly string[], log: NodeJS.WritableStream): Promise<number> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', stop).on('SIGTERM', stop);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk);
      log.write(chunk);
    });
  }
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve(code ?? 1));
    });
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** The current commit as one file; what is not committed is not what a newcomer gets. */
async function bundle(target: string): Promise<void> {
  const git = async (...args: string[]) => (await execute('git', args, { cwd: HERE })).stdout.trim();
  say(`Commit ${await git('log', '-1', '--format=%h %s')}`);
  if ((await git('status', '--porcelain')) !== '')
    say('Note: this checkout has changes that are not committed; they are not tested.');
  await git('bundle', 'create', '--quiet', target, 'HEAD');
}

async function makeRoot(root: string, machine: Machine, log: NodeJS.WritableStream): Promise<void> {
  const sources = options.mirror ? [`deb ${options.mirror} bookworm main`] : bookwormSources(await readAptSources());
  const aptOptions = machine.aptOptions.map((line) => `--aptopt=${line}`);
  const args = ['--variant=minbase', '--include=ca-certificates,git', ...aptOptions, 'bookworm', root, ...sources];
  say('Making a bare Debian 12 root with mmdebstrap …');
  if ((await run('mmdebstrap', args, log)) !== 0) throw new Error('mmdebstrap failed; its messages are above.');
  await mkdir(path.join(root, 'usr/local/share/ca-certificates'), { recursive: true });
  for (const file of machine.certificates) {
    await copyFile(file, path.join(root, 'usr/local/share/ca-certificates', path.basename(file)));
  }
  await execute('chroot', [root, 'update-ca-certificates']);
  for (const file of ['/etc/resolv.conf', '/etc/hosts']) await copyFile(file, path.join(root, file));
}

/** Describes what the root sees of this machine, one `from<tab>to<tab>mode` a line. */
async function writeBinds(file: string, machine: Machine, extra: readonly string[]): Promise<void> {
  const lines = machine.binds.map(({ from, to }) => `${from}\t${to}\tro`);
  const cache = options['go-cache'];
  if (cache) {
    for (const [name, inside] of [
      ['mod', '/root/go/pkg/mod'],
      ['build', '/root/.cache/go-build'],
    ] as const) {
      await mkdir(path.resolve(cache, name), { recursive: true });
      lines.push(`${path.resolve(cache, name)}\t${inside}\trw`);
    }
  }
  await writeFile(file, [...lines, ...extra, ''].join('\n'));
}

/** Variables of the commands inside: nothing of the caller's environment but the way to the registries. */
function insideEnvironment(machine: Machine): string[] {
  const environment = {
    ...machine.environment,
    HOME: '/root',
    PATH: '/opt/node/bin:/opt/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    CI: 'true',
  };
  return Object.entries(environment).map(([name, value]) => `${name}=${value}`);
}

async function main(): Promise<void> {
  if (options.help) return console.log(HELP);
  const steps = options.only === undefined ? EVERYTHING : SEQUENCES[options.only];
  if (!steps) throw new Error(`--only takes ${Object.keys(SEQUENCES).join(', ')}; not "${options.only}".`);
  if (process.getuid?.() !== 0) throw new Error('A root with mounts of its own needs root. Run it with sudo.');

  const directory = await mkdtemp(path.join(options.directory, 'flightline-fresh-'));
  const [root, storage, shared] = ['root', 'containers', 'shared'].map((name) => path.join(directory, name)) as [
    string,
    string,
    string,
  ];
  const log = createWriteStream(path.join(directory, 'log'));
  await Promise.all([mkdir(storage), mkdir(shared)]);
  let ok = false;
  try {
    const machine = await inspectMachine();
    await bundle(path.join(shared, 'flightline.bundle'));
    await makeRoot(root, machine, log);
    await mkdir(path.join(root, 'opt/node/bin'), { recursive: true });
    for (const name of ['npm', 'npx']) {
      const program = path.join(root, 'opt/node/bin', name);
      await writeFile(
        program,
        `#!/bin/sh\nexec /opt/node/bin/node /opt/node/lib/node_modules/npm/bin/${name}-cli.js "$@"\n`,
      );
      await chmod(program, 0o755);
    }
    const script = path.join(shared, 'steps.sh');
    await copyFile(path.join(HERE, 'fresh/steps.sh'), script);
    await writeBinds(path.join(directory, 'binds'), machine, [
      `${shared}/flightline.bundle\t/opt/machine/flightline.bundle\tro`,
      `${script}\t/opt/machine/steps.sh\tro`,
    ]);
    const enter = [path.join(HERE, 'fresh/enter.sh'), root, storage, path.join(directory, 'binds')];
    const inside = [
      'env',
      '-i',
      ...insideEnvironment(machine),
      'sh',
      '/opt/machine/steps.sh',
      '/root/results',
      ...steps,
    ];
    // Ending unshare ends process 1 of the namespace, and with it every process and mount inside.
    await run('unshare', ['--mount', '--pid', '--ipc', '--fork', '--kill-child', 'sh', ...enter, ...inside], log);
    const results = parseResults(await readFile(path.join(root, 'root/results'), 'utf8').catch(() => ''));
    const wanted = ['clone', ...steps, ...(steps.includes('again') ? ['nothing-installed'] : [])];
    const judged = verdict(results, wanted);
    say(`\n${judged.lines.join('\n')}`);
    say(judged.ok ? 'A bare Debian 12 machine is enough.' : 'A bare Debian 12 machine was not enough.');
    ok = judged.ok;
  } finally {
    log.end();
    if (options.keep || !ok)
      say(`The root and its log are kept in ${directory}; remove it with: rm -rf --one-file-system ${directory}`);
    else await rm(directory, { recursive: true, force: true });
  }
  if (!ok) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  say(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
