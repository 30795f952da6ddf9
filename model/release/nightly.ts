/** A nightly run: its input, its result, and the name of its release. */
import { z } from 'zod';
import { failureOf, Failure } from '../failure/failure.ts';
import type { FlightlineSpec } from '../spec/flightline-spec.ts';
import { releaseId, Repository, Tag } from '../oci/reference.ts';
import { updateOrigin } from '../oci/update-origin.ts';
import { ReleaseRequest } from '../spec/request.ts';
import { makeRequest, type RequestFacts } from '../spec/make-request.ts';
import { Cron, TimeZone } from '../spec/schedule.ts';
import { dateValue, expandTemplate } from '../base/template.ts';

/** Workflow type. */
export const NIGHTLY_WORKFLOW = 'nightly';

/** The signal by which a release tells the nightly run that started it of a hold. */
export const HELD_SIGNAL = 'releaseHeld';

const PREFIX = 'nightly/';

/** The id of a repository's schedule: `nightly/<repository>`. A run's id has the time appended. */
export function scheduleId(repository: string): string {
  return `${PREFIX}${repository}`;
}

/** The repository of a schedule's id; undefined for other schedules. */
export function repositoryOfSchedule(id: string): string | undefined {
  return id.startsWith(PREFIX) ? Repository.safeParse(id.slice(PREFIX.length)).data : undefined;
}

/** A release's request in a schedule: its tags are templates, and its git context has a ref instead of a commit. */
export const NightlyTemplate = ReleaseRequest.extend({
  tag: z.string(),
  alsoTag: z.array(z.string()),
  updateFrom: z.string(),
});
export type NightlyTemplate = z.infer<typeof NightlyTemplate>;

/** Input of the `nightly` workflow. */
export const NightlyInput = z.object({
  schemaVersion: z.literal(1),
  template: NightlyTemplate,
  cron: Cron,
  timeZone: TimeZone,
  supersede: z.boolean(),
});
export type NightlyInput = z.infer<typeof NightlyInput>;

const NIGHTLY_OUTCOMES = ['released', 'unchanged', 'held', 'failed', 'already-running'] as const;

/** The result of a nightly run. */
export const NightlyResult = z.object({
  outcome: z.enum(NIGHTLY_OUTCOMES),
  /** `repository:tag` of its release; null when there was none yet. */
  release: z.string().nullable(),
  /** Why, in words. */
  reason: z.string(),
  /** Tag of the last release that this run or an earlier one made; null when there was none. */
  standing: Tag.nullable(),
});
export type NightlyResult = z.infer<typeof NightlyResult>;

/** What {@link HELD_SIGNAL} carries. */
export const HeldNotice = Failure.pick({ kind: true, message: true, stage: true });
export type HeldNotice = z.infer<typeof HeldNotice>;

/** Placeholders for values of a run, with which the tags are checked. */
const SAMPLE = { date: '20260101', commit: '0'.repeat(12) };

/** The answer of {@link makeTemplate}. */
type TemplateAnswer =
  { ok: true; template: NightlyTemplate } | { ok: false; problems: { path: string; message: string }[] };

/** Like {@link makeRequest}, with the tags as they are written. Pure. */
export function makeTemplate(spec: FlightlineSpec, facts: RequestFacts): TemplateAnswer {
  const { context } = facts;
  const git = context.kind === 'git' && typeof spec.image.context !== 'string' ? spec.image.context : null;
  const made = makeRequest(spec, {
    ...facts,
    date: SAMPLE.date,
    ...(git && context.kind === 'git' && { commit: SAMPLE.commit, context: { ...context, ref: git.ref } }),
  });
  if (!made.ok) return made;
  const { tag, alsoTag } = spec.image;
  const updateFrom = updateOrigin(spec.image).tag;
  const commit = git ? null : made.request.commit;
  return { ok: true, template: { ...made.request, tag, alsoTag, updateFrom, commit } };
}

/** The answer of {@link expandNightly}. */
type NightlyRequest = { ok: true; request: ReleaseRequest } | { ok: false; failure: Failure };

/**
 * The request of one run: tags filled in, the git context at its commit. Pure.
 *
 * @param facts.at the scheduled time, ISO 8601; `{{date}}` is its day in UTC
 * @param facts.commit of a git context; null for a directory, whose commit the template has
 */
export function expandNightly(
  template: NightlyTemplate,
  facts: { at: string; commit: string | null; standing: string | null },
): NightlyRequest {
  const { context } = template;
  const commit = facts.commit?.slice(0, 12) ?? template.commit;
  const values = { date: dateValue(new Date(facts.at)), commit: commit ?? undefined };
  const problems: string[] = [];
  const expand = (text: string) => {
    const expanded = expandTemplate(text, values);
    if (!expanded.ok) problems.push(expanded.problem);
    return expanded.ok ? expanded.text : '';
  };
  const tag = expand(template.tag);
  const alsoTag = [...new Set(template.alsoTag.map(expand))].filter((other) => other !== tag);
  const parsed = ReleaseRequest.safeParse({
    ...template,
    tag,
    alsoTag,
    updateFrom: expand(template.updateFrom),
    commit,
    context: context.kind === 'git' && facts.commit !== null ? { ...context, ref: facts.commit } : context,
    ...(template.rebuild && { rebuild: { ...template.rebuild, last: facts.standing } }),
  });
  if (problems.length === 0 && parsed.success) return { ok: true, request: parsed.data };
  const message = problems[0] ?? (parsed.success ? '' : z.prettifyError(parsed.error));
  const remedy = { action: 'correct the spec, then `flightline schedule set`', then: null };
  return { ok: false, failure: failureOf('invalid-input', message, { remedy }) };
}

/** `repository:tag` of a request. */
export function nameOf({ repository, tag }: Pick<ReleaseRequest, 'repository' | 'tag'>): string {
  return `${repository}:${tag}`;
}

/** The template with the last release's tag; unchanged when nothing is compared. */
export function withLast(template: NightlyTemplate, last: string | null): NightlyTemplate {
  return template.rebuild ? { ...template, rebuild: { ...template.rebuild, last } } : template;
}

/** The workflow id of a run's release. */
export function nightlyReleaseId(request: ReleaseRequest): string {
  return releaseId(request.repository, request.tag);
}
