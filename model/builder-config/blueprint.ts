/**
 * osbuild's blueprint as bootc-image-builder reads it (osbuild/blueprint, `pkg/blueprint`): every key, and the type of
 * its value.
 */
import { z } from 'zod';

const text = z.string();
const texts = z.array(text);
const flag = z.boolean();
const whole = z.number().int();
/** A table whose keys may all be left out, and which knows no others. */
const table = <Shape extends z.core.$ZodShape>(shape: Shape) => z.strictObject(shape).partial();

/** Bytes, or a text with a unit (osbuild/images, `pkg/datasizes`). */
const DataSize = z.union([
  whole.nonnegative(),
  z
    .string()
    .regex(/^\s*\d+\s*(?:kB|KiB|MB|MiB|GB|GiB|TB|TiB)?\s*$/, 'is not a size: write it as "20 GiB", or as bytes'),
]);

const User = table({
  description: text,
  password: text,
  key: text,
  home: text,
  shell: text,
  groups: texts,
  uid: whole,
  gid: whole,
  /** Days since 1970. */
  expiredate: whole,
  force_password_reset: flag,
}).extend({ name: text.min(1) });

const FileSystem = z
  .strictObject({ mountpoint: text, minsize: DataSize.optional(), size: DataSize.optional() })
  .refine(({ minsize, size }) => (minsize === undefined) !== (size === undefined), {
    message: 'needs a minsize (its older name is size, and only one of them can be given)',
    path: ['minsize'],
  });

const fileSystemOfPartition = { mountpoint: text, label: text, fs_type: text };
const Partition = table({
  type: z.enum(['plain', 'lvm', 'btrfs']),
  part_type: text,
  part_label: text,
  part_uuid: text,
  ...fileSystemOfPartition,
  name: text,
  logical_volumes: z.array(table({ name: text, minsize: DataSize, ...fileSystemOfPartition })),
  subvolumes: z.array(table({ name: text, mountpoint: text })),
}).extend({ minsize: DataSize });

const Owner = z.union([text, whole]);
const node = { path: text.regex(/^\//, 'is not an absolute path'), mode: text.optional() };
const owned = { user: Owner.optional(), group: Owner.optional() };
/** Left to the builder: no disk type of flightline applies it. */
const Unread = z.record(z.string(), z.unknown());

const Customizations = table({
  hostname: text,
  kernel: table({ name: text, append: text }),
  sshkey: z.array(z.strictObject({ user: text, key: text })),
  user: z.array(User),
  group: z.array(z.strictObject({ name: text.min(1), gid: whole.optional() })),
  timezone: table({ timezone: text, ntpservers: texts }),
  locale: table({ languages: texts, keyboard: text }),
  firewall: table({
    ports: texts,
    services: table({ enabled: texts, disabled: texts }),
    zones: z.array(table({ name: text, sources: texts })),
  }),
  services: table({ enabled: texts, disabled: texts, masked: texts }),
  filesystem: z.array(FileSystem),
  disk: table({
    type: z.enum(['gpt', 'dos']),
    minsize: DataSize,
    partitions: z.array(Partition),
    start_offset: DataSize,
    sector_size: whole,
  }),
  installation_device: text,
  partitioning_mode: z.enum(['raw', 'lvm', 'auto-lvm', '']),
  fdo: Unread,
  openscap: Unread,
  ignition: table({ embedded: table({ config: text }), firstboot: table({ url: text, empty: flag }) }),
  directories: z.array(z.strictObject({ ...node, ...owned, ensure_parents: flag.optional() })),
  files: z.array(z.strictObject({ ...node, ...owned, data: text.optional(), uri: text.optional() })),
  repositories: z.array(Unread),
  fips: flag,
  installer: table({
    unattended: flag,
    'sudo-nopasswd': texts,
    kickstart: z.strictObject({ contents: text }),
    modules: table({ enable: texts, disable: texts }),
    bootloader: table({ grub2: table({ 'menu-timeout': whole }) }),
    payload: Unread,
  }),
  rpm: Unread,
  rhsm: Unread,
  cacerts: table({ pem_certs: texts }),
  'containers-storage': table({ 'destination-path': text }),
  firstboot: Unread,
  dnf: Unread,
  iso: table({
    application_id: text,
    publisher: text,
    volume_id: text.regex(/^[\w-]+$/, 'may have letters, digits, "-" and "_" only'),
  }),
  bootloader: Unread,
  sshd: table({
    password_authentication: flag,
    client_alive_interval: whole,
    permit_root_login: text,
    kbd_interactive_authentication: flag,
  }),
});

const named = z.array(table({ name: text, version: text }));

/** The whole file. Keys that only composer's images use are accepted, and have no effect here. */
export const Blueprint = table({
  name: text,
  description: text,
  version: text,
  packages: named,
  modules: named,
  enabled_modules: z.array(table({ name: text, stream: text })),
  groups: z.array(table({ name: text })),
  containers: z.array(table({ source: text, name: text, 'tls-verify': flag, 'local-storage': flag })),
  distro: text,
  architecture: text,
  minimal: flag,
  customizations: Customizations,
});
