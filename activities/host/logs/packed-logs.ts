/** Packs this host's logs of a release as an artifact. */
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FileHandle } from 'node:fs/promises';
import { sha256 } from '../../../model/base/digest.ts';
import { RELEASE_LABEL } from '../../../model/oci/labels.ts';
import { LOG_LAYER_TYPE, LOGS_ARTIFACT_TYPE, logTitle } from '../../../model/stage/logs.ts';
import type { KeepLogsInput } from '../../../model/contract/host.ts';
import { filesArtifact, type Layout } from '../../../model/oci/manifest.ts';
import { MissingLog, openLog } from './log-file.ts';
import type { LayoutBlob } from '../../tools/registry/oci-layout.ts';
import { redact } from '../../tools/process/redact.ts';
import type { HostContext } from '../work-directory.ts';

const MIB = 1024 * 1024;

/** Bytes of one log, and of all logs of a release on one host, before compression to about a tenth. */
const MAX_LOG = 16 * MIB;

const MAX_ALL = 64 * MIB;

/** Lines that are redacted at a time, before other tasks of the worker get their turn. */
const BATCH = 2_000;

const compress = promisify(gzip);

/** An artifact of logs before it is sent. */
export interface PackedLogs {
  layout: Layout;
  blobs: LayoutBlob[];
}

/**
 * Packs the logs that exist; undefined when there are none. Equal logs give equal bytes.
 *
 * @param longest bytes of one log; a longer one keeps its beginning and its end
 */
export async function packLogs(
  host: Pick<HostContext, 'name' | 'work'>,
  { release, paths }: Pick<KeepLogsInput, 'release' | 'paths'>,
  longest = MAX_LOG,
): Promise<PackedLogs | undefined> {
  const limit = Math.min(longest, Math.floor(MAX_ALL / paths.length));
  const files: { title: string; digest: string; bytes: Buffer }[] = [];
  for (const path of paths.toSorted()) {
    const text = await readLog(host, path, limit);
    if (text === undefined) continue;
    const bytes = await compress(text);
    files.push({ title: logTitle(path), digest: `sha256:${sha256(bytes)}`, bytes });
  }
  if (files.length === 0) return undefined;
  const layout = filesArtifact({
    artifactType: LOGS_ARTIFACT_TYPE,
    blobs: files.map(({ title, digest, bytes }) => ({ mediaType: LOG_LAYER_TYPE, digest, size: bytes.length, title })),
    annotations: { [RELEASE_LABEL]: release },
  });
  const distinct = files.filter(({ digest }, index) => files.findIndex((other) => other.digest === digest) === index);
  return { layout, blobs: distinct.map(({ digest, bytes }) => ({ digest, bytes })) };
}

/**
 * A log's text, redacted once more. A log above the limit keeps its beginning, three quarters of the limit, and its
 * end.
 */
async function readLog(
  host: Pick<HostContext, 'name' | 'work'>,
  path: string,
  limit: number,
): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await openLog(host, path);
  } catch (error) {
    if (error instanceof MissingLog) return undefined;
    throw error;
  }
  try {
    const { size } = await file.stat();
    const parts = logParts(size, limit);
    const texts: string[] = [];
    for (const [start, length] of parts) {
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await file.read(buffer, 0, length, start);
      texts.push(buffer.toString('utf8', 0, bytesRead));
    }
    const left = size - parts.reduce((sum, [, length]) => sum + length, 0);
    return await redactLines(joinParts(texts, left));
  } finally {
    await file.close();
  }
}

async function redactLines(text: string): Promise<string> {
  const lines = text.split('\n');
  const clean: string[] = [];
  for (let at = 0; at < lines.length; at += BATCH) {
    for (const line of lines.slice(at, at + BATCH)) clean.push(redact(line));
    await turn();
  }
  return clean.join('\n');
}

/** Which parts of a long log are kept. Pure. */

/** The bytes of a log that are kept, as pairs of offset and length. Pure. */
function logParts(size: number, limit: number): [number, number][] {
  if (size <= limit) return [[0, size]];
  const end = Math.floor(limit / 4);
  return [
    [0, limit - end],
    [size - end, end],
  ];
}

/** Joins a log's beginning and end at whole lines, so that no part of a secret remains. Pure. */
function joinParts(texts: readonly string[], left: number): string {
  const [beginning = '', end] = texts;
  if (end === undefined) return beginning;
  const whole = beginning.slice(0, beginning.lastIndexOf('\n') + 1);
  const note = `… ${left} bytes or more are left out here: the log is too long …`;
  return `${whole}${note}\n${end.slice(end.indexOf('\n') + 1)}`;
}
