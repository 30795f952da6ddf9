/** The published JSON Schemas, made from the zod schemas. */
import { z } from 'zod';
import { FlightlineSpec } from './spec/flightline-spec.ts';
import { ErrorDocument } from './failure/error-document.ts';
import { HostList } from './contract/host-status.ts';
import { ImageDiff } from './oci/image-diff.ts';
import { ReleaseList } from './release/listing.ts';
import { Notification } from './release/notification.ts';
import { ReleaseRecord } from './release/record.ts';
import { Promotion } from './tags/promotion.ts';
import { HistoryDocument } from './tags/shared-tag.ts';
import { WorkerConfiguration } from './spec/worker-configuration.ts';

const schemaOf = (schema: z.ZodType, title: string) => (): object => ({
  title,
  ...z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
});

/** The published JSON Schemas, by the name of their file: schemas/NAME.schema.json. */
export const JSON_SCHEMAS = {
  /** What `flightline diff --json` prints. */
  diff: schemaOf(ImageDiff, 'flightline diff'),
  /** What every command prints with `--json` when it fails. */
  error: schemaOf(ErrorDocument, 'flightline error'),
  /** `flightline.yaml`, for editors. */
  flightline: schemaOf(FlightlineSpec, 'flightline.yaml'),
  /** What `flightline history --json` prints. */
  history: schemaOf(HistoryDocument, 'flightline history'),
  /** What `flightline hosts --json` prints. */
  hosts: schemaOf(HostList, 'flightline hosts'),
  /** What `flightline list --json` prints. */
  list: schemaOf(ReleaseList, 'flightline list'),
  /** The document that webhooks get. */
  notification: schemaOf(Notification, 'flightline notification'),
  /** What `--json` prints of a promotion: `promote`, and `status` and `watch` of one. */
  promotion: schemaOf(Promotion, 'flightline promotion'),
  /** The record that `--json` prints and that is published as an artifact. */
  record: schemaOf(ReleaseRecord, 'flightline record'),
  /** The worker configuration, for editors. */
  worker: schemaOf(WorkerConfiguration, 'flightline worker configuration'),
};
