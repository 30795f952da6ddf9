/**
 * What injects an agent configuration into a device: documents of cloud-init, Ignition and kickstart, and those
 * around them. Pure.
 */
import { gzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import { AGENT_CONFIGURATION_PATH } from '../../model/spec/enrollment.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** Lines are not folded: folded base64 is valid, but hard to compare. */
const yaml = (value: unknown) => stringify(value, { lineWidth: 0 });

/**
 * cloud-init's user-data (its "Cloud config", `write_files`). The agent, which starts again and again until then,
 * finds the file.
 */
export function cloudConfig(config: string): string {
  const file = {
    path: AGENT_CONFIGURATION_PATH,
    content: base64(config),
    encoding: 'b64',
    owner: 'root:root',
    permissions: '0600',
  };
  return `#cloud-config\n${yaml({ write_files: [file] })}`;
}

/** cloud-init's meta-data: another instance id is a new device. */
function metadata(name: string): string {
  return yaml({ 'instance-id': name, 'local-hostname': name });
}

/** Bytes of memory and processors of a virtual machine (Flight Control, "Provisioning devices"). */
const MEMORY = '1024M';
const CORES = 1;

/**
 * The manifests for OpenShift Virtualization: a Secret with the user-data, and a VirtualMachine (kubevirt.io/v1) that
 * gets it.
 */
export function openShiftManifests(config: string, machine: { name: string; image: string }): string {
  const { name, image } = machine;
  const secretName = `${name}-enrollment`;
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretName },
    type: 'Opaque',
    // KubeVirt reads this key of the Secret.
    data: { userdata: base64(cloudConfig(config)) },
  };
  const virtualMachine = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name },
    spec: {
      runStrategy: 'RerunOnFailure',
      template: {
        spec: {
          domain: {
            cpu: { cores: CORES },
            memory: { guest: MEMORY },
            devices: {
              disks: ['containerdisk', 'cloudinitdisk'].map((disk) => ({ name: disk, disk: { bus: 'virtio' } })),
              interfaces: [{ name: 'default', masquerade: {} }],
            },
          },
          networks: [{ name: 'default', pod: {} }],
          volumes: [
            { name: 'containerdisk', containerDisk: { image } },
            { name: 'cloudinitdisk', cloudInitNoCloud: { secretRef: { name: secretName } } },
          ],
        },
      },
    },
  };
  return [secret, virtualMachine].map(yaml).join('---\n');
}

/** The extra configuration of a vSphere virtual machine (cloud-init, "DataSourceVMware"), each value in one word. */
export function vsphereGuestInfo(config: string, name: string): Record<string, string> {
  const packed = (text: string) => gzipSync(text, { level: 9 }).toString('base64');
  const encoding = 'gzip+base64';
  return {
    'guestinfo.userdata': packed(cloudConfig(config)),
    'guestinfo.userdata.encoding': encoding,
    'guestinfo.metadata': packed(metadata(name)),
    'guestinfo.metadata.encoding': encoding,
  };
}

/**
 * An Ignition configuration (specification 3.0.0, which every later 3.x reads as it is). Modes are decimal there: 384
 * is 0600.
 */
export function ignitionConfig(config: string): string {
  const file = {
    path: AGENT_CONFIGURATION_PATH,
    overwrite: true,
    mode: 0o600,
    contents: { source: `data:;base64,${base64(config)}` },
  };
  return `${JSON.stringify({ ignition: { version: '3.0.0' }, storage: { files: [file] } }, null, 2)}\n`;
}

/** Columns of base64 in a kickstart, as `base64` prints it. */
const COLUMNS = 76;

/** A kickstart's `%post` section. A file that is there is replaced, since writing to it would keep its mode. */
export function kickstartPost(config: string): string {
  const lines = base64(config).match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [];
  return [
    '%post --erroronfail',
    'install --directory --mode=0755 /etc/flightctl',
    'umask 077',
    `rm --force ${AGENT_CONFIGURATION_PATH}`,
    `base64 --decode > ${AGENT_CONFIGURATION_PATH} <<'END_OF_CONFIGURATION'`,
    ...lines,
    'END_OF_CONFIGURATION',
    '%end',
    '',
  ].join('\n');
}
