/** From a spec to a release's request: git facts, the context packed and sent, defaults and templates filled in. */
import { z } from 'zod';
import { sha256 } from '../../model/base/digest.ts';
import { contextDirectories } from '../../model/spec/build-options.ts';
import type { ContextSource, ReleaseRequest } from '../../model/spec/request.ts';
import { makeRequest, type RequestFacts } from '../../model/spec/make-request.ts';
import { dateValue } from '../../model/base/template.ts';
import { DEFAULT_TIMING, type Timing } from '../../model/base/timing.ts';
import { checkConfigOf } from './builder-config.ts';
import { sendLocalContext, startPacking, type Packing } from './context.ts';
import { UserError } from '../terminal/errors.ts';
import { gitFacts, remoteCommit, publicSource } from './git.ts';
import type { Output } from '../terminal/output.ts';
import { invalidSpec, loadSpec, locate, type LoadedSpec } from './spec-loading.ts';

/** What the command line says beside the spec. */
export interface PrepareOptions {
  tag?: string | undefined;
  onFailure?: 'hold' | 'fail' | undefined;
  /** Absolute directory on the build host. */
  keepFiles?: string | undefined;
  /** Sends a context that holds private keys to a repository that anybody can read. */
  publicContext?: boolean | undefined;
}

/** Placeholder for the context's digest, so that the rest can be checked before the context is packed and sent. */
const NOT_YET_SENT = `sha256:${'0'.repeat(64)}`;

/** A spec that is in order, before its context is sent. */
export interface CheckedSpec {
  loaded: LoadedSpec;
  facts: RequestFacts;
  /** The request as it will be, but for the context's digest. */
  draft: ReleaseRequest;
  /** What is not wrong, but will not do what it says; a line each. */
  warnings: readonly string[];
}

/**
 * Checks a spec and everything else that can be known on this machine. Nothing is sent.
 *
 * @throws UserError `spec-not-found`, `invalid-spec`, `usage`, `git` (exit code 2).
 */
export async function checkSpec(file: string, options: PrepareOptions): Promise<CheckedSpec> {
  const loaded = await loadSpec(file);
  const facts = await factsOf(loaded, options);
  return { loaded, facts, draft: requestOf(loaded, facts), warnings: await checkConfigOf(loaded) };
}

/** Begins to pack the context of a checked spec; null for a git context, which a control worker packs. */
export function packAhead({ loaded }: CheckedSpec): Packing | null {
  return loaded.local && startPacking(loaded.local);
}

/**
 * Sends the context of a checked spec, packed unless `packing` has begun it.
 *
 * @throws UserError and FlightlineError of packing and sending.
 */
export async function sendContextOf(
  checked: CheckedSpec,
  options: Pick<PrepareOptions, 'publicContext'>,
  output: Output,
  packing: Packing | null = null,
): Promise<ReleaseRequest> {
  const { loaded, facts, draft } = checked;
  if (loaded.local === null) return draft;
  const digest = await sendLocalContext(
    loaded.local,
    draft.contextRepository,
    { publicContext: options.publicContext === true },
    output,
    packing,
  );
  return requestOf(loaded, { ...facts, context: { kind: 'artifact', digest } });
}

function requestOf(loaded: LoadedSpec, facts: RequestFacts): ReleaseRequest {
  const made = makeRequest(loaded.spec, facts);
  if (made.ok) return made.request;
  const flag = made.problems.find((problem) => problem.path.startsWith('--'));
  if (flag) throw new UserError('usage', `${flag.path}: ${flag.message}`, 'give another value');
  throw invalidSpec(loaded.file, locate(loaded.text, made.problems));
}

async function factsOf(loaded: LoadedSpec, options: PrepareOptions): Promise<RequestFacts> {
  const { spec, local } = loaded;
  const common = {
    spec: `sha256:${sha256(loaded.text)}`,
    tag: options.tag,
    onFailure: options.onFailure,
    keepFiles: options.keepFiles,
    timing: timingFromEnvironment(process.env),
    date: dateValue(new Date()),
    environment: process.env,
  };
  if (local !== null) {
    const paths = [
      local.directory,
      local.containerfile,
      ...(local.ignoreFile === undefined ? [] : [local.ignoreFile]),
      ...(local.builderConfig === null ? [] : [local.builderConfig]),
      ...Object.values(local.buildContexts),
    ];
    const { commit, source } = await gitFacts(local.directory, paths);
    return { ...common, context: { kind: 'artifact', digest: NOT_YET_SENT }, commit, source };
  }
  const { context } = spec.image;
  if (typeof context === 'string') throw new Error('a context that is a path has local files');
  const commit = await remoteCommit(context.git, context.ref);
  const buildContexts = contextDirectories(spec.image);
  const from: ContextSource = {
    kind: 'git',
    url: context.git,
    ref: commit,
    subdirectory: context.subdirectory,
    containerfile: spec.image.containerfile,
    ...(spec.image.ignoreFile !== undefined && { ignoreFile: spec.image.ignoreFile }),
    builderConfig: spec.builder.config ?? null,
    ...(Object.keys(buildContexts).length > 0 && { buildContexts }),
  };
  return { ...common, context: from, commit: commit.slice(0, 12), source: publicSource(context.git) };
}

const TimingChanges = z.partialRecord(
  z.enum(Object.keys(DEFAULT_TIMING) as [keyof Timing, ...(keyof Timing)[]]),
  z.number().int().positive(),
);

/** Timings that a test or an operator scales: FLIGHTLINE_TIMING, JSON such as `{"holdFor":60000}`, in milliseconds. */
export function timingFromEnvironment(environment: NodeJS.ProcessEnv): Partial<Timing> {
  const text = environment['FLIGHTLINE_TIMING'];
  if (!text) return {};
  try {
    return TimingChanges.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new UserError(
      'usage',
      `FLIGHTLINE_TIMING is not understood: ${reason}`,
      `it is JSON with milliseconds by name: ${Object.keys(DEFAULT_TIMING).join(', ')}`,
    );
  }
}
