/**
 * Files of users with seeded mistakes in them, through the verbs that read them: each is taken, or refused with exit
 * code 2 and at most five lines.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import lint from '../../client/commands/lint.ts';
import provision from '../../client/commands/provision.ts';
import { checkConfigOf } from '../../client/project/builder-config.ts';
import { checkSpec } from '../../client/project/checked-spec.ts';
import { loadSpec } from '../../client/project/spec-loading.ts';
import { errorText, explain } from '../../client/terminal/errors.ts';
import type { Output } from '../../client/terminal/output.ts';
import { chance, type Chance } from '../../scripts/soak/random.ts';
import { loadWorkerConfiguration } from '../../workers/configuration.ts';

const SPEC = `name: edge-camera
image:
  repository: quay.io/acme/edge-camera
  tag: "{{date}}"
  alsoTag: [latest, "v1-{{date}}"]
  tagPolicy: move
  context: .
  containerfile: Containerfile
  buildArgs: {BASE: quay.io/acme/os:1.2, EMPTY: "", COUNT: "3"}
  platforms: [linux/amd64]
signing: {key: release}
disks:
  - {type: iso}
  - type: qcow2
    publish: container-disk
  - {type: raw, compress: gzip}
builder: {config: config.toml, rootfs: xfs}
enrollment: {binding: late}
approval: required
`;
const WORKER = `host: build-1
directories: {work: /var/lib/flightline}
limits: {build: 2, disk: 1}
builders:
  - quay.io/centos-bootc/bootc-image-builder
keys:
  release: &key
    privateKey: /etc/flightline/release.key
    publicKey: /etc/flightline/release.pub
    passphraseFile: /etc/flightline/release.pass
    repositories: [quay.io/acme]
  other: *key
registries:
  - {location: registry.example:5000, authfile: /etc/auth.json, insecure: true}
secrets: {token: {file: /etc/token, repositories: [quay.io/acme]}}
furtherRepositories: {quay.io/acme/a: [quay.io/acme/b]}
approvals: ["quay.io/acme:v*"]
webhooks: {chat: {url: "https://chat.example/x", hmacSecret: token}}
`;
const CONFIG = `[[customizations.user]]
name = "alice"
password = "$6$secret"
groups = ["wheel", "users"]

[customizations.kernel]
append = "console=ttyS0"

[[customizations.filesystem]]
mountpoint = "/var/data"
minsize = "10 GiB"

[customizations.sshd]
`;
const CONTAINERFILE = `# syntax=docker/dockerfile:1
ARG BASE=quay.io/acme/os:1
FROM \${BASE:-quay.io/acme/os} AS base
RUN --mount=type=cache,target=/var/cache dnf -y install flightctl-agent \\
    && dnf clean all && systemctl enable flightctl-agent.service
COPY --from=base /etc/os-release /usr/share/one
COPY <<EOF /etc/motd
hello
EOF
FROM base
ENV A=b C="d e"
LABEL containers.bootc=1 name="x"
ADD config.yaml /etc/flightctl/
`;

async function agentConfiguration(directory: string): Promise<string> {
  const file = join(directory, 'key.pem');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const args = ['req', '-x509', ...curve, '-nodes', '-keyout', file, '-days', '365', '-subj', '/CN=client-enrollment'];
  const certificate = execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
  const key = await readFile(file, 'utf8');
  await rm(file);
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return stringify({
    'enrollment-service': {
      authentication: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) },
      service: { 'certificate-authority-data': base64(certificate), server: 'https://agent-api.example:7443' },
    },
    'default-labels': { site: 'lab7' },
  });
}

/** Texts that mean nothing, or something else, where they are inserted. */
const WORDS =
  '*v *a {{date}} {{commit}}-x { } [ ] " \' : - # | > ? = null ~ 1e999 -1 0x10 .nan yes [[ ]] """ \\ é 💥 $ ${ ' +
  '${A:-${B}} FROM COPY --from= ARG --mount=type= !!set !!binary __proto__: constructor: <<:';
const TOKENS = [
  ...WORDS.split(' '),
  '&a ',
  ': ',
  '- ',
  '<<: *key',
  '%YAML 1.1\n---\n',
  '---\n',
  '...\n',
  'RUN <<EOF\n',
  'ARG A=$A\n',
  '\t',
  '\n',
  '\r\n',
  '\0',
  '\u2028',
  '\uFEFF',
  'x'.repeat(100_000),
  '['.repeat(3000),
  '{a: '.repeat(3000),
  ` &a0 [x]\n${Array.from({ length: 9 }, (_, n) => `b${n}: &a${n + 1} [${`*a${n},`.repeat(10)}]\n`).join('')}`,
];

/** Makes one to three mistakes in a text. */
function mutated(text: string, dice: Chance): string {
  let made = text;
  for (let left = dice.between(1, 3); left > 0; left--) {
    const at = dice.between(0, made.length);
    const lines = made.split('\n');
    const line = dice.between(0, lines.length - 1);
    const token = TOKENS[dice.between(0, TOKENS.length - 1)]!;
    made = dice.pick<() => string>([
      [4, () => made.slice(0, at) + made.slice(at + dice.between(1, 3))],
      [4, () => made.slice(0, at) + token + made.slice(at)],
      [3, () => made.replace(/[[\]{}"']/g, (mark) => (dice.next() < 0.1 ? '' : mark))],
      [2, () => lines.toSpliced(line, 1).join('\n')],
      [2, () => lines.toSpliced(line, 0, lines[dice.between(0, lines.length - 1)]!).join('\n')],
      [2, () => lines.toSpliced(line, 1, `${' '.repeat(dice.between(1, 5))}${lines[line]}`).join('\n')],
      [
        2,
        () =>
          lines
            .toSpliced(
              line,
              1,
              lines[line]!.replace(/[:=].*$/, (end) => `${end[0]} ${token}`),
            )
            .join('\n'),
      ],
      [1, () => made.slice(0, at)],
    ])();
  }
  return made;
}

const SILENT: Output = {
  json: false,
  live: false,
  colour: { result: false, progress: false },
  result: () => undefined,
  document: () => undefined,
  note: () => undefined,
};

/** A file, and what reads it. */
interface Subject {
  name: string;
  text: string;
  read: (file: string) => Promise<unknown>;
}

/** What went wrong, with the text that did it. */
interface Offence {
  seed: number;
  file: string;
  said: string;
  text: string;
}

/**
 * Reads `count` mutated files. Each has a seed of its own, from `seed` on, so that one is tried again by itself.
 * Returns the ones that were answered with anything but a plan, or a refusal of at most five lines, and how many were
 * refused.
 */
export async function readMutated(count: number, seed: number): Promise<{ offences: Offence[]; refused: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-mutated-'));
  const project = join(directory, 'flightline.yaml');
  const linted = () => lint.run([project], { strict: undefined }, SILENT);
  const subjects: Subject[] = [
    { name: 'flightline.yaml', text: SPEC, read: () => checkSpec(project, {}).then(linted) },
    { name: 'config.toml', text: CONFIG, read: async () => checkConfigOf(await loadSpec(project)) },
    { name: 'Containerfile', text: CONTAINERFILE, read: linted },
    { name: 'worker.yaml', text: WORKER, read: loadWorkerConfiguration },
    {
      name: 'agent.yaml',
      text: await agentConfiguration(directory),
      read: (config) => provision.run(['cloud-init'], { config } as never, SILENT),
    },
  ];
  const offences: Offence[] = [];
  let refused = 0;
  try {
    for (const { name, text } of subjects) await writeFile(join(directory, name), text);
    for (const { name, read } of subjects) await read(join(directory, name));
    for (let at = seed; at < seed + count; at++) {
      const dice = chance(at);
      const { name, text, read } = subjects[at % subjects.length]!;
      const wrong = mutated(text, dice);
      const file = join(directory, name);
      await writeFile(file, wrong);
      const said = await read(file).then(() => null, complaint);
      if (said !== null) refused += 1;
      if (said !== null && said !== '') offences.push({ seed: at, file: name, said, text: wrong.slice(0, 2000) });
      await writeFile(file, text);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return { offences, refused };
}

/** What is wrong with an error as it is printed; nothing when a person can act on it. */
function complaint(error: unknown): string {
  const explained = explain(error);
  const told = errorText(explained);
  const lines = told.split('\n').length;
  if (explained.stack === undefined && explained.exitCode === 2 && lines <= 5 && told.length < 2000) return '';
  return `exit code ${explained.exitCode}, ${lines} lines, ${told.length} characters: ${told.slice(0, 1500)}`;
}
