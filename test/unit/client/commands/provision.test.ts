import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Ajv } from 'ajv';
import { afterAll, describe, expect, it, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { readAgentConfiguration } from '../../../../activities/tools/flightctl/agent-configuration.ts';
import provision from '../../../../client/commands/provision.ts';
import { UserError } from '../../../../client/terminal/errors.ts';
import {
  cloudConfig,
  ignitionConfig,
  kickstartPost,
  openShiftManifests,
  vsphereGuestInfo,
} from '../../../../client/provision/configs.ts';

const directory = mkdtempSync(join(tmpdir(), 'flightline-provision-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A key with its certificate, by openssl: Node reads certificates and makes none. */
function credentials(days: string): { key: string; certificate: string } {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'pem' });
  const file = join(directory, 'key.pem');
  writeFileSync(file, key, { mode: 0o600 });
  const args = ['req', '-x509', '-new', '-key', file, '-days', days, '-subj', '/CN=client-enrollment'];
  return { key: String(key), certificate: execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' }) };
}

const one = credentials('365');
const base64 = (text: string) => Buffer.from(text).toString('base64');
const SERVER = 'https://agent-api.example:7443';
/** As flightctl 1.3 prints it. */
const embedded = (changes: { authentication?: object; service?: object; [key: string]: unknown } = {}) => {
  const { authentication, service, ...more } = changes;
  return stringify({
    'enrollment-service': {
      authentication: authentication ?? {
        'client-certificate-data': base64(one.certificate),
        'client-key-data': base64(one.key),
      },
      'enrollment-ui-endpoint': 'https://ui.example',
      service: service ?? { 'certificate-authority-data': base64(one.certificate), server: SERVER },
    },
    'management-service': { authentication: {}, service: {} },
    ...more,
  });
};
const CONFIG = embedded();

describe('an agent configuration', () => {
  it('is taken as flightctl prints it, with whatever else it holds', () => {
    const text = embedded({ 'default-labels': { site: 'lab7' } });
    const read = readAgentConfiguration(text, null, new Date());
    expect(read).toMatchObject({ ok: true, configuration: { text } });
  });

  const other = credentials('365');
  const data = (certificate: string, key: string) => ({
    authentication: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) },
  });
  const at = 'enrollment-service.authentication';
  test.each<[string, string, string]>([
    ['nothing', '\n \n', 'it is empty'],
    ['a text', 'hello', 'it holds no map of keys'],
    ['broken YAML', `a: [${one.key}`, 'line 2: is not YAML'],
    ['a doubled key', 'log-level: info\nlog-level: debug\n', 'line 2: is not YAML'],
    ['no enrollment', 'log-level: info\n', 'enrollment-service is missing: a device enrolls by it'],
    ['plain HTTP', embedded({ service: { server: 'http://x' } }), 'service.server is not an https URL'],
    [
      'references to files',
      embedded({ authentication: { 'client-certificate': 'certs/x.crt', 'client-key': 'certs/x.key' } }),
      `${at}.client-key-data is missing: request the configuration with --output=embedded`,
    ],
    ['no PEM', embedded(data('x', one.key)), `${at}.client-certificate-data is not PEM in base64`],
    ['no certificate', embedded(data(one.key, one.key)), `${at}.client-certificate-data is not a certificate`],
    ['no key', embedded(data(one.certificate, one.certificate)), `${at}.client-key-data is not a private key`],
    [
      'a key of another certificate',
      embedded(data(one.certificate, other.key)),
      'its private key is not that of its certificate',
    ],
  ])('is refused with %s', (_, text, problem) => {
    const check = readAgentConfiguration(text, null, new Date());
    if (check.ok) expect.fail('it should have been refused');
    expect(check.problems.join('\n')).toContain(problem);
    for (const secret of [one.key, base64(one.key), 'PRIVATE']) expect(check.problems.join('\n')).not.toContain(secret);
  });

  it('is refused once its certificate has ended', () => {
    const check = readAgentConfiguration(CONFIG, null, new Date(Date.now() + 366 * 86_400_000));
    expect(check).toMatchObject({ ok: false });
    expect(String(!check.ok && check.problems)).toContain('its certificate ended on');
  });
});

/**
 * Validates by a schema of those who read it (test/schemas). Both are of draft 4, and use nothing that draft 7 reads
 * otherwise.
 */
function problemsBy(schema: string, value: unknown): unknown[] {
  const { $schema: _, ...rules } = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../../schemas', `${schema}.json`), 'utf8'),
  ) as Record<string, unknown>;
  const validate = new Ajv({ strict: false, allErrors: true }).compile(rules);
  return validate(value) ? [] : (validate.errors ?? []);
}

describe('what is printed', () => {
  const written = (cloud: string) => {
    expect(cloud.split('\n')[0]).toBe('#cloud-config');
    const { write_files: files, ...rest } = parse(cloud) as { write_files: Record<string, string>[] };
    expect(rest).toEqual({});
    expect(files).toHaveLength(1);
    const [{ content, ...file }] = files as [Record<string, string>];
    // A number would be read as decimal.
    expect(file).toEqual({
      path: '/etc/flightctl/config.yaml',
      encoding: 'b64',
      owner: 'root:root',
      permissions: '0600',
    });
    return Buffer.from(content!, 'base64').toString();
  };

  it('is user-data for cloud-init', () => {
    const userData = cloudConfig(CONFIG);
    expect(written(userData)).toBe(CONFIG);
    expect(problemsBy('cloud-init-write-files', parse(userData))).toEqual([]);
    const wrong = parse(userData.replace('encoding: b64', 'encoding: b46')) as unknown;
    expect(problemsBy('cloud-init-write-files', wrong)).not.toEqual([]);
  });

  it('is a Secret and a VirtualMachine that gets it', () => {
    const image = 'quay.io/acme/edge/diskimage-qcow2:v1';
    const documents = parseAllDocuments(openShiftManifests(CONFIG, { name: 'edge-1', image }));
    const [secret, machine] = documents.map((document): unknown => document.toJS());
    expect(documents).toHaveLength(2);
    expect(secret).toMatchObject({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'edge-1-enrollment' } });
    const { data } = secret as { data: Record<string, string> };
    expect(Object.keys(data)).toEqual(['userdata']);
    expect(written(Buffer.from(data.userdata!, 'base64').toString())).toBe(CONFIG);
    const disks = ['containerdisk', 'cloudinitdisk'].map((name) => ({ name, disk: { bus: 'virtio' } }));
    const volumes = [
      { name: 'containerdisk', containerDisk: { image } },
      { name: 'cloudinitdisk', cloudInitNoCloud: { secretRef: { name: 'edge-1-enrollment' } } },
    ];
    expect(machine).toMatchObject({
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachine',
      metadata: { name: 'edge-1' },
      spec: { template: { spec: { domain: { devices: { disks } }, volumes } } },
    });
  });

  it('is guestinfo for vSphere', () => {
    const values = vsphereGuestInfo(CONFIG, 'edge-1');
    const unpacked = (name: string) => gunzipSync(Buffer.from(values[name]!, 'base64')).toString();
    expect(Object.keys(values)).toHaveLength(4);
    expect(values['guestinfo.userdata.encoding']).toBe('gzip+base64');
    expect(values['guestinfo.metadata.encoding']).toBe('gzip+base64');
    expect(written(unpacked('guestinfo.userdata'))).toBe(CONFIG);
    expect(parse(unpacked('guestinfo.metadata'))).toEqual({ 'instance-id': 'edge-1', 'local-hostname': 'edge-1' });
  });

  it('is an Ignition configuration', () => {
    const document: unknown = JSON.parse(ignitionConfig(CONFIG));
    expect(problemsBy('ignition-3.0', document)).toEqual([]);
    expect(problemsBy('ignition-3.0', JSON.parse(ignitionConfig(CONFIG).replace('384', '"0600"')))).not.toEqual([]);
    const { ignition, storage } = JSON.parse(ignitionConfig(CONFIG));
    expect(ignition).toEqual({ version: '3.0.0' });
    expect(storage.files).toEqual([
      { path: '/etc/flightctl/config.yaml', overwrite: true, mode: 384, contents: { source: expect.any(String) } },
    ]);
    const [, content] = /^data:;base64,(.*)$/.exec(storage.files[0].contents.source)!;
    expect(Buffer.from(content!, 'base64').toString()).toBe(CONFIG);
  });

  it('is a kickstart section that writes the file, readable for root alone, over one that all may read', () => {
    const lines = kickstartPost(CONFIG).split('\n');
    expect([lines[0], ...lines.slice(-2)]).toEqual(['%post --erroronfail', '%end', '']);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(90);
    const root = join(directory, 'kickstart');
    // A shell runs it, as anaconda does; here in a directory that stands for the installed system.
    const script = lines.slice(1, -2).join('\n').replaceAll('/etc/flightctl', `${root}/etc/flightctl`);
    for (const before of ['', `mkdir -p ${root}/etc/flightctl; echo old > ${root}/etc/flightctl/config.yaml; `]) {
      execFileSync('sh', ['-e'], { input: `${before}${script}\n` });
      const file = join(root, 'etc/flightctl/config.yaml');
      expect(readFileSync(file, 'utf8')).toBe(CONFIG);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
    expect(statSync(join(root, 'etc/flightctl')).mode & 0o777).toBe(0o755);
  });
});

type Mechanism = Parameters<typeof provision.run>[0][0];
type Options = Parameters<typeof provision.run>[1];

describe('flightline provision', () => {
  const config = join(directory, 'config.yaml');
  writeFileSync(config, CONFIG);
  const record = join(directory, 'record.json');
  const run = async (mechanism: Mechanism, options: Partial<Options> = {}) => {
    const [printed, notes]: [string[], string[]] = [[], []];
    const code = await provision.run(
      [mechanism],
      { config, ...options },
      {
        json: false,
        live: false,
        colour: { result: false, progress: false },
        result: (text) => void printed.push(text),
        document: () => undefined,
        note: (text) => void notes.push(text),
      },
    );
    return { code, printed: printed.join('\n'), notes };
  };

  test.each<[Mechanism, Partial<Options>, RegExp]>([
    ['cloud-init', {}, /^#cloud-config\n/],
    ['cloud-init', { target: 'vsphere', name: 'edge-1' }, /^guestinfo\.userdata=\S+\nguestinfo\.userdata\.encoding=/],
    [
      'cloud-init',
      { target: 'openshift-virtualization', name: 'edge-1', image: 'quay.io/a/b:v1' },
      /image: quay.io\/a\/b:v1/,
    ],
    ['ignition', {}, /^\{/],
    ['kickstart', {}, /^%post/],
  ])('prints for %s %o', async (mechanism, options, pattern) => {
    const { code, printed, notes } = await run(mechanism, options);
    expect(code).toBe(0);
    expect(printed).toMatch(pattern);
    expect(notes).toEqual([]);
  });

  it('writes a file that nobody else can read, and none over another', async () => {
    const output = join(directory, 'user-data');
    const { printed, notes } = await run('cloud-init', { output });
    expect(printed).toBe('');
    expect(notes[0]).toContain('private key');
    expect(readFileSync(output, 'utf8')).toBe(cloudConfig(CONFIG));
    expect(statSync(output).mode & 0o777).toBe(0o600);
    await expect(run('cloud-init', { output })).rejects.toThrow('exists already');
  });

  it('names the container disk of a record by its digest', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const disk = {
      type: 'qcow2',
      reference: 'quay.io/a/b:v1',
      digest,
      verified: true,
      updateFrom: 'quay.io/a:v1',
      file: null,
    };
    const made = {
      schemaVersion: 1,
      release: 'release/quay.io/a:v1',
      runId: 'r',
      status: 'released',
      image: { reference: 'quay.io/a:v1', digest, verified: true },
      inputs: null,
      stages: [],
      failure: null,
    };
    const options: Partial<Options> = { target: 'openshift-virtualization', name: 'edge-1', record };
    writeFileSync(record, JSON.stringify({ ...made, disks: [{ ...disk, form: 'container-disk' }] }));
    expect((await run('cloud-init', options)).printed).toContain(`image: quay.io/a/b@${digest}`);
    writeFileSync(record, JSON.stringify({ ...made, disks: [{ ...disk, form: 'artifact' }] }));
    await expect(run('cloud-init', options)).rejects.toThrow('it names no published container disk');
  });

  it('warns of a certificate that ends soon', async () => {
    const soon = credentials('3');
    const file = join(directory, 'soon.yaml');
    const authentication = {
      'client-certificate-data': base64(soon.certificate),
      'client-key-data': base64(soon.key),
    };
    writeFileSync(file, embedded({ authentication }));
    expect((await run('cloud-init', { config: file })).notes[0]).toMatch(
      /^warning: the enrollment certificate ends on /,
    );
  });

  test.each<[Mechanism, Partial<Options>, string]>([
    ['cloud-init', { config: '/nonexistent' }, 'cannot be used'],
    ['cloud-init', { config: record }, 'is not an agent configuration with an enrollment'],
    ['cloud-init', { target: 'vsphere' }, 'a target needs the name'],
    ['cloud-init', { target: 'vsphere', name: 'Edge_1' }, '"Edge_1" is not a name'],
    ['cloud-init', { target: 'openshift-virtualization', name: 'edge-1' }, 'needs the container disk'],
    ['cloud-init', { target: 'openshift-virtualization', name: 'edge-1', image: '-x' }, '--image: '],
    ['ignition', { target: 'vsphere' }, '--target is for cloud-init only'],
    ['kickstart', { name: 'edge-1' }, '--name is for a --target only'],
    ['cloud-init', { target: 'vsphere', name: 'edge-1', image: 'quay.io/a:1' }, '--image is for openshift'],
  ])('refuses %s %o', async (mechanism, options, message) => {
    writeFileSync(record, '{}');
    const error = await run(mechanism, options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain(message);
    expect((error as UserError).exitCode).toBe(2);
  });
});
