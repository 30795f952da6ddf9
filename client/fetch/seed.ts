/** The seed by which cloud-init makes a first user when a disk boots (its datasource NoCloud). */
import { mkdir, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { FirstUser } from '../init/choices.ts';

/** Lines are not folded: a key is one long word and a comment. */
const yaml = (value: unknown) => stringify(value, { lineWidth: 0 });

/** Writes a seed with a user who may log in by SSH and become root, into a directory that is made. */
export async function writeSeed(directory: string, { name, key }: FirstUser): Promise<void> {
  await mkdir(directory);
  // A disk that was booted before with another seed takes this one too: the id tells them apart.
  await writeFile(`${directory}/meta-data`, yaml({ 'instance-id': `flightline-boot-${process.pid}` }));
  const user = { name, sudo: 'ALL=(ALL) NOPASSWD:ALL', shell: '/bin/bash', ssh_authorized_keys: [key] };
  await writeFile(`${directory}/user-data`, `#cloud-config\n${yaml({ users: [user] })}`);
}
