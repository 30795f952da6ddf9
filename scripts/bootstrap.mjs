#!/usr/bin/env node
/**
 * The entry of `npm run demo`, `npm test`, `npm run flightline` and their relatives: brings a clone into working order,
 * then hands over. It runs before anything is installed, so it uses nothing but Node's own modules.
 *
 *   node scripts/bootstrap.mjs TARGET [arguments]
 *
 * Every step looks first and is skipped when there is nothing to do. Messages go to stderr: stdout is the target's.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_MINIMUM = [20, 19];
const SOURCES = ['model', 'activities', 'workflows', 'workers', 'client', 'scripts'];
/** What the workflow bundle is made of; nothing else can change it. */
const BUNDLE_SOURCES = ['model', 'workflows'];
const BUNDLES = ['workflow-bundle.cjs', 'workflow-bundle-traced.cjs'];
const INSTALL_STAMP = join(ROOT, 'node_modules', '.flightline-install');
const BUILD_STAMP = join(ROOT, 'dist', '.build-stamp');
const BUNDLE_STAMP = join(ROOT, 'dist', '.bundle-stamp');

const TSX = 'node_modules/tsx/dist/cli.mjs';

/** What `npm run …` names; `setup` is the host tools' purpose, when the target needs any. */
const TARGETS = {
  demo: { built: true, setup: 'demo', module: 'dist/scripts/demo.js' },
  flightline: { built: true, module: 'dist/client/main.js' },
  setup: { command: [TSX, 'scripts/setup/main.ts'] },
  build: { built: true },
  test: { command: [TSX, 'scripts/test.ts'] },
  vitest: { command: ['node_modules/vitest/vitest.mjs', 'run'] },
  'vitest-built': { built: true, command: ['node_modules/vitest/vitest.mjs', 'run'] },
  soak: { built: true, setup: 'test', command: [TSX, 'scripts/soak.ts'] },
  bench: { built: true, setup: 'test', command: [TSX, 'bench/main.ts'] },
  recording: { built: true, setup: 'demo', command: [TSX, 'scripts/record.ts'] },
  fresh: { command: [TSX, 'scripts/fresh.ts'] },
};

function say(message) {
  process.stderr.write(`${message}\n`);
}

function fail(message) {
  say(`error: ${message}`);
  process.exit(1);
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function seconds(since) {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_MINIMUM[0] || (major === NODE_MINIMUM[0] && minor >= NODE_MINIMUM[1])) return;
  fail(
    `flightline needs Node.js ${NODE_MINIMUM.join('.')} or later, and this is ${process.versions.node} ` +
      `(${process.execPath}).\n` +
      'Install a current release from https://nodejs.org or with your version manager, and run the command again.',
  );
}

/** Runs a program with its output on stderr; ends this process when it fails. */
function run(command, args, what) {
  const result = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (result.error) fail(`${what}: ${command} could not be started (${result.error.message}).`);
  if (result.signal) fail(`${what} was ended by ${result.signal}.`);
  if (result.status !== 0) fail(`${what} failed with exit code ${result.status}; its messages are above.`);
}

/** One installation or build at a time in this clone: commands that start together wait for the first. */
function locked(work) {
  const lock = join(ROOT, '.flightline', 'bootstrap.lock');
  mkdirSync(dirname(lock), { recursive: true });
  for (let waited = false; ; waited = true) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const holder = Number(read(lock));
      if (holder > 0 && !isAlive(holder)) {
        rmSync(lock, { force: true });
        continue;
      }
      if (!waited) say(`Waiting for process ${holder}, which is setting up this clone …`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
  const release = () => rmSync(lock, { force: true });
  process.once('exit', release);
  try {
    work();
  } finally {
    process.off('exit', release);
    release();
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Why `npm ci` has to run, or nothing when node_modules holds what package-lock.json says. */
function installReason() {
  const lock = read(join(ROOT, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  if (!existsSync(join(ROOT, 'node_modules'))) return { hash, why: 'node_modules is missing' };
  if (read(INSTALL_STAMP) === hash) return { hash };
  // A node_modules made by plain `npm install` has no stamp; npm's own list says what is in it.
  const installed = read(join(ROOT, 'node_modules', '.package-lock.json'));
  if (installed === '') return { hash, why: 'node_modules is incomplete' };
  const present = JSON.parse(installed).packages;
  for (const [path, wanted] of Object.entries(JSON.parse(lock).packages)) {
    if (path === '' || wanted.optional) continue;
    const name = path.replace(/^.*node_modules\//, '');
    if (!present[path]) return { hash, why: `${name} ${wanted.version} is not installed` };
    if (present[path].version !== wanted.version) {
      return { hash, why: `${name} is ${present[path].version}, and package-lock.json says ${wanted.version}` };
    }
  }
  writeFileSync(INSTALL_STAMP, hash);
  return { hash };
}

function ensureInstalled() {
  if (!installReason().why) return;
  locked(() => {
    const { hash, why } = installReason();
    if (!why) return;
    const start = Date.now();
    say(`Installing the npm packages of package-lock.json into node_modules (npm ci), because ${why} …`);
    const npm = process.env.npm_execpath;
    const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=warn'];
    if (npm && npm.endsWith('.js')) run(process.execPath, [npm, ...args], 'npm ci');
    else run('npm', args, 'npm ci');
    writeFileSync(INSTALL_STAMP, hash);
    say(`npm packages installed in ${seconds(start)}.`);
  });
}

function sourceFiles(folder) {
  const full = join(ROOT, folder);
  if (!existsSync(full)) return [];
  return readdirSync(full, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? sourceFiles(join(folder, entry.name)) : [join(folder, entry.name)]))
    .filter((file) => file.endsWith('.ts'));
}

/** Changes when a source is edited, added or removed, also when a checkout gives it an older date. */
function signature(folders, otherFiles) {
  const hash = createHash('sha256');
  for (const file of [...folders.flatMap(sourceFiles), ...otherFiles].sort()) {
    const { mtimeMs, size } = statSync(join(ROOT, file));
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

function buildSignature() {
  return signature(SOURCES, ['tsconfig.json', 'package-lock.json']);
}

function ensureBuilt() {
  if (read(BUILD_STAMP) === buildSignature()) return;
  locked(() => {
    const wanted = buildSignature();
    const before = read(BUILD_STAMP);
    if (before === wanted) return;
    const start = Date.now();
    say(`Building dist/ (${before === '' ? 'first build' : 'sources changed'}) …`);
    rmSync(BUILD_STAMP, { force: true });
    build();
    const command = join(ROOT, 'dist', 'client', 'main.js');
    if (existsSync(command)) chmodSync(command, 0o755);
    writeFileSync(BUILD_STAMP, wanted);
    say(`dist/ built in ${seconds(start)}.`);
  });
}

/** Bundling the workflows takes seconds: it is done only when what is in that bundle changed. */
function build() {
  const wanted = signature(BUNDLE_SOURCES, [
    'scripts/build/workflows.ts',
    'workers/workflow-modules.ts',
    'package-lock.json',
  ]);
  const current = read(BUNDLE_STAMP) === wanted && BUNDLES.every((name) => existsSync(join(ROOT, 'dist', name)));
  rmSync(BUNDLE_STAMP, { force: true });
  const command = [TSX, 'scripts/build.ts', ...(current ? [] : ['--workflows'])];
  run(process.execPath, command, 'Building');
  writeFileSync(BUNDLE_STAMP, wanted);
}

/** Host tools: podman and its relatives, the Temporal CLI. */
async function setUpHost(purpose, assumeYes) {
  const { setUp } = await import(pathToFileURL(join(ROOT, 'dist/scripts/setup/set-up.js')).href);
  try {
    await setUp({ purpose, assumeYes });
  } catch (error) {
    if (error.name !== 'SetupError') throw error;
    fail(error.message);
  }
}

/** Runs a compiled module in this process, as if Node had been started with it: signals and exit codes stay its own. */
async function become(module, args) {
  const path = join(ROOT, module);
  if (!existsSync(path)) fail(`${module} is missing; was its source removed?`);
  // npm changes to the clone; paths are meant from where the user stands.
  if (process.env.INIT_CWD) process.chdir(process.env.INIT_CWD);
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path).href);
}

async function main() {
  checkNode();
  const [name, ...args] = process.argv.slice(2);
  const target = TARGETS[name];
  if (!target) fail(`unknown target ${JSON.stringify(name ?? '')}; known are ${Object.keys(TARGETS).join(', ')}.`);
  ensureInstalled();
  if (target.built) ensureBuilt();
  const asksForHelp = args.includes('--help') || args.includes('-h');
  if (target.setup && !asksForHelp) {
    await setUpHost(target.setup, args.includes('--yes'));
  }
  if (target.module) await become(target.module, args);
  if (target.command) await handOver([...target.command, ...args]);
}

/** Runs a Node program to its end. Ctrl-C reaches it by itself; a signal sent only to this process is passed on. */
async function handOver(command) {
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, command, { cwd: ROOT, stdio: 'inherit' });
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal ? 1 : code));
}

await main();
