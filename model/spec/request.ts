/**
 * A release's request: what the client sends to the `release` workflow. It is the spec with every default and template
 * filled in, and the context as a digest. It fits in a payload (at most {@link MAX_REQUEST_BYTES}).
 */
import { z } from 'zod';
import { VERIFICATIONS, BuildOptions, buildOptions } from './build-options.ts';
import { COMPRESSIONS, DISK_TYPE_NAMES, DISK_TYPES, PUBLISH_FORMS } from './disk.ts';
import { requestedEnrollment, secretInputs, SecretInputs } from './enrollment.ts';
import { parseDuration } from '../base/duration.ts';
import { NO_LOGS, type FlightlineSpec } from './flightline-spec.ts';
import { NotifyEntry } from './notify.ts';
import { ARCHITECTURES } from '../base/host.ts';
import { Digest, ImageReference, Repository, Tag } from '../oci/reference.ts';
import { expandTemplate } from '../base/template.ts';
import { TimingSchema, timingWith, type Timing } from '../base/timing.ts';

/** Longest request (bytes as JSON), which must fit into a payload of 10 kB. */
const MAX_REQUEST_BYTES = 9_000;

/**
 * Where the files come from. `artifact`: packed by the client, in the registry as a context artifact. `git`: packed by
 * a control worker into the same kind of artifact; `ref` is the commit that the client looked up.
 */
export const ContextSource = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('artifact'), digest: Digest }),
  z.object({
    kind: z.literal('git'),
    url: z.string(),
    ref: z.string(),
    subdirectory: z.string(),
    containerfile: z.string(),
    ignoreFile: z.string().optional(),
    builderConfig: z.string().nullable(),
  }),
]);
export type ContextSource = z.infer<typeof ContextSource>;

export const RequestedDisk = z.object({
  type: z.enum(DISK_TYPE_NAMES),
  publish: z.enum(PUBLISH_FORMS),
  compress: z.enum(COMPRESSIONS),
  /** Where it is published. */
  repository: Repository,
});
export type RequestedDisk = z.infer<typeof RequestedDisk>;

/** The disk that must boot before it is published. */
export const BootTest = z.object({
  disk: z.enum(DISK_TYPE_NAMES),
  /** What must appear on the serial console. */
  expect: z.string().min(1),
  /** Milliseconds for it to appear. */
  timeout: z.number().int().positive(),
});
export type BootTest = z.infer<typeof BootTest>;

/** For `rebuild: when-changed`: what the last signed record shows to be the same is not made again. */
const RebuildWhenChanged = z.object({
  /** Age in milliseconds from which an image is built anew all the same; null for none. */
  maxAge: z.number().int().positive().nullable(),
  /** Tag of the last release that a schedule knows of; null when the tags of the request are all that is known. */
  last: Tag.nullable(),
});
type RebuildWhenChanged = z.infer<typeof RebuildWhenChanged>;

export const ReleaseRequest = z.object({
  schemaVersion: z.literal(1),
  name: z.string(),
  repository: Repository,
  tag: Tag,
  alsoTag: z.array(Tag),
  tagPolicy: z.enum(['create', 'move']),
  context: ContextSource,
  /** Repositories of the context artifact and the record. */
  contextRepository: Repository,
  recordRepository: Repository,
  /** Where logs are kept; absent when they stay on their hosts. */
  logRepository: Repository.optional(),
  /** First 12 digits of the context's commit; null when it has none or is dirty. */
  commit: z.string().nullable(),
  /** URL of the source, for the label `org.opencontainers.image.source`. */
  source: z.string().nullable(),
  buildArgs: z.record(z.string(), z.string()),
  ...BuildOptions.shape,
  architecture: z.enum(ARCHITECTURES),
  /** Name of the signing key in the sign worker's configuration. */
  key: z.string(),
  /** Absent where the image brings no verification of its own. */
  verification: z.enum(VERIFICATIONS).optional(),
  disks: z.array(RequestedDisk),
  builder: z.object({ image: ImageReference, rootfs: z.string().nullable() }),
  /** Left out when nothing is booted. */
  bootTest: BootTest.optional(),
  /** A person must approve before any tag moves. */
  approval: z.literal('required').optional(),
  onFailure: z.enum(['hold', 'fail']),
  /** Absolute directory on the build host where the disk files are left; null to leave none. */
  keepFiles: z.string().regex(/^\//).nullable(),
  timing: TimingSchema,
  /** Left out when nobody is told. */
  notify: z.array(NotifyEntry).optional(),
  ...SecretInputs.shape,
  /** Absent where every run is a release, and for tags that may not move. */
  rebuild: RebuildWhenChanged.optional(),
  /** Set by a nightly run: it is told when the release is held. */
  tellParent: z.boolean().optional(),
});
export type ReleaseRequest = z.infer<typeof ReleaseRequest>;

/** What the client knows beside the spec. */
export interface RequestFacts {
  context: ContextSource;
  /** Replaces `image.tag`. */
  tag?: string;
  /** 12 hexadecimal digits; `undefined` when the context has no commit or is dirty. */
  commit: string | undefined;
  /** `{{date}}`: UTC day as YYYYMMDD. */
  date: string;
  /** For build arguments without a value. */
  environment?: Readonly<Record<string, string | undefined>>;
  source: string | null;
  onFailure?: 'hold' | 'fail';
  keepFiles?: string;
  timing?: Partial<Timing>;
}

/** The answer of {@link makeRequest}: the request, or every problem, each with the path in the spec it concerns. */
type RequestResult =
  { ok: true; request: ReleaseRequest } | { ok: false; problems: { path: string; message: string }[] };

/** Build arguments with their values; one without a value that the environment lacks, too, is not given. */
function givenArguments(
  buildArgs: Readonly<Record<string, string | null>>,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const given = Object.entries(buildArgs).map(([name, value]) => [name, value ?? environment[name]] as const);
  return Object.fromEntries(
    given.filter((argument): argument is readonly [string, string] => argument[1] !== undefined),
  );
}

/** Fills in defaults and templates. Pure. */
export function makeRequest(spec: FlightlineSpec, facts: RequestFacts): RequestResult {
  const problems: { path: string; message: string }[] = [];
  const expand = (
    path: string,
    text: string,
    values: Record<string, string | undefined>,
    schema: z.ZodType<string>,
  ) => {
    const expanded = expandTemplate(text, values);
    if (!expanded.ok) {
      const hint =
        'commit' in values && values.commit === undefined && text.includes('commit')
          ? ': {{commit}} needs a context in a git work tree without uncommitted changes'
          : `: ${expanded.problem}`;
      problems.push({ path, message: `"${text}" cannot be used${hint}` });
      return '';
    }
    const parsed = schema.safeParse(expanded.text);
    if (!parsed.success) problems.push({ path, message: `"${expanded.text}" ${parsed.error.issues[0]!.message}` });
    return expanded.text;
  };
  const tagValues = { date: facts.date, commit: facts.commit };
  const { image } = spec;
  const writtenTag = facts.tag ?? image.tag;
  const tag = expand(facts.tag === undefined ? 'image.tag' : '--tag', writtenTag, tagValues, Tag);
  const alsoTag = image.alsoTag.map((text, index) => expand(`image.alsoTag[${index}]`, text, tagValues, Tag));
  const named = { repository: image.repository };
  const disks = spec.disks.map((disk, index) => ({
    type: disk.type,
    publish: disk.publish,
    compress: disk.compress ?? (disk.publish === 'container-disk' ? 'none' : DISK_TYPES[disk.type].compress),
    repository: expand(`disks[${index}]`, spec.repositories.disk, { ...named, type: disk.type }, Repository),
  }));
  const [, architecture] = image.platforms[0]!.split('/');
  const known = ARCHITECTURES.find((name) => name === architecture);
  if (!known)
    problems.push({
      path: 'image.platforms',
      message: `${architecture} is not supported: use ${ARCHITECTURES.join(' or ')}`,
    });
  const tagPolicy = image.tagPolicy ?? (writtenTag.includes('{{') ? 'move' : 'create');
  const request: ReleaseRequest = {
    schemaVersion: 1,
    name: spec.name,
    repository: image.repository,
    tag,
    alsoTag: [...new Set(alsoTag)].filter((other) => other !== tag),
    tagPolicy,
    context: facts.context,
    contextRepository: expand('repositories.context', spec.repositories.context, named, Repository),
    recordRepository: expand('repositories.record', spec.repositories.record, named, Repository),
    ...(spec.repositories.logs === NO_LOGS
      ? {}
      : { logRepository: expand('repositories.logs', spec.repositories.logs, named, Repository) }),
    commit: facts.commit ?? null,
    source: facts.source,
    buildArgs: givenArguments(image.buildArgs, facts.environment ?? {}),
    ...buildOptions(image),
    architecture: known ?? 'amd64',
    key: spec.signing.key,
    ...(spec.verification === undefined ? {} : { verification: spec.verification }),
    disks,
    builder: { image: spec.builder.image, rootfs: spec.builder.rootfs ?? null },
    ...(spec.bootTest && { bootTest: { ...spec.bootTest, timeout: parseDuration(spec.bootTest.timeout)! } }),
    ...(spec.approval && { approval: spec.approval }),
    ...(spec.notify.length > 0 && { notify: spec.notify }),
    onFailure: facts.onFailure ?? spec.onFailure,
    keepFiles: facts.keepFiles ?? null,
    timing: timingWith(facts.timing),
    ...secretInputs({
      enrollment: spec.enrollment && requestedEnrollment(spec.enrollment),
      secrets: spec.secrets.length > 0 ? spec.secrets : undefined,
      pullSecret: image.pullSecret,
    }),
    ...(spec.rebuild === 'when-changed' &&
      tagPolicy === 'move' && {
        rebuild: { maxAge: spec.maxAge === undefined ? null : parseDuration(spec.maxAge)!, last: null },
      }),
  };
  const taken = [
    image.repository,
    request.contextRepository,
    request.recordRepository,
    ...(request.logRepository === undefined ? [] : [request.logRepository]),
    ...disks.filter((disk) => disk.publish !== 'none').map((disk) => disk.repository),
  ];
  if (problems.length === 0 && new Set(taken).size !== taken.length) {
    problems.push({
      path: 'repositories',
      message: 'the image, each disk, the record, the context and the logs need repositories of their own',
    });
  }
  const bytes = Buffer.byteLength(JSON.stringify(request));
  if (bytes > MAX_REQUEST_BYTES) {
    problems.push({
      path: '',
      message: `the spec is too large (${bytes} of ${MAX_REQUEST_BYTES} bytes): shorten buildArgs or tags`,
    });
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, request };
}
