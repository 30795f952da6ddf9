/** A log on this host, and a page of it. */
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { LogPageResult } from '../../../model/contract/host.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { redact } from '../../tools/process/redact.ts';
import type { HostContext } from '../work-directory.ts';

/** Bytes of a page, which fits into a payload of 10 kB. */
const MAX_PAGE = 8_000;

/** The log does not exist. */
export class MissingLog extends FlightlineError {}

/**
 * A page of a file below the host's log directory.
 *
 * @param path absolute, or relative to the log directory
 * @throws FlightlineError `invalid-input` when the path or a link leads elsewhere, or the file does not exist
 */
export async function readLogPage(
  host: Pick<HostContext, 'name' | 'work'>,
  path: string,
  offset: number,
): Promise<LogPageResult> {
  const file = await openLog(host, path);
  try {
    const { size } = await file.stat();
    return size < offset ? { ...(await readPage(file, 0)), restarted: true } : await readPage(file, offset);
  } finally {
    await file.close();
  }
}

/**
 * Opens a file below the host's log directory for reading.
 *
 * @throws as {@link readLogPage}
 */
export async function openLog(host: Pick<HostContext, 'name' | 'work'>, path: string): Promise<FileHandle> {
  const refuse = (why: string, Kind = FlightlineError) =>
    new Kind('invalid-input', `the log ${path} cannot be read on ${host.name}: ${why}`, {
      remedy: 'take the path from `flightline status RELEASE --json`; logs are kept for 7 days',
    });
  const logs = await realpath(host.work.logs);
  const real = await realpath(resolve(logs, path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw refuse('there is no such file', MissingLog);
    throw refuse(error.message);
  });
  if (!real.startsWith(logs + sep)) throw refuse('it is not below the log directory');
  const file = await open(real, 'r');
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw refuse('it is not a file');
}

async function readPage(file: FileHandle, offset: number): Promise<LogPageResult> {
  // One byte more than a page shows whether more follows.
  const buffer = Buffer.alloc(MAX_PAGE + 1);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
  const end = bytesRead <= MAX_PAGE;
  const page = buffer.subarray(0, pageLength(buffer.subarray(0, bytesRead)));
  const text = fit(redact(page.toString('utf8')));
  return { text, nextOffset: offset + page.length, end };
}

/**
 * How many of the bytes make a page: at most {@link MAX_PAGE}, up to the end of a line if there is one, else up to a
 * whole character. So no known secret is split between two pages.
 */
function pageLength(bytes: Uint8Array): number {
  if (bytes.length > MAX_PAGE) {
    const line = Buffer.from(bytes.buffer, bytes.byteOffset, MAX_PAGE).lastIndexOf('\n'.charCodeAt(0)) + 1;
    if (line > 0) return line;
  }
  const limit = Math.min(bytes.length, MAX_PAGE);
  for (let start = limit - 1; start >= 0 && start > limit - 4; start -= 1) {
    const byte = bytes[start]!;
    // Bytes 10xxxxxx continue a character; 110…, 1110… and 11110… begin one of 2, 3 and 4 bytes (RFC 3629).
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return start + needed > limit ? start : limit;
  }
  return limit;
}

/** Redaction and marks for damaged bytes can make a text longer than a page. Then its end is left out. */
function fit(text: string): string {
  const bytes = Buffer.from(text);
  return bytes.length <= MAX_PAGE
    ? text
    : `${bytes
        .subarray(0, MAX_PAGE - 4)
        .toString('utf8')
        .replace(/\uFFFD$/, '')}…`;
}
