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

const make = (schema: z.ZodType, title: string) => ({
  title,
  ...z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
});

/** JSON Schema of `flightline.yaml`, for editors. */
export function flightlineJsonSchema(): object {
  return make(FlightlineSpec, 'flightline.yaml');
}

/** JSON Schema of the record that `--json` prints and that is published as an artifact. */
export function recordJsonSchema(): object {
  return make(ReleaseRecord, 'flightline record');
}

/** JSON Schema of what `flightline list --json` prints. */
export function listJsonSchema(): object {
  return make(ReleaseList, 'flightline list');
}

/** JSON Schema of what `flightline hosts --json` prints. */
export function hostsJsonSchema(): object {
  return make(HostList, 'flightline hosts');
}

/** JSON Schema of what `flightline diff --json` prints. */
export function diffJsonSchema(): object {
  return make(ImageDiff, 'flightline diff');
}

/** JSON Schema of what `flightline history --json` prints. */
export function historyJsonSchema(): object {
  return make(HistoryDocument, 'flightline history');
}

/** JSON Schema of what `--json` prints of a promotion: `promote`, and `status` and `watch` of one. */
export function promotionJsonSchema(): object {
  return make(Promotion, 'flightline promotion');
}

/** JSON Schema of what every command prints with `--json` when it fails. */
export function errorJsonSchema(): object {
  return make(ErrorDocument, 'flightline error');
}

/** JSON Schema of the document that webhooks get. */
export function notificationJsonSchema(): object {
  return make(Notification, 'flightline notification');
}

/** JSON Schema of the operator's worker configuration. */
export function workerConfigurationJsonSchema(): object {
  return make(WorkerConfiguration, 'flightline worker configuration');
}
