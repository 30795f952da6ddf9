/**
 * The logs of host stages: how their files are called, and the artifact that keeps them when the hosts do not any more.
 */
import type { Stage } from './stage.ts';

/** Artifact type of a host's logs of a release: one gzip layer for each log, named by its title. */
export const LOGS_ARTIFACT_TYPE = 'application/vnd.flightline.logs.v1';
/** Media type of a layer in it: UTF-8 text, gzip (RFC 1952). */
export const LOG_LAYER_TYPE = 'application/vnd.flightline.log.v1+gzip';

/** The stages that write a log. */
export const LOGGED_STAGES = ['build', 'push', 'device-verify', 'disk-build', 'boot-test', 'publish'] as const;
type LoggedStage = (typeof LOGGED_STAGES)[number];

/** `true` for a stage that writes a log. */
export function isLogged(stage: Stage): stage is LoggedStage {
  return LOGGED_STAGES.some((logged) => logged === stage);
}

/**
 * The name of a stage's log, without `.log`. `subject` is a row's: `image`, a disk type, or the types of a builder run.
 */
export function logName(stage: LoggedStage, subject: string): string {
  switch (stage) {
    case 'build':
    case 'push':
    case 'device-verify':
      return stage;
    case 'disk-build':
      return `disk-build-${subject.split('+').sort().join('+')}`;
    case 'boot-test':
    case 'publish':
      return `${stage}-${subject}`;
  }
}

/** The title of a log's layer, from the path of the log on its host. */
export function logTitle(path: string): string {
  return `${path.slice(path.lastIndexOf('/') + 1)}.gz`;
}
