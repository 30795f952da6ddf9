/** Names of machines and of what they are. */
import { z } from 'zod';

/** Architectures in Go's and OCI's names. */
export const ARCHITECTURES = ['amd64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** A host's name: a DNS label or name in lower case, stable across restarts, since queue names are made of it. */
export const HostName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/,
    'is not a host name: use lower-case letters, digits, "-" and ".", at most 63',
  );
