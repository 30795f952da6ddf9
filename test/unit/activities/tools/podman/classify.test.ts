import { describe, expect, it } from 'vitest';
import { classifyBuild, classifyPodman, type FailedBuild } from '../../../../../activities/tools/podman/classify.ts';
import type { FailureKind } from '../../../../../model/failure/failures.ts';

describe('classifyPodman', () => {
  it.each<[FailureKind, string]>([
    [
      'image-not-found',
      'Error: initializing source docker://127.0.0.1:5000/a@sha256:00: reading manifest sha256:00 in ' +
        '127.0.0.1:5000/a: manifest unknown',
    ],
    ['image-not-found', 'Error: reading manifest 1 in quay.io/a/b: name unknown: repository not found'],
    [
      'registry',
      'Error: initializing source docker://127.0.0.1:1/b:2: pinging container registry 127.0.0.1:1: Get ' +
        '"https://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
    ],
    ['registry', 'Error: copying layer: received unexpected HTTP status: 503 Service Unavailable'],
    ['registry', 'Error: dial tcp: lookup quay.io: no such host'],
    ['registry', 'Error: reading blob: unexpected EOF'],
    ['registry', 'Error: toomanyrequests: You have reached your pull rate limit'],
    ['registry-login', 'Error: writing blob: unauthorized: authentication required'],
    ['registry-login', 'Error: unable to retrieve auth token: invalid username/password: unauthorized'],
    ['registry-denied', 'Error: writing blob: denied: requested access to the resource is denied'],
    ['registry-denied', 'Error: initiating layer upload: StatusCode: 403 Forbidden'],
    [
      'host-setup',
      'Error: pinging container registry a.b: tls: failed to verify certificate: x509: certificate signed by ' +
        'unknown authority',
    ],
    ['host-setup', 'Error: Get "https://127.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client'],
    [
      'host-setup',
      'Error: OCI runtime error: crun: cgroups in hybrid mode not supported, drop all controllers from cgroupv2',
    ],
    ['host-setup', 'Error: netavark: unable to execute nft: No such file or directory'],
    ['disk-full', 'Error: writing blob: storing blob to file: write /var/tmp/x: no space left on device'],
    ['signature-rejected', 'Error: Source image rejected: A signature was required, but no signature exists'],
    ['unexpected', 'Error: database is locked'],
  ])('%s: %s', (kind, output) => {
    expect(classifyPodman(output).kind).toBe(kind);
  });
});

describe('classifyBuild', () => {
  const failed = 'Error: building at STEP "RUN x": while running runtime: exit status 3';
  const notStarted = 'error running container: from /usr/bin/runc creating container for [/bin/sh]: ';

  it.each<[FailureKind, string, Partial<FailedBuild>]>([
    ['containerfile', 'a RUN that fails', { error: failed }],
    [
      'containerfile',
      'a RUN whose text speaks of a full disk',
      { error: 'Error: building at STEP "RUN echo no space left on device": while running runtime: exit status 1' },
    ],
    ['disk-full', 'a RUN that fails while the disk is full', { error: failed, diskFull: true }],
    ['out-of-memory', 'a RUN that fails because a process of it was killed', { error: failed, outOfMemory: true }],
    [
      'containerfile',
      'a RUN whose program is not there',
      { error: failed, startFailure: `${notStarted}exec: \\"/x\\": stat /x: no such file or directory` },
    ],
    [
      'host-setup',
      'a runtime that cannot start anything',
      { error: failed, startFailure: `${notStarted}cgroups in hybrid mode not supported` },
    ],
    [
      'host-setup',
      'limits that cannot be set',
      { error: failed, startFailure: `${notStarted}error setting rlimit type 7: operation not permitted` },
    ],
    [
      'containerfile',
      'a RUN of which a process was killed, and not by the kernel for lack of memory',
      { error: 'Error: building at STEP "RUN x": while running runtime: exit status 137' },
    ],
    [
      'containerfile',
      'a COPY of nothing',
      {
        error:
          'Error: building at STEP "COPY a /a": checking on sources under "/c": copier: stat: "/a": no such ' +
          'file or directory',
      },
    ],
    [
      'containerfile',
      'an unknown instruction',
      { error: 'Error: building at STEP "FROB ": Build error: Unknown instruction: "FROB"' },
    ],
    [
      'containerfile',
      'what is refused before the first step',
      { begun: false, error: 'Error: parsing main Dockerfile: Containerfile: X: unterminated heredoc' },
    ],
    [
      'unexpected',
      'an image that a clean-up removed meanwhile',
      {
        error:
          'Error: building at STEP "COPY a /a": checking if cached image exists from a previous build: getting top ' +
          'layer info: layer not known',
      },
    ],
    [
      'unexpected',
      'the same before a step is named',
      {
        error: 'Error: checking if cached image exists from a previous build: getting top layer info: layer not known',
      },
    ],
    ['containerfile', 'no FROM', { begun: false, error: 'Error: no FROM statement found' }],
    [
      'host-setup',
      'no preprocessor',
      { begun: false, error: 'Error: Containerfile.in support requires "cpp": executable file not found in $PATH' },
    ],
    [
      'containerfile',
      'a layout that is not there',
      { error: 'Error: creating build container: open out.oci/index.json: no such file or directory' },
    ],
    [
      'disk-full',
      'a full disk',
      { error: 'Error: building at STEP "COPY a /a": storing: write /var/lib/x: no space left on device' },
    ],
    ['unexpected', 'a storage that is in use', { error: 'Error: committing container: database is locked' }],
    ['unexpected', 'nothing said', { error: '' }],
  ])('%s: %s', (kind, _name, facts) => {
    expect(
      classifyBuild({ error: '', begun: true, startFailure: null, diskFull: false, outOfMemory: false, ...facts }).kind,
    ).toBe(kind);
  });

  it('runs a build again when a clean-up has removed what podman looked at, and no other', () => {
    const build = (error: string) =>
      classifyBuild({ error, begun: true, startFailure: null, diskFull: false, outOfMemory: false });
    const removed = 'checking if cached image exists from a previous build: getting top layer info: layer not known';
    expect(build(`Error: building at STEP "COPY a /a": ${removed}`).again).toBe(true);
    expect(build(`Error: ${removed}`).again).toBe(true);
    expect(build(`Error: building at STEP "RUN echo ${removed}": while running runtime: exit status 1`).again).toBe(
      undefined,
    );
    expect(build('Error: committing container: database is locked').again).toBe(undefined);
  });
});
