import { describe, expect, it } from 'vitest';
import { classifyFlightctl, flightctlMessage } from '../../../../../activities/tools/flightctl/classify.ts';
import { requestArguments, requestName } from '../../../../../activities/tools/flightctl/flightctl.ts';
import { FAILURES, type FailureKind } from '../../../../../model/failure/failures.ts';

it('asks for one configuration in a private directory, within a time', () => {
  const request = {
    signer: 'enrollment',
    days: 30,
    name: requestName('release/quay.io/acme/Edge_Camera:v1.2'),
    configDirectory: '/etc/fc',
    outputDirectory: '/w/keys',
    timeout: 60,
  };
  expect(requestArguments(request)).toEqual([
    'certificate',
    'request',
    '--signer=enrollment',
    '--expiration=30d',
    '--name=flightline-edge-camera-v1-2',
    '--output=embedded',
    '--config-dir=/etc/fc',
    '--output-dir=/w/keys',
    '--request-timeout=60',
  ]);
});

describe('a failed client', () => {
  // Texts of flightctl 1.2 and 1.3, as they were seen.
  const post = 'Submitting certificate signing request "x"...Error: submitting CSR: Post "https://fc:3443/api/v1/x"';
  it.each<[FailureKind, string]>([
    [
      'enrollment-login',
      "Error: you must log in to perform this operation. Please use the 'login' command to authenticate " +
        'before proceeding',
    ],
    ['enrollment-login', 'Error: config directory "/etc/fc" does not exist'],
    ['enrollment-login', 'Submitting … failed.\nError: submitting CSR failed with status "401 Unauthorized"'],
    ['enrollment-login', 'Error: submitting CSR failed with status "400 Bad Request": failed to get auth token'],
    [
      'enrollment-login',
      'Error: Your session has expired. Please log in again using: flightctl login https://fc\nError: ' +
        'submitting CSR failed with status "401 Unauthorized"',
    ],
    ['enrollment-login', 'Error: creating client: invalid configuration: no server found'],
    ['enrollment-login', `${post}: tls: failed to verify certificate: x509: certificate signed by unknown authority`],
    ['enrollment-login', 'Error: submitting CSR failed with status "404 Not Found"'],
    ['enrollment-denied', 'Error: submitting CSR failed with status "403 Forbidden"'],
    ['enrollment-denied', 'Error: getting enrollment config: server returned 403: Forbidden'],
    ['enrollment-service', `${post}: dial tcp 192.0.2.1:3443: connect: connection refused`],
    [
      // The identity provider is away while the token is renewed; the old one is sent, and refused.
      'enrollment-service',
      'Failed to refresh token: failed to renew token: Post "https://id.example/token": dial tcp 192.0.2.1:443: ' +
        'connect: connection refused\nError: submitting CSR failed with status "401 Unauthorized"',
    ],
    [
      'enrollment-service',
      'failed to renew token: received unexpected status 503 Service Unavailable\n' +
        'Error: submitting CSR failed with status "401 Unauthorized"',
    ],
    [
      'enrollment-login',
      'failed to renew token: 400 Bad Request: invalid_grant\n' +
        'Error: submitting CSR failed with status "401 Unauthorized"',
    ],
    ['enrollment-service', `${post}: dial tcp: lookup fc.invalid 192.0.2.53: no such host`],
    ['enrollment-service', `${post}: context deadline exceeded`],
    [
      'enrollment-service',
      'Waiting for certificate to be approved and issued....Error: timeout polling for certificate',
    ],
    [
      'enrollment-service',
      'Error: polling for certificate: reading CSR %!q(<nil>): Get "https://fc": dial tcp: connect: connection refused',
    ],
    ['enrollment-service', 'Error: submitting CSR failed with status "503 Service Unavailable"'],
    ['host-setup', 'Error: unknown flag: --config-dir'],
    ['enrollment', 'Error: invalid organization ID "notanorg": invalid UUID length: 8'],
    ['enrollment', ''],
  ])('%s: %s', (kind, stderr) => {
    expect(classifyFlightctl(stderr).kind).toBe(kind);
  });

  it('names the role that is short of one right', () => {
    const stderr = 'Error: getting enrollment config: server returned 403: Forbidden';
    expect(classifyFlightctl(stderr).remedy).toContain('flightctl-installer');
  });

  it('is retried only where another try may help: each one issues a certificate', () => {
    const kinds = ['enrollment', 'enrollment-login', 'enrollment-denied', 'enrollment-binding'] as const;
    for (const kind of kinds) expect(['hold', 'elsewhere']).toContain(FAILURES[kind].disposition);
    expect(FAILURES['enrollment-service'].disposition).toBe('retry');
  });

  it('is quoted from its error on, also within a line', () => {
    expect(flightctlMessage('Creating new ECDSA key pair…\nSubmitting "x"...Error: submitting CSR: refused\n')).toBe(
      'submitting CSR: refused',
    );
    expect(flightctlMessage('2026/11/23 could not get user config directory\n')).toMatch(/^2026/);
  });
});
