/** Makes a request from a spec: fills in defaults and templates, and checks the whole. Pure. */
import type { z } from 'zod';
import { buildOptions } from './build-options.ts';
import { DEFAULT_DRIVER, driverOf } from '../builder/builder-driver.ts';
import { DISK_TYPES, builderOptions } from './disk.ts';
import { requestedEnrollment, secretInputs } from './enrollment.ts';
import { parseByteSize } from '../base/byte-size.ts';
import { parseDuration } from '../base/duration.ts';
import { requestedGates } from '../gate/gate.ts';
import { NO_LOGS, type FlightlineSpec } from './flightline-spec.ts';
import { ARCHITECTURES } from '../base/host.ts';
import { Repository, Tag } from '../oci/reference.ts';
import { updateOrigin } from '../oci/update-origin.ts';
import { expandTemplate } from '../base/template.ts';
import { timingWith, type Timing } from '../base/timing.ts';
import type { ContextSource, ReleaseRequest } from './request.ts';

/** Longest request (bytes as JSON), which must fit into a payload of 10 kB. */
const MAX_REQUEST_BYTES = 9_000;

/** What the client knows besides the spec. */
export interface RequestFacts {
  context: ContextSource;
  /** Digest of the bytes of `flightline.yaml`. */
  spec: string;
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

/** The answer of {@link makeRequest}: the request, or every problem with its path in the spec. */
type RequestResult =
  { ok: true; request: ReleaseRequest } | { ok: false; problems: { path: string; message: string }[] };

/** Build arguments with their values. Leaves out one that has no value in the spec or in the environment. */
function givenArguments(
  buildArgs: Readonly<Record<string, string | null>>,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const given = Object.entries(buildArgs).map(([name, value]) => [name, value ?? environment[name]] as const);
  return Object.fromEntries(
    given.filter((argument): argument is readonly [string, string] => argument[1] !== undefined),
  );
}

/** A problem, and its path in the spec. */
interface Problem {
  path: string;
  message: string;
}

/** Fills in defaults and templates. Pure. */
export function makeRequest(spec: FlightlineSpec, facts: RequestFacts): RequestResult {
  const problems: Problem[] = [];
  const expand = expander(problems);
  const { image } = spec;
  const tags = requestedTags(image, facts, expand);
  const named = { repository: image.repository };
  const disks = spec.disks.map((disk, index) => ({
    type: disk.type,
    publish: disk.publish,
    compress: disk.compress ?? (disk.publish === 'container-disk' ? 'none' : DISK_TYPES[disk.type].compress),
    ...(disk.installer && { installer: disk.installer.image }),
    repository: expand(`disks[${index}]`, spec.repositories.disk, { ...named, type: disk.type }, Repository),
  }));
  const { platforms, allowMissing } = requestedPlatforms(image, problems);
  const request: ReleaseRequest = {
    schemaVersion: 1,
    name: spec.name,
    repository: image.repository,
    ...tags,
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
    architecture: platforms[0] ?? 'amd64',
    ...(platforms.length > 1 && { platforms }),
    ...(allowMissing.length > 0 && { allowMissing }),
    key: spec.signing.key,
    verification: spec.verification,
    disks,
    builder: {
      image: spec.builder.image,
      rootfs: spec.builder.rootfs ?? null,
      ...driverPart(spec.builder),
      ...builderOptions(spec.builder),
    },
    onFailure: facts.onFailure ?? spec.onFailure,
    keepFiles: facts.keepFiles ?? null,
    timing: timingWith(facts.timing),
    ...optionalParts(spec, tags.tagPolicy),
    ...(image.sbom.length > 0 && { sbom: [...new Set(image.sbom)].sort() }),
    ...(spec.provenance && { provenance: { spec: facts.spec } }),
  };
  problems.push(...problemsOfWhole(request, problems.length === 0));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, request };
}

/** The known platforms of an image, and those that may be missing; problems are added to the list. */
function requestedPlatforms(image: FlightlineSpec['image'], problems: Problem[]) {
  const architectures = image.platforms.map((platform) => platform.split('/')[1]!);
  const platforms = ARCHITECTURES.filter((name) => architectures.includes(name));
  const unknown = architectures.find((name) => !(ARCHITECTURES as readonly string[]).includes(name));
  if (unknown !== undefined)
    problems.push({
      path: 'image.platforms',
      message: `${unknown} is not supported: use ${ARCHITECTURES.join(' or ')}`,
    });
  const allowMissing = platforms.filter((name) => image.allowMissing.includes(`linux/${name}`));
  if (allowMissing.length < image.allowMissing.length || (platforms.length < 2 && allowMissing.length > 0))
    problems.push({
      path: 'image.allowMissing',
      message: 'names platforms of image.platforms, where there are several',
    });
  return { platforms, allowMissing };
}

/** The tags with their templates filled in. */
function requestedTags(
  image: FlightlineSpec['image'],
  { tag: given, date, commit }: RequestFacts,
  expand: ReturnType<typeof expander>,
): Pick<ReleaseRequest, 'tag' | 'alsoTag' | 'updateFrom' | 'tagPolicy'> {
  const values = { date, commit };
  const written = given ?? image.tag;
  const tag = expand(given === undefined ? 'image.tag' : '--tag', written, values, Tag);
  const alsoTag = image.alsoTag.map((text, index) => expand(`image.alsoTag[${index}]`, text, values, Tag));
  const origin = updateOrigin({ ...image, tag: written }).tag;
  return {
    tag,
    alsoTag: [...new Set(alsoTag)].filter((other) => other !== tag),
    updateFrom: origin === written ? tag : expand('image.updateFrom', origin, values, Tag),
    tagPolicy: image.tagPolicy ?? (written.includes('{{') ? 'move' : 'create'),
  };
}

/** Fills in a template. Notes a problem when the result cannot be used. */
function expander(problems: Problem[]) {
  return (
    path: string,
    text: string,
    values: Record<string, string | undefined>,
    schema: z.ZodType<string>,
  ): string => {
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
}

/** The driver where it is not the usual one. */
function driverPart({ driver, image }: FlightlineSpec['builder']): Pick<ReleaseRequest['builder'], 'driver'> {
  const told = driver ?? driverOf(image);
  return told === DEFAULT_DRIVER ? {} : { driver: told };
}

/** Parts of a request that are absent where the spec has none. */
function optionalParts(spec: FlightlineSpec, tagPolicy: ReleaseRequest['tagPolicy']): Partial<ReleaseRequest> {
  return {
    ...(spec.bootTest && { bootTest: { ...spec.bootTest, timeout: parseDuration(spec.bootTest.timeout)! } }),
    ...(spec.gates.length > 0 && { gates: requestedGates(spec.gates) }),
    approval: spec.approval,
    ...(spec.maxUpdate !== undefined && { maxUpdate: parseByteSize(spec.maxUpdate)! }),
    ...(spec.notify.length > 0 && { notify: spec.notify }),
    ...secretInputs({
      enrollment: spec.enrollment && requestedEnrollment(spec.enrollment),
      secrets: spec.secrets.length > 0 ? spec.secrets : undefined,
      pullSecret: spec.image.pullSecret,
    }),
    ...(spec.rebuild === 'when-changed' &&
      tagPolicy === 'move' && {
        rebuild: { maxAge: spec.maxAge === undefined ? null : parseDuration(spec.maxAge)!, last: null },
      }),
  };
}

/** Problems of the request as a whole. */
function problemsOfWhole(request: ReleaseRequest, expanded: boolean): Problem[] {
  const problems: Problem[] = [];
  const taken = [
    request.repository,
    request.contextRepository,
    request.recordRepository,
    ...(request.logRepository === undefined ? [] : [request.logRepository]),
    ...request.disks.filter((disk) => disk.publish !== 'none').map((disk) => disk.repository),
  ];
  if (expanded && new Set(taken).size !== taken.length) {
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
  return problems;
}
