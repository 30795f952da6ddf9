#!/usr/bin/env node
/**
 * Stands in for the `flightctl` client: `certificate request` with the texts, files and exit codes of flightctl 1.2 and
 * 1.3. It asks no server; `stand-in.json` in its configuration directory says what goes wrong ({"mode":"…"}), and
 * `calls` there gets a line for each call: the arguments as JSON. Keys and certificates are real, made by openssl.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SERVER = 'https://agent-api.flightctl.example:7443';
const NOT_LOGGED_IN =
  "Error: you must log in to perform this operation. Please use the 'login' command to authenticate " +
  'before proceeding';
const argv = process.argv.slice(2);

/** The client says everything but its result on standard error, and always ends with 1. */
function fail(...lines) {
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exit(1);
}

if (!process.env.HOME && !process.env.XDG_CONFIG_HOME) {
  fail('2026/11/23 14:44:18 could not get user config directory neither $XDG_CONFIG_HOME nor $HOME are defined');
}
if (argv[0] === 'version') {
  process.stdout.write('Client Version: v1.2.0\n');
  process.exit(0);
}
if (argv[0] === 'enrollmentconfig') answerEnrollmentConfig();
if (argv[0] !== 'certificate' || argv[1] !== 'request') fail(`Error: unknown command "${argv[0]}" for "flightctl"`);

const KNOWN = ['signer', 'expiration', 'name', 'output', 'config-dir', 'output-dir', 'request-timeout'];
const flags = Object.fromEntries(
  argv.slice(2).map((argument) => {
    const [, name, value] = /^--([a-z-]+)=(.*)$/.exec(argument) ?? [];
    if (!KNOWN.includes(name)) fail(`Error: unknown flag: ${argument.split('=')[0]}`);
    return [name, value];
  }),
);
const configuration = flags['config-dir'] ?? '';
if (!existsSync(configuration)) fail(`Error: config directory "${configuration}" does not exist`);
appendFileSync(join(configuration, 'calls'), `${JSON.stringify(argv)}\n`);
const { mode } = JSON.parse(readFileSync(join(configuration, 'stand-in.json'), 'utf8'));
if (!existsSync(join(configuration, 'client.yaml'))) {
  fail(
    "Error: you must log in to perform this operation. Please use the 'login' command to authenticate before " +
      'proceeding',
  );
}
const days = Number(/^(\d+)d$/.exec(flags.expiration ?? '365d')?.[1] ?? NaN);
if (Number.isNaN(days)) {
  fail(
    `Error: invalid expiration specified: ${flags.expiration}`,
    'expiration must be in the form of days, example: 365d',
  );
}

// The key is written before anything is asked, and stays when the request fails.
const directory = flags['output-dir'] ?? '.';
const name = flags.name ?? 'client-enrollment';
const request = `${name}-${randomBytes(4).toString('hex')}`;
mkdirSync(directory, { recursive: true });
const keyFile = join(directory, `${name}.key`);
const key = makeKey();
writeFileSync(keyFile, key, { mode: 0o600 });
process.stderr.write(`Creating new ECDSA key pair and writing to "${name}.key".\n`);
const submitting = `Submitting certificate signing request "${request}"...`;
switch (mode) {
  case 'expired':
    fail(
      'Error: Your session has expired. Please log in again using: flightctl login https://api.flightctl.example',
      `${submitting} failed.`,
      'Error: submitting CSR failed with status "401 Unauthorized"',
    );
  case 'forbidden':
    fail(`${submitting} failed.`, 'Error: submitting CSR failed with status "403 Forbidden"');
  case 'installer':
    fail(`${submitting} success.`, 'Error: getting enrollment config: server returned 403: Forbidden');
  case 'unreachable':
    fail(
      `${submitting}Error: submitting CSR: Post "${SERVER}/api/v1/certificatesigningrequests": dial tcp ` +
        '192.0.2.1:3443: connect: connection refused',
    );
}
const certificate = makeCertificate(mode === 'ended' ? 0 : mode === 'too-long' ? days + 30 : days);
mkdirSync(join(configuration, 'issued'), { recursive: true });
writeFileSync(join(configuration, 'issued', request), certificate);
// The server issues within the request.
process.stderr.write(`${submitting} success.\n`);
if (mode === 'killed') process.kill(process.pid, 'SIGKILL');
process.stderr.write('Waiting for certificate to be approved and issued.... success.\n');
writeFileSync(join(directory, `${name}.crt`), certificate, { mode: 0o600 });
writeFileSync(join(directory, 'ca.crt'), certificate, { mode: 0o600 });
if (flags.output !== 'embedded' || mode === 'empty') process.exit(0);

printConfiguration(
  certificate,
  mode === 'foreign-key' ? makeKey() : key,
  mode === 'old-authority' ? makeCertificate(10) : certificate,
);

function printConfiguration(issued, itsKey, authority = issued) {
  const base64 = (text) => Buffer.from(text).toString('base64');
  const lines = [
    'enrollment-service:',
    '  authentication:',
    `    client-certificate-data: ${base64(issued)}`,
    `    client-key-data: ${base64(itsKey)}`,
    '  enrollment-ui-endpoint: https://ui.flightctl.example',
    '  service:',
    `    certificate-authority-data: ${base64(authority)}`,
    `    server: ${SERVER}`,
    'management-service:',
    '  authentication: {}',
    '  service: {}',
    '',
  ];
  process.stdout.write(lines.join('\n'));
}

/** It issues nothing, and is no call in `calls`. With a request and a key it prints what was issued for them. */
function answerEnrollmentConfig() {
  const logIn = /^--config-dir=(.*)$/.exec(argv.at(-1))?.[1] ?? '';
  if (!existsSync(join(logIn, 'client.yaml'))) {
    fail(NOT_LOGGED_IN);
  }
  const { mode: how } = JSON.parse(readFileSync(join(logIn, 'stand-in.json'), 'utf8'));
  const failures = {
    expired: 'server returned 401: failed to validate token',
    installer: 'server returned 403: Forbidden',
    unreachable: `Get "${SERVER}/api/v1/enrollmentconfig": dial tcp 192.0.2.1:3443: connect: connection refused`,
  };
  if (failures[how]) fail(`Error: getting enrollment config: ${failures[how]}`);
  if (argv.length === 2) process.stdout.write(`enrollment-service:\n  service:\n    server: ${SERVER}\n`);
  else if (argv[2] !== '-p' || !existsSync(join(logIn, 'issued', argv[1]))) fail(`Error: no request ${argv[1]}`);
  else printConfiguration(readFileSync(join(logIn, 'issued', argv[1]), 'utf8'), readFileSync(argv[3], 'utf8'));
  process.exit(0);
}

function makeKey() {
  return openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout']);
}

function makeCertificate(validity) {
  const signingRequest = join(directory, `${name}.csr`);
  openssl(['req', '-new', '-key', keyFile, '-subj', `/CN=${request}`, '-out', signingRequest]);
  // `req -x509` refuses a validity of no days.
  return openssl(['x509', '-req', '-in', signingRequest, '-signkey', keyFile, '-days', String(validity)]);
}

function openssl(args) {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
