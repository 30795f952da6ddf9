/** The stages of a release, a row each, and the statuses of stages and releases. */
import type { Architecture } from '../base/host.ts';

/** The parts of a request that decide which stages there are. */
interface AskedFor {
  readonly verification?: unknown;
  readonly bootTest?: { readonly disk: string } | undefined;
  readonly provenance?: unknown;
  readonly sbom?: unknown;
  readonly gates?: readonly { readonly on: 'image' | 'disk' }[] | undefined;
  readonly rechunk?: unknown;
  /** Present for an image of several platforms. */
  readonly platforms?: readonly Architecture[] | undefined;
}

interface StageDeclaration {
  /** It writes a log on its host. */
  log?: true;
  /** For an optional stage: the subject of its row, or `undefined` to leave it out. `subject` is its part's. */
  about?: (subject: string, asked: AskedFor) => string | undefined;
}

/**
 * The parts of a release. Each image, platform of several, builder run and disk has the stages of its part. Of several
 * platforms each publishes a disk of its own, and an index joins them.
 */
type Part = 'start' | 'platform' | 'image' | 'device' | 'run' | 'disk' | 'platform-disk' | 'joined-disk' | 'end';

const SIGNING = { sign: {}, verify: {} };
const PUBLISHING = { publish: { log: true } } as const;
const gated = (on: 'image' | 'disk', subject: string | undefined, { gates = [] }: AskedFor) =>
  gates.some((gate) => gate.on === on) ? subject : undefined;
const PUSHING = {
  build: { log: true },
  rechunk: { log: true, about: (subject: string, { rechunk }: AskedFor) => (rechunk ? subject : undefined) },
  sbom: { about: (subject: string, { sbom }: AskedFor) => (sbom ? subject : undefined) },
  gate: { log: true, about: (subject: string, asked: AskedFor) => gated('image', subject, asked) },
  push: { log: true },
} as const;

const ofOne = (subject: string, { platforms }: AskedFor) => (platforms ? undefined : subject);
const ofSeveral = (subject: string, { platforms }: AskedFor) => (platforms ? subject : undefined);

/**
 * The table of stages, in the order in which they run. Names, rows of a release and logs derive from it. The activity
 * of the same name (model/contract/) does the stage, and a workflow calls it.
 */
const STAGE_TABLE = {
  start: { resolve: {} },
  platform: PUSHING,
  image: {
    build: { ...PUSHING.build, about: ofOne },
    rechunk: { log: true, about: (subject, asked) => (asked.rechunk ? ofOne(subject, asked) : undefined) },
    sbom: { about: (subject, asked) => (asked.sbom ? ofOne(subject, asked) : undefined) },
    gate: { log: true, about: (subject, asked) => gated('image', ofOne(subject, asked), asked) },
    push: { ...PUSHING.push, about: ofOne },
    index: { about: ofSeveral },
    ...SIGNING,
  },
  device: {
    'device-verify': { log: true, about: (subject, { verification }) => (verification ? subject : undefined) },
  },
  run: {
    'disk-build': { log: true },
    'boot-test': {
      log: true,
      about: (subject, { bootTest }) => subject.split('+').find((type) => type === bootTest?.disk),
    },
    gate: { log: true, about: (subject, asked) => gated('disk', subject, asked) },
  },
  disk: { ...PUBLISHING, ...SIGNING },
  'platform-disk': PUBLISHING,
  'joined-disk': { index: {}, ...SIGNING },
  end: {
    attest: { about: (subject, { provenance, sbom }) => (provenance || sbom ? subject : undefined) },
    tag: {},
    record: {},
  },
} satisfies Record<Part, Record<string, StageDeclaration>>;

export type Stage = { [Name in Part]: keyof (typeof STAGE_TABLE)[Name] }[Part];

const PARTS = Object.keys(STAGE_TABLE) as Part[];
/** Stages in the order in which they run. Disks are signed and verified like the image. */
export const STAGES: readonly Stage[] = [...new Set(PARTS.flatMap(declarations).map(([name]) => name))];

/** Names a row of a release by its stage and its subject: `image`, `release`, or the disks. */
export interface StageKey {
  name: Stage;
  subject: string;
}

/** The subject of an image's stages; of the platform's own, where it has several. It names the branch too. */
export function imageSubject(platform?: Architecture): string {
  return platform === undefined ? 'image' : `image-${platform}`;
}

/** The subject of a disk's stages; of one platform's disk, where the image has several. */
export function diskSubject(type: string, platform?: Architecture): string {
  return platform === undefined ? type : `${type}-${platform}`;
}

/** `true` for the subject of an image, or of one of its platforms. */
export function isOfImage(subject: string): boolean {
  return subject === 'image' || subject.startsWith('image-');
}

/** The rows of a part for a subject that the request has. */
export function stagesOf(part: Part, subject: string, asked: AskedFor = {}): StageKey[] {
  return declarations(part).flatMap(([name, { about }]) => {
    const of = about ? about(subject, asked) : subject;
    return of === undefined ? [] : [{ name, subject: of }];
  });
}

/** The rows of a disk that is taken over from an earlier release. */
export function signingStages(subject: string): StageKey[] {
  return (Object.keys(SIGNING) as Stage[]).map((name) => ({ name, subject }));
}

/** `true` for the stages of the image that follow its push. A new signature makes them due again. */
export function followsPush(stage: Stage): boolean {
  const image = [...declarations('image'), ...declarations('device')].map(([name]) => name);
  return image.indexOf(stage) > image.indexOf('index');
}

/** The stages that write a log on their host. */
export const LOGGED_STAGES: readonly Stage[] = PARTS.flatMap(declarations).flatMap(([name, { log }]) =>
  log ? [name] : [],
);

export function isLogged(stage: Stage): boolean {
  return LOGGED_STAGES.includes(stage);
}

/** The name of a stage's log, without `.log`. `subject` is that of the stage's row. */
export function logName(stage: Stage, subject: string): string {
  if (isOfImage(subject)) return `${stage}${subject.slice('image'.length)}`;
  return `${stage}-${subject.split('+').sort().join('+')}`;
}

function declarations(part: Part): [Stage, StageDeclaration][] {
  return Object.entries(STAGE_TABLE[part]) as [Stage, StageDeclaration][];
}

export const STAGE_STATUSES = ['waiting', 'running', 'done', 'held', 'failed', 'skipped', 'cancelled'] as const;
export type StageStatus = (typeof STAGE_STATUSES)[number];

export const RELEASE_STATUSES = ['running', 'held', 'released', 'unchanged', 'failed', 'cancelled'] as const;
export type ReleaseStatus = (typeof RELEASE_STATUSES)[number];

/** `true` when the release has ended. */
export function isFinal(status: ReleaseStatus): boolean {
  return status !== 'running' && status !== 'held';
}

/** The search attributes of a release: name and Temporal type. The control worker creates them before it polls. */
export const SEARCH_ATTRIBUTES = {
  FlightlineRepository: 'KEYWORD',
  FlightlineTag: 'KEYWORD',
  FlightlineStage: 'KEYWORD',
  FlightlineStatus: 'KEYWORD',
  FlightlineHost: 'KEYWORD_LIST',
} as const;
export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES;

/** The key of a search attribute in the SDK's form, without loading the SDK. */
export function searchAttribute<Name extends SearchAttributeName>(
  name: Name,
): { name: Name; type: (typeof SEARCH_ATTRIBUTES)[Name] } {
  return { name, type: SEARCH_ATTRIBUTES[name] };
}
