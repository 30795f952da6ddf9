/**
 * Downloads a blob piece by piece by range requests (RFC 9110, section 14), so that a download that was interrupted
 * goes on where it stopped.
 */
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { expectSuccess } from './api.ts';
import type { HttpResponse } from './http.ts';
import { digestFile } from './oci-layout.ts';
import type { RepositoryClient } from './repository.ts';

/** Bytes of the first piece, and the bounds of the next ones: they follow the speed of the connection. */
const FIRST_PIECE = 4 * 1024 ** 2;
const LEAST_PIECE = 256 * 1024;
const MOST_PIECE = 64 * 1024 ** 2;
/** A piece that takes less (ms) was small, and one that takes longer was large: a request has a minute. */
const QUICK = 2_000;
const SLOW = 20_000;
/** Milliseconds before a piece is asked for again; after the last one the failure counts. */
const PAUSES = [1_000, 2_000, 5_000, 10_000];

/** What to download. */
interface Blob {
  digest: string;
  /** Bytes. */
  size: number;
}

/**
 * Downloads a blob to `file`, and checks it. What has arrived stays in `<file>.part` when it fails. What lies there
 * already is only taken once it is checked. Leaves no file when the registry gives no part of a blob.
 *
 * @param progress called with the bytes that are there
 * @throws FlightlineError `registry` when it does not answer, or when the blob is damaged; `image-not-found`
 */
export async function downloadBlob(
  repository: RepositoryClient,
  blob: Blob,
  file: string,
  progress: (bytes: number) => void,
): Promise<void> {
  const part = `${file}.part`;
  await mkdir(dirname(file), { recursive: true });
  await rename(file, part).catch(() => undefined);
  if (!(await givesRanges(repository, blob.digest))) return rm(part, { force: true });
  const target = await open(part, 'a');
  try {
    let at = (await target.stat()).size;
    // Longer than the blob: it is of something else.
    if (at > blob.size) await target.truncate((at = 0));
    for (let piece = FIRST_PIECE; at < blob.size;) {
      progress(at);
      const began = Date.now();
      const bytes = await patiently(() => rangeOf(repository, blob.digest, at, Math.min(at + piece, blob.size) - 1));
      await target.appendFile(bytes);
      at += bytes.length;
      piece = nextPiece(piece, Date.now() - began);
    }
  } finally {
    await target.close();
  }
  progress((await stat(part)).size);
  if ((await digestFile(part)).digest !== blob.digest) {
    await rm(part, { force: true });
    throw new FlightlineError('registry', `${repository.repository}: the blob ${blob.digest} arrived damaged`);
  }
  await rename(part, file);
}

/** Bytes of the next piece, by the size of the last one and the time that it took (ms). Pure. */
function nextPiece(size: number, milliseconds: number): number {
  if (milliseconds < QUICK) return Math.min(size * 2, MOST_PIECE);
  return milliseconds > SLOW ? Math.max(Math.floor(size / 4), LEAST_PIECE) : size;
}

/** `true` when the registry gives parts of a blob (RFC 9110, "Accept-Ranges"). */
async function givesRanges(repository: RepositoryClient, digest: string): Promise<boolean> {
  const answer = await repository.ask('pull', `/blobs/${digest}`, { method: 'HEAD' });
  expectBlob(answer, repository, digest);
  return /\bbytes\b/i.test(answer.headers['accept-ranges'] ?? '');
}

/** The part of a blob from its byte `first` to `last`, both included. It is not checked. */
async function rangeOf(repository: RepositoryClient, digest: string, first: number, last: number): Promise<Buffer> {
  const length = last - first + 1;
  const headers = { range: `bytes=${first}-${last}` };
  const answer = await repository.ask('pull', `/blobs/${digest}`, { headers, limit: length });
  expectBlob(answer, repository, digest);
  if (answer.status === 206 && answer.body.length === length) return answer.body;
  throw new FlightlineError('registry', `${repository.repository}: the registry gave another part of ${digest}`);
}

function expectBlob(answer: HttpResponse, { repository }: RepositoryClient, digest: string): void {
  if (answer.status === 404) throw new FlightlineError('image-not-found', `${repository} has no blob ${digest}`);
  expectSuccess(answer, repository, `the blob ${digest}`);
}

async function patiently<Result>(work: () => Promise<Result>): Promise<Result> {
  for (const wait of PAUSES) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof FlightlineError) || error.failure.kind !== 'registry') throw error;
      await pause(wait);
    }
  }
  return work();
}
