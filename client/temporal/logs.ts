/** Reads logs: page by page from the host that wrote them, or from the artifact in which they are kept. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { LogPageResult } from '../../model/contract/host.ts';
import { FlightlineError, type LogLocation } from '../../model/failure/failure.ts';
import { LOGS_ARTIFACT_TYPE, logTitle } from '../../model/stage/logs.ts';
import { OCI } from '../../model/oci/labels.ts';
import { parseManifest } from '../../model/oci/manifest.ts';
import type { KeptLogs } from '../../model/release/record.ts';
import { registryOf } from '../../model/oci/reference.ts';
import { DEFAULT_TIMING } from '../../model/base/timing.ts';
import type { Temporal } from './temporal.ts';
import { askControl } from './control.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';

/** Milliseconds until a page must have arrived; the host gets `probeScheduleToStart` to begin. */
const PAGE_TIMEOUT = DEFAULT_TIMING.probeScheduleToStart + DEFAULT_TIMING.shortStartToClose;

/** Bytes of a kept log, before and after compression; hosts send 16 MiB at most. */
const MAX_KEPT = 64 * 1024 * 1024;

const decompress = promisify(gunzip);

/** The pages of a log, each read by the host itself. */
export async function* pages(temporal: Temporal, log: LogLocation): AsyncGenerator<string> {
  let offset = 0;
  for (;;) {
    const page = await readPage(temporal, log, offset);
    yield page.text;
    if (page.end || page.nextOffset <= offset) return;
    offset = page.nextOffset;
  }
}

/**
 * One page; `wait` (ms) lets the host wait for something to be there.
 *
 * @throws UserError of the failure's kind: `no-host`, or `invalid-input` for a log that is not there.
 */
export async function readPage(
  temporal: Temporal,
  log: LogLocation,
  offset: number,
  wait?: number,
): Promise<LogPageResult> {
  try {
    const input = { host: log.host, path: log.path, offset, timing: DEFAULT_TIMING, wait };
    const summary = `log ${log.path} on ${log.host}`;
    return await askControl(temporal, { about: 'log', input, summary }, LogPageResult, PAGE_TIMEOUT);
  } catch (error) {
    if (!(error instanceof UserError) || error.kind === 'no-control-worker') throw error;
    throw new UserError(
      error.kind,
      `the log cannot be read from ${log.host}: ${error.message}`,
      `see that the worker of ${log.host} runs; logs are kept for 7 days in ${log.path}`,
      EXIT.failed,
    );
  }
}

/**
 * The text of a log from its artifact, with this user's own login. Manifest and layer are checked by the digest that
 * the record names.
 *
 * @throws UserError `registry-login`, `registry-denied`, `registry`, or `no-log` when it is not in there.
 */
export async function readKeptLog(kept: KeptLogs, path: string): Promise<string> {
  const { repository, digest } = kept;
  const missing = (what: string) =>
    new UserError('no-log', `${repository}@${digest} ${what}`, 'it may have been pruned', EXIT.failed);
  try {
    return await withUserAccess(async (access) => {
      const stored = await access.repository(repository).getManifest(digest);
      if (!stored) throw missing('is not in the registry');
      const manifest = parseManifest(stored.bytes);
      if (manifest?.artifactType !== LOGS_ARTIFACT_TYPE) throw missing('holds no logs');
      const layer = manifest.layers?.find(({ annotations }) => annotations?.[OCI.title] === logTitle(path));
      if (!layer) throw missing(`holds no ${logTitle(path)}`);
      const bytes = await access.repository(repository).getBlob(layer.digest, MAX_KEPT);
      if (!bytes) throw missing(`has lost ${logTitle(path)}`);
      return (await decompress(bytes, { maxOutputLength: MAX_KEPT })).toString('utf8');
    });
  } catch (error) {
    if (!(error instanceof FlightlineError)) throw error;
    const { kind, message } = error.failure;
    const registry = registryOf(repository);
    const remedy =
      kind === 'registry'
        ? `see that ${registry} answers from here`
        : `log in here with \`skopeo login ${registry}\`, as somebody who may pull from ${repository}`;
    throw new UserError(kind, `the log cannot be read from ${repository}: ${message}`, remedy, EXIT.failed, error);
  }
}
