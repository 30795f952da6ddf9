import { describe, expect, it } from 'vitest';
import { classifyBuild, classifyPodman } from '../../../../../activities/tools/podman/failure.ts';
import type { FailureKind } from '../../../../../model/release/failure.ts';

describe('classifyPodman', () => {
  it.each<[FailureKind, string]>([
    [
      'image-not-found',
      'Error: initializing source docker://127.0.0.1:5000/a@sha256:00: reading manifest sha256:00 in 127.0.0.1:5000/a: manifest unknown',
    ],
    ['image-not-found', 'Error: reading manifest 1 in quay.io/a/b: name unknown: repository not found'],
    [
      'registry',
      'Error: initializing source docker://127.0.0.1:1/b:2: pinging container registry 127.0.0.1:1: Get "https://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
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
      'Error: pinging container registry a.b: tls: failed to verify certificate: x509: certificate signed by unknown authority',
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
  const step = 'STEP 2/2: RUN x\n';

  it.each<[FailureKind, string, string]>([
    [
      'containerfile',
      'a RUN that fails',
      `${step}oops\nError: building at STEP "RUN x": while running runtime: exit status 3`,
    ],
    [
      'containerfile',
      'a RUN that cannot reach a server',
      `${step}curl: connection refused\nError: building at STEP "RUN x": while running runtime: exit status 7`,
    ],
    [
      'containerfile',
      'a RUN whose program is not there',
      `${step}error running container: from /usr/bin/runc creating container for [/x]: level=error msg="runc create failed: unable to start container process: exec: \\"/x\\": stat /x: no such file or directory"\n: exit status 1\nError: building at STEP "RUN x": while running runtime: exit status 1`,
    ],
    [
      'containerfile',
      'a COPY of nothing',
      'Error: building at STEP "COPY a /a": checking on sources under "/c": copier: stat: "/a": no such file or directory',
    ],
    [
      'containerfile',
      'an unknown instruction',
      'Error: building at STEP "FROB ": Build error: Unknown instruction: "FROB"',
    ],
    ['containerfile', 'no FROM', 'Error: no FROM statement found'],
    [
      'host-setup',
      'a runtime that cannot start anything',
      `${step}error running container: from /usr/bin/crun creating container for [/bin/sh -c x]: cgroups in hybrid mode not supported, drop all controllers from cgroupv2\n: exit status 1\nError: building at STEP "RUN x": while running runtime: exit status 1`,
    ],
    [
      'host-setup',
      'limits that cannot be set',
      `${step}error running container: from /usr/bin/runc creating container for [/bin/sh]: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted\nError: building at STEP "RUN x": while running runtime: exit status 1`,
    ],
    [
      'out-of-memory',
      'a RUN that was killed',
      `${step}Error: building at STEP "RUN x": while running runtime: exit status 137`,
    ],
    [
      'disk-full',
      'a full disk',
      'Error: building at STEP "COPY a /a": storing: write /var/lib/x: no space left on device',
    ],
    ['unexpected', 'a base that somebody removed', 'Error: creating build container: quay.io/a/b:1: image not known'],
    ['unexpected', 'nothing said', ''],
  ])('%s: %s', (kind, _name, output) => {
    expect(classifyBuild(output).kind).toBe(kind);
  });
});
