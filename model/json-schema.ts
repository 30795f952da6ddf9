/** The published JSON Schemas, made from the zod schemas. */
import { z } from 'zod';
import { InitDocument, LintDocument, LogsDocument, PlanDocument } from './documents/project-documents.ts';
import {
  BundleDocument,
  DeviceConfigDocument,
  FetchDocument,
  ImportDocument,
  KeygenDocument,
  VerifyDocument,
} from './documents/trust-documents.ts';
import { DoctorDocument, DrainDocument, StackDocument, VersionDocument } from './documents/machine-documents.ts';
import {
  DecisionDocument,
  WaiverDocument,
  DeletedScheduleDocument,
  PruneDocument,
  RollbackDocument,
  ScheduleDocument,
  SchedulesDocument,
} from './documents/tag-documents.ts';
import { FlightlineSpec } from './spec/flightline-spec.ts';
import { ErrorDocument } from './failure/error-document.ts';
import { HostList } from './contract/host-status.ts';
import { ReleaseList } from './release/listing.ts';
import { Notification } from './release/notification.ts';
import { ReleaseRecord } from './release/record.ts';
import { ReleaseDiff } from './documents/release-diff.ts';
import { Promotion } from './tags/promotion.ts';
import { RotationReport } from './tags/rotation.ts';
import { HistoryDocument } from './tags/shared-tag.ts';
import { WorkerConfiguration } from './spec/worker-configuration.ts';

const schemaOf = (schema: z.ZodType, title: string) => (): object => ({
  title,
  ...z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
});

/** The published JSON Schemas, by the name of their file: schemas/NAME.schema.json. */
export const JSON_SCHEMAS = {
  /** What `flightline bundle --json` prints. */
  bundle: schemaOf(BundleDocument, 'flightline bundle'),
  /** What `flightline approve` and `reject` print with `--json`. */
  decision: schemaOf(DecisionDocument, 'flightline approve, reject'),
  /** What `flightline approve --waive` prints with `--json`. */
  waiver: schemaOf(WaiverDocument, 'flightline approve --waive'),
  /** What `flightline device-config --json` prints. */
  'device-config': schemaOf(DeviceConfigDocument, 'flightline device-config'),
  /** What `flightline diff --json` prints. */
  diff: schemaOf(ReleaseDiff, 'flightline diff'),
  /** What `flightline doctor --json` prints. */
  doctor: schemaOf(DoctorDocument, 'flightline doctor'),
  /** What `flightline drain --json` prints. */
  drain: schemaOf(DrainDocument, 'flightline drain'),
  /** What every command prints with `--json` when it fails. */
  error: schemaOf(ErrorDocument, 'flightline error'),
  /** What `flightline fetch --json` prints. */
  fetch: schemaOf(FetchDocument, 'flightline fetch'),
  /** `flightline.yaml`, for editors. */
  flightline: schemaOf(FlightlineSpec, 'flightline.yaml'),
  /** What `flightline history --json` prints. */
  history: schemaOf(HistoryDocument, 'flightline history'),
  /** What `flightline hosts --json` prints. */
  hosts: schemaOf(HostList, 'flightline hosts'),
  /** What `flightline import --json` prints. */
  import: schemaOf(ImportDocument, 'flightline import'),
  /** What `flightline init --json` prints. */
  init: schemaOf(InitDocument, 'flightline init'),
  /** What `flightline keygen --json` prints. */
  keygen: schemaOf(KeygenDocument, 'flightline keygen'),
  /** What `flightline keys rotate --json` prints. */
  keys: schemaOf(RotationReport, 'flightline keys rotate'),
  /** What `flightline lint --json` prints. */
  lint: schemaOf(LintDocument, 'flightline lint'),
  /** What `flightline list --json` prints. */
  list: schemaOf(ReleaseList, 'flightline list'),
  /** What `flightline logs --json` prints. */
  logs: schemaOf(LogsDocument, 'flightline logs'),
  /** The document that webhooks get. */
  notification: schemaOf(Notification, 'flightline notification'),
  /** What `flightline run --dry-run --json` prints. */
  plan: schemaOf(PlanDocument, 'flightline run --dry-run'),
  /** What `--json` prints of a promotion: `promote`, and `status` and `watch` of one. */
  promotion: schemaOf(Promotion, 'flightline promotion'),
  /** What `flightline prune --json` prints. */
  prune: schemaOf(PruneDocument, 'flightline prune'),
  /** The record that `--json` prints and that is published as an artifact. */
  record: schemaOf(ReleaseRecord, 'flightline record'),
  /** What `flightline rollback --json` prints. */
  rollback: schemaOf(RollbackDocument, 'flightline rollback'),
  /** What the verbs of `flightline schedule` print of one with `--json`. */
  schedule: schemaOf(ScheduleDocument, 'flightline schedule'),
  /** What `flightline schedule delete --json` prints. */
  'schedule-deleted': schemaOf(DeletedScheduleDocument, 'flightline schedule delete'),
  /** What `flightline schedule list --json` prints. */
  schedules: schemaOf(SchedulesDocument, 'flightline schedule list'),
  /** What `flightline up --json` prints. */
  up: schemaOf(StackDocument, 'flightline up'),
  /** What `flightline verify --json` prints. */
  verify: schemaOf(VerifyDocument, 'flightline verify'),
  /** What `flightline version --json` prints. */
  version: schemaOf(VersionDocument, 'flightline version'),
  /** The worker configuration, for editors. */
  worker: schemaOf(WorkerConfiguration, 'flightline worker configuration'),
};
export type SchemaName = keyof typeof JSON_SCHEMAS;
