/** Sizes as people write them: `300MB`, `1.5GB`, `512MiB`. Pure. */
import { z } from 'zod';

const UNITS: Record<string, number> = {
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

const SIZE = /^(\d{1,6}(?:\.\d{1,3})?) ?([kMGT]B|[KMGT]iB)$/;

/** Bytes of `300MB`, `1.5 GB`, `512MiB`; undefined for anything else. */
export function parseByteSize(text: string): number | undefined {
  const parsed = SIZE.exec(text);
  return parsed ? Math.round(Number(parsed[1]) * UNITS[parsed[2]!]!) : undefined;
}

/** A schema for a size. It keeps the text as written. */
export const ByteSize = z.string().trim().regex(SIZE, 'is not a size such as 300MB, 1.5GB or 512MiB');
