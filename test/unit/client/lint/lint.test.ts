/** Every rule of `flightline lint`: what it finds, and what it passes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isMovingTag } from '../../../../model/oci/moving-tag.ts';
import { RULES, SILENCE_RULE } from '../../../../client/lint/rules.ts';
import { lintLoaded } from '../../../../client/project/linting.ts';
import { loadSpec } from '../../../../client/project/spec-loading.ts';
import { AGENT, found, FROM, lintOf, shown, useProjectDirectory, type Given } from '../../../support/lint.ts';
import { rowsOf, sectionOf } from '../../../support/readme.ts';

useProjectDirectory();

const VMDK = { disks: [{ type: 'vmdk' }] };
const CONTAINER_DISK = { disks: [{ type: 'qcow2', publish: 'container-disk' }] };
const EARLY = { enrollment: { binding: 'early' } };
const LATE = { enrollment: { binding: 'late' } };
const CLOUD_INIT =
  'RUN dnf -y install cloud-init && dnf clean all && ln -s ../cloud-init.target ' +
  '/usr/lib/systemd/system/default.target.wants';
const VM_TOOLS = 'RUN dnf -y install open-vm-tools && dnf clean all && systemctl enable vmtoolsd.service';

/** Before the package masked the timer. */
const OLD = AGENT.replace('flightctl-agent', 'flightctl-agent-1.1.3');

describe('whole Containerfiles', () => {
  it.each<[string, string, Given, string[]]>([
    ['the agent alone', `${FROM}\n${AGENT}`, {}, []],
    ['nothing', FROM, {}, ['agent-installed 1']],
    [
      'an agent that does not start',
      `${FROM}\nRUN dnf install flightctl-agent && dnf clean all`,
      {},
      ['agent-enabled 2'],
    ],
    [
      'an agent of a version, enabled by a link',
      `${FROM}\nRUN dnf install -y flightctl-agent-1.0.2 && dnf clean all\n` +
        'RUN ln -s ../flightctl-agent.service /usr/lib/systemd/system/multi-user.target.wants/flightctl-agent.service',
      {},
      [],
    ],
    [
      'another package of its name',
      `${FROM}\nRUN dnf install -y flightctl-agent-extras && dnf clean all`,
      {},
      ['agent-installed 1'],
    ],
    [
      'the agent in a stage that becomes no image',
      `${FROM} AS other\n${AGENT}\n${FROM}\nCOPY --from=other /a /usr/share/a`,
      {},
      ['agent-installed 3'],
    ],
    ['the agent in a stage that the last is built on', `${FROM} AS base\n${AGENT}\nFROM base\nRUN true`, {}, []],
    ['RHEL as the guide has it', `FROM registry.redhat.io/rhel9/rhel-bootc:9.5\n${AGENT}`, {}, []],
    ['RHEL with an old agent', `FROM registry.redhat.io/rhel9/rhel-bootc:9.5\n${OLD}`, {}, ['timer-masked 1']],
    ['RHEL of a mirror', `FROM mirror.example.com/x/rhel-bootc:10.0\n${OLD}`, {}, ['timer-masked 1']],
    ['RHEL with a newer agent', `FROM mirror.example.com/x/rhel-bootc:10.0\n${OLD.replace('1.1', '1.2')}`, {}, []],
    [
      'RHEL with an old agent and a masked timer',
      `FROM registry.redhat.io/rhel9/rhel-bootc:9.5\n${OLD} && systemctl mask bootc-fetch-apply-updates.timer`,
      {},
      [],
    ],
    [
      'RHEL with a stage on it',
      `FROM registry.redhat.io/rhel9/rhel-bootc:9.5 AS base\n${OLD}\nFROM base\nRUN systemctl ` +
        `mask bootc-fetch-apply-updates.timer`,
      {},
      [],
    ],
    [
      'lines continued by a backtick',
      `# escape=\`\n${FROM}\n${AGENT}\nRUN dnf install a \`\n  && dnf clean all`,
      {},
      [],
    ],
    ['a moving tag', `FROM quay.io/centos-bootc/centos-bootc:stream9\n${AGENT}`, {}, ['moving-tag 1']],
    [
      'a moving tag of an argument, and of a builder stage',
      `ARG BASE=quay.io/a/b\nFROM quay.io/a/tool:latest AS tool\nFROM \${BASE}\n${AGENT}`,
      {},
      ['moving-tag 2', 'moving-tag 3'],
    ],
    ['an argument that is given', `ARG BASE\nFROM \${BASE}\n${AGENT}`, { buildArgs: { BASE: 'quay.io/a/b:1.2' } }, []],
  ])('%s', async (_, containerfile, given, expected) => {
    expect(shown(await lintOf(containerfile, given))).toEqual(expected);
  });
});

describe('disks for virtual machines', () => {
  it.each<[string, string, Given['spec'], string[]]>([
    ['an iso', '', { disks: [{ type: 'iso' }] }, []],
    ['a raw file to flash', '', { disks: [{ type: 'raw' }] }, []],
    [
      'a raw container disk',
      '',
      { disks: [{ type: 'raw', publish: 'container-disk' }] },
      ['cloud-init 1', 'guest-tools 1'],
    ],
    ['a vmdk with nothing', '', VMDK, ['cloud-init 1', 'guest-tools 1']],
    ['a vmdk as the guide has it', `${CLOUD_INIT}\n${VM_TOOLS}`, VMDK, []],
    [
      'a vmdk with the tools of another',
      `${CLOUD_INIT}\nRUN dnf install qemu-guest-agent && dnf clean all`,
      VMDK,
      ['guest-tools 1'],
    ],
    ['a container disk as the guide has it', `${CLOUD_INIT}\n${VM_TOOLS}`, CONTAINER_DISK, []],
    [
      'a container disk with QEMU’s agent',
      `${CLOUD_INIT}\nRUN dnf install qemu-guest-agent && dnf clean all`,
      CONTAINER_DISK,
      [],
    ],
    [
      'what does not start',
      'RUN dnf install cloud-init open-vm-tools && dnf clean all',
      VMDK,
      ['cloud-init 3', 'guest-tools 3'],
    ],
    ['Debian, where packages start by themselves', 'RUN apt-get -y install cloud-init open-vm-tools', VMDK, []],
    ['early binding', 'ADD config.yaml /etc/flightctl/', { ...VMDK, ...EARLY }, ['late-binding spec 11']],
  ])('%s', async (_, lines, spec, expected) => expect(await found(lines, { spec: spec! })).toEqual(expected));
});

describe('the tag that machines follow', () => {
  const image = (more: object) => ({ image: { repository: 'quay.io/acme/edge', tag: 'v1', ...more } });
  const RAW = { disks: [{ type: 'raw' }] };
  it.each<[string, Given['spec'], string[]]>([
    ['stays', { ...image({}), ...RAW }, ['update-origin spec 4']],
    ['stays, asked for', { ...image({ alsoTag: ['stable'], updateFrom: 'v1' }), ...RAW }, ['update-origin spec 7']],
    ['moves', { ...image({ alsoTag: ['stable'] }), ...RAW }, []],
    ['is moved by promotions', { ...image({ updateFrom: 'stable' }), ...RAW }, []],
    ['matters to disks alone', image({}), []],
  ])('%s', async (_, spec, expected) => expect(await found('', { spec: spec! })).toEqual(expected));
});

describe('the agent configuration', () => {
  it.each<[string, string, Given['spec'], string[]]>([
    ['early, and there', 'ADD config.yaml /etc/flightctl/', EARLY, []],
    ['early, under its own name', 'COPY agent.yaml /etc/flightctl/config.yaml', EARLY, []],
    ['early, and not there', '', EARLY, ['agent-configuration 1']],
    ['late, and there', 'ADD config.yaml /etc/flightctl/', LATE, ['agent-configuration 3']],
    ['late, and not there', '', LATE, []],
    ['late, written by a command', 'RUN echo x > /etc/flightctl/config.yaml', LATE, ['agent-configuration 3']],
    ['nothing said, and there', 'ADD config.yaml /etc/flightctl/', {}, ['agent-configuration 3']],
    ['a drop-in is none', 'COPY labels.yaml /etc/flightctl/conf.d/', LATE, []],
  ])('%s', async (_, lines, spec, expected) => expect(await found(lines, { spec: spec! })).toEqual(expected));
});

describe('secrets', () => {
  it.each<[string, string, Given, string[]]>([
    ['a key', 'COPY device.key /usr/share/device.key', {}, ['secret-in-image 3']],
    ['several files', 'COPY a.txt id_ed25519 /usr/share/x/', {}, ['secret-in-image 3']],
    ['a pull secret', 'ADD auth.json /etc/ostree/auth.json', {}, ['secret-in-image 3']],
    ['a file that gets a secret’s name', 'COPY login /etc/ostree/auth.json', {}, ['secret-in-image 3']],
    ['Docker’s logins', 'COPY .docker/config.json /root/.docker/', {}, ['secret-in-image 3']],
    ['another config.json', 'COPY config.json /usr/share/app/config.json', {}, []],
    ['public keys and certificates', 'COPY ca.pem release.pub id_rsa.pub /usr/share/keys/', {}, []],
    ['an example', 'COPY .env.example /usr/share/app/', {}, []],
    ['a key in the text', 'COPY <<E /usr/share/k\n-----BEGIN PRIVATE KEY-----\nE', {}, ['secret-in-image 3']],
    ['ENV', 'ENV A=b API_TOKEN=x', {}, ['secret-in-image 3']],
    ['ENV in the old style', 'ENV DB_PASSWORD hello', {}, ['secret-in-image 3']],
    ['ARG', 'ARG SECRET', {}, ['secret-in-image 3']],
    ['the path of one', 'ENV TOKEN_FILE=/run/secrets/token', {}, []],
    ['words that only look so', 'ENV TOKENIZER=x KEYMAP=de', {}, []],
    ['a build argument', '', { buildArgs: { REGISTRY_TOKEN: 'x', CHANNEL: 'y' } }, ['secret-in-image spec 7']],
    ['of a stage that becomes no image', `${FROM} AS x\nCOPY a.key /\n${FROM}\n${AGENT}`, {}, []],
    ['as a build secret', 'RUN --mount=type=secret,id=token dnf install -y x && dnf clean all', {}, []],
  ])('%s', async (_, lines, given, expected) => expect(await found(lines, given)).toEqual(expected));
});

describe('mounts of the context', () => {
  const files = {
    '.containerignore': 'flightline.yaml\nContainerfile\n.containerignore\n**/*.log\nkept/*\n!kept/one\n',
    'app/run.sh': '',
    'app/old.log': '',
    'kept/one': '',
    'kept/two': '',
    'plain/a': '',
  };
  const IGNORED = ['ignored-in-mount 3'];
  it.each<[string, string, string[]]>([
    ['of a directory with an ignored file', 'RUN --mount=type=bind,source=app,target=/app true', IGNORED],
    ['of the whole', 'RUN --network=none --mount=target=/all,type=bind true', IGNORED],
    ['of an ignored file', 'RUN --mount=type=bind,src=./kept/two,dst=/two true', IGNORED],
    ['of a file that is taken back', 'RUN --mount=type=bind,source=kept/one,target=/one true', []],
    ['of a directory that is sent whole', 'RUN --mount=type=bind,source=plain,target=/plain true', []],
    ['of a stage', 'RUN --mount=type=bind,from=other,source=app,target=/app true', []],
    ['of a secret', 'RUN --mount=type=secret,id=app,target=/app true', []],
    ['of what an argument says', 'RUN --mount=type=bind,source=$WHERE,target=/app true', []],
    ['of its own copy', 'COPY app /app', []],
  ])('%s', async (_, lines, expected) => expect(await found(lines, { files })).toEqual(expected));
});

describe('the cache of dnf', () => {
  it.each<[string, string, Given, string[]]>([
    ['dnf without clean', 'RUN dnf -y install a', {}, ['dnf-clean 3']],
    ['clean before the last install', 'RUN dnf install a && dnf clean all && dnf install b', {}, ['dnf-clean 3']],
    ['clean in another RUN', 'RUN yum -y update\nRUN yum clean all', {}, ['dnf-clean 3']],
    ['on several lines, with comments', 'RUN dnf -y install a && \\\n  # why\n\n  dnf \\\n  -y clean all', {}, []],
    ['the line of the command', 'RUN echo a && \\\n  # why\n  microdnf install -y a', {}, ['dnf-clean 5']],
    ['removed by hand', 'RUN dnf install a; rm -rf /var/{cache,log} /var/lib/{dnf,rhsm}', {}, []],
    ['a cache mount', 'RUN --mount=type=cache,target=/var/cache/libdnf5 dnf install a', {}, []],
    ['another mount', 'RUN --mount=type=cache,target=/root dnf install a', {}, ['dnf-clean 3']],
    ['a heredoc', 'RUN <<END\nset -e\ndnf install -y a\nEND', {}, ['dnf-clean 5']],
    ['a heredoc that cleans', 'RUN <<END\ndnf install -y a\ndnf clean all\nEND', {}, []],
    ['a heredoc of a shell', 'RUN bash -e <<END\ndnf install -y a\nEND', {}, ['dnf-clean 4']],
    ['the exec form', 'RUN ["dnf", "-y", "install", "a"]', {}, ['dnf-clean 3']],
    ['in Windows line ends', 'RUN dnf install a \\\r\n  # why\r\n  && dnf clean all\r', {}, []],
    ['in a condition', 'RUN if true; then sudo dnf install a; fi', {}, ['dnf-clean 3']],
    ['in words only', 'RUN echo "dnf install a"', {}, []],
    ['a repository alone', 'RUN dnf -y config-manager --add-repo https://example.com/a.repo', {}, []],
  ])('%s', async (_, lines, given, expected) => expect(await found(lines, given)).toEqual(expected));
});

it.each([
  ['quay.io/a/b', true],
  ['quay.io/a/b:latest', true],
  ['quay.io/a/b:stream9', true],
  ['quay.io/a/b:trixie', true],
  ['quay.io/a/b:v1', true],
  ['quay.io/a/b:42', true],
  ['quay.io/a/b:1.2', false],
  ['quay.io/a/b:v1.2.3-rc1', false],
  ['quay.io/a/b:9-20250801', false],
  ['quay.io/a/b:3f2a9c1', false],
  ['quay.io/a/b:feedbee', true],
  [`quay.io/a/b:latest@sha256:${'0'.repeat(64)}`, false],
])('%s moves: %s', (image, moves) => expect(isMovingTag(image)).toBe(moves));

describe('docs/lint.md', () => {
  it('has every rule with its reason', async () => {
    const text = await readFile(join(import.meta.dirname, '../../../../docs/lint.md'), 'utf8');
    const rows = rowsOf(sectionOf(text, '## Rules')).map(([id = '', , why]) => [id.replaceAll('`', ''), why]);
    expect(rows).toEqual([...RULES, SILENCE_RULE].map(({ id, reason }) => [id, reason]));
  });
});

it.each(['debian', 'centos-stream9'])('examples/%s passes', async (name) => {
  const loaded = await loadSpec(join(import.meta.dirname, `../../../../examples/${name}/flightline.yaml`));
  expect((await lintLoaded(loaded)).findings).toEqual([]);
});
