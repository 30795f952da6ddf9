/** How the dev server of Temporal is set up. */

/**
 * By default the server hands out tasks at most 20 times a second per shard. A cluster has hundreds of shards, the dev
 * server one, so that every activity would wait up to 50 ms twice (bench/RESULTS.md).
 */
const POLLS_PER_SECOND = 500;

/** Arguments of `temporal server start-dev` that remove these pauses. */
export function devServerPace(): string[] {
  return ['--dynamic-config-value', `history.transferProcessorMaxPollRPS=${POLLS_PER_SECOND}`];
}

/**
 * By default SQLite writes and flushes a rollback journal for each transaction, and an event takes more than one. A
 * write-ahead log (sqlite.org/wal.html) flushes each transaction too, for a third less processor time and half the
 * writes (bench/RESULTS.md).
 */
export const DATABASE_MODE = ['--sqlite-pragma', 'journal_mode=WAL'];

/**
 * The dev server has an HTTP API on a port of its own choice, which takes a POST of any web page that the user has
 * open. No option turns it off. A name that nobody has (RFC 2606) as the only allowed host makes it refuse all.
 */
export const NO_HTTP_API = ['--dynamic-config-value', 'frontend.httpAllowedHosts=["none.invalid"]'];
