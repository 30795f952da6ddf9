/** The artifact that keeps the logs of host stages after the hosts have removed them. */

/** Artifact type of a host's logs of a release: one gzip layer per log, named by its title. */
export const LOGS_ARTIFACT_TYPE = 'application/vnd.flightline.logs.v1';
/** Media type of a layer in it: UTF-8 text, gzip (RFC 1952). */
export const LOG_LAYER_TYPE = 'application/vnd.flightline.log.v1+gzip';

/** The title of a log's layer, from the log's path on its host. */
export function logTitle(path: string): string {
  return `${path.slice(path.lastIndexOf('/') + 1)}.gz`;
}
