/** Host names and architectures. */
import { z } from 'zod';

/** Architectures in Go's and OCI's names. */
export const ARCHITECTURES = ['amd64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

const NODE_NAMES: Partial<Record<string, Architecture>> = { x64: 'amd64', arm64: 'arm64' };

/** The architecture of a machine, from Node's name of it (`process.arch`); undefined for all others. */
export function architectureOf(node: string): Architecture | undefined {
  return NODE_NAMES[node];
}

/** A host's name: a DNS name in lower case. Queue names contain it, so it stays the same across restarts. */
export const HostName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/,
    'is not a host name: use lower-case letters, digits, "-" and ".", at most 63',
  );
