/** Reads a host's leases: one JSON file (0600) each in its work directory. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { releaseKey } from '../../model/release/inputs.ts';
import { sha256 } from '../../model/base/digest.ts';
import { readNote } from '../tools/note.ts';
import { Lease, LeaseRequest } from './lease-decision.ts';
import type { HostContext } from './work-directory.ts';

/** The part of a host that leases need. */
export type LeaseHost = Pick<HostContext, 'name' | 'work' | 'configuration'>;

/** The content of the files. `damaged` are the paths of files with neither a lease nor a request. */
export interface LeaseFiles {
  readonly leases: readonly Lease[];
  readonly requests: readonly LeaseRequest[];
  readonly damaged: readonly string[];
}

/** Reads all leases and requests. */
export async function readLeaseFiles(host: LeaseHost): Promise<LeaseFiles> {
  const damaged: string[] = [];
  return {
    leases: await readAll(host.work.leases, Lease, damaged),
    requests: await readAll(host.work.requests, LeaseRequest, damaged),
    damaged,
  };
}

function fileName(branch: Pick<Lease, 'release' | 'branch'>): string {
  return `${releaseKey(branch.release)}-${sha256(branch.branch).slice(0, 16)}.json`;
}

/** The release's key in file names. */
export function keyOf(name: string): string {
  return name.slice(0, name.indexOf('-'));
}

export function leaseFile(host: LeaseHost, branch: Pick<Lease, 'release' | 'branch'>): string {
  return join(host.work.leases, fileName(branch));
}

export function requestFile(host: LeaseHost, branch: Pick<Lease, 'release' | 'branch'>): string {
  return join(host.work.requests, fileName(branch));
}

async function readAll<Schema extends z.ZodType>(
  directory: string,
  schema: Schema,
  damaged: string[],
): Promise<z.infer<Schema>[]> {
  const found: z.infer<Schema>[] = [];
  for (const name of (await readdir(directory)).sort()) {
    if (!name.endsWith('.json')) continue;
    const path = join(directory, name);
    const value = await readNote(path, schema, 'damaged' as const);
    if (value === 'damaged') damaged.push(path);
    else if (value !== undefined) found.push(value);
  }
  return found;
}
