/** `flightline list`: its filters as a visibility query, and the shape of its document. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listFilter, listQuery } from '../../../../client/temporal/list-filter.ts';
import { explain, UserError } from '../../../../client/terminal/errors.ts';
import { ErrorDocument } from '../../../../model/failure/error-document.ts';
import { HostList } from '../../../../model/contract/host-status.ts';
import { JSON_SCHEMAS } from '../../../../model/json-schema.ts';
import { quoted, ReleaseList, visibilityQuery } from '../../../../model/release/listing.ts';

const NOW = new Date('2026-11-23T12:00:00.000Z');

describe('the filter of the command line', () => {
  test.each([
    [{}, {}],
    [{ status: 'held' }, { statuses: ['held'] }],
    [{ status: 'failed, held' }, { statuses: ['failed', 'held'] }],
    [{ repository: 'quay.io/acme/' }, { repository: 'quay.io/acme' }],
    [{ repository: '127.0.0.1:5000' }, { repository: '127.0.0.1:5000' }],
    [{ since: '2d' }, { since: '2026-11-21T12:00:00.000Z' }],
    [{ since: '90m' }, { since: '2026-11-23T10:30:00.000Z' }],
    [{ since: '2026-11-20' }, { since: '2026-11-20T00:00:00.000Z' }],
    [{ since: '2026-11-20T08:00:00+02:00' }, { since: '2026-11-20T06:00:00.000Z' }],
  ])('%j', (given, filter) => expect(listFilter(given, NOW)).toEqual(filter));

  test.each([
    [
      { status: 'helt' },
      'there is no status "helt"',
      'statuses are running, held, released, unchanged, failed, cancelled',
    ],
    [{ repository: "x' OR 'a'='a" }, 'is not a repository', 'quay.io/acme'],
    [{ repository: '' }, 'is not a repository', 'quay.io/acme'],
    [{ since: 'yesterday' }, '"yesterday" is not a time', '2d'],
    [{ since: '2026-13-45' }, '"2026-13-45" is not a time', '2d'],
  ])('%j is a usage error', (given, message, remedy) => {
    expect(() => listFilter(given, NOW)).toThrow(
      expect.objectContaining({
        exitCode: 2,
        message: expect.stringContaining(message),
        remedy: expect.stringContaining(remedy),
      }),
    );
  });
});

describe('the visibility query', () => {
  test.each([
    [{}, "WorkflowType = 'release'"],
    [
      { statuses: ['held', 'cancelled'] as const },
      "WorkflowType = 'release' AND ((ExecutionStatus = 'Running' AND FlightlineStatus = 'held') OR " +
        "(ExecutionStatus = 'Canceled'))",
    ],
    [
      { repository: 'quay.io/acme', since: '2026-11-21T12:00:00.000Z' },
      "WorkflowType = 'release' AND (FlightlineRepository = 'quay.io/acme' OR FlightlineRepository " +
        "STARTS_WITH 'quay.io/acme/')" +
        " AND StartTime >= '2026-11-21T12:00:00.000Z'",
    ],
  ])('%j', (filter, query) => expect(visibilityQuery('release', filter)).toBe(query));

  test('lists promotions only while they run or wait', () => {
    expect(listQuery()).toBe(
      "(WorkflowType = 'release') OR (WorkflowType = 'promotion' AND ExecutionStatus = 'Running')",
    );
  });

  test.each([
    ["it's", String.raw`'it\'s'`],
    [String.raw`a\' OR 1=1`, String.raw`'a\\\' OR 1=1'`],
  ])('quotes %s', (value, text) => expect(quoted(value)).toBe(text));
});

/** Every key of a document, as docs/operations.md lists them. */
const KEYS = {
  list: ['release', 'runId', 'reference', 'status', 'stage', 'hosts', 'startedAt', 'closedAt'],
  hosts: ['host', 'roles', 'state', 'lastSeen', 'versions', 'status'],
  status: [
    'architecture',
    'architectures',
    'version',
    'startedAt',
    'draining',
    'slots',
    'disk',
    'leases',
    'waiting',
    'running',
    'containers',
  ],
};

describe('what --json prints', () => {
  test('keeps its keys', () => {
    expect(Object.keys(ReleaseList.shape.releases.element.shape)).toEqual(KEYS.list);
    const host = HostList.shape.hosts.element.shape;
    expect(Object.keys(host)).toEqual(KEYS.hosts);
    expect(Object.keys(host.status.unwrap().shape)).toEqual(KEYS.status);
  });

  test.each([
    ['list', JSON_SCHEMAS.list],
    ['hosts', JSON_SCHEMAS.hosts],
    ['history', JSON_SCHEMAS.history],
    ['promotion', JSON_SCHEMAS.promotion],
    ['error', JSON_SCHEMAS.error],
  ])('has a schema that is published: %s', (name, schema) => {
    const published = readFileSync(join(import.meta.dirname, `../../../../schemas/${name}.schema.json`), 'utf8');
    expect(JSON.parse(published)).toEqual(schema());
  });

  test('of an error has the form that is published', () => {
    const { explanation } = explain(new UserError('usage', 'no', 'yes'));
    expect(ErrorDocument.parse({ error: explanation })).toEqual({ error: explanation });
  });

  test('is explained, key by key', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../../docs/operations.md'), 'utf8');
    const missing = Object.values(KEYS)
      .flat()
      .filter((key) => !text.includes(`\`${key}\``));
    expect(missing).toEqual([]);
  });
});
