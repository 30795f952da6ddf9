/**
 * Names in registries: repositories, tags, digests and references, by the grammar of the OCI distribution specification
 * v1.1 and of containers/image (`docker/reference`).
 */
import { z } from 'zod';

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const DOMAIN_LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const DOMAIN = `(?:${DOMAIN_LABEL}(?:\\.${DOMAIN_LABEL})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?`;
const REPOSITORY = new RegExp(`^(${DOMAIN})/(${COMPONENT}(?:/${COMPONENT})*)$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Longest repository name, registry included, that containers/image accepts (bytes). */
const MAX_REPOSITORY_LENGTH = 255;

/**
 * `true` when the first part of a name is a registry, by the rule of containers/image: it has a dot or a port, or is
 * `localhost`.
 */
function looksLikeRegistry(host: string): boolean {
  return host.includes('.') || host.includes(':') || host === 'localhost';
}

/** A repository with its registry: `quay.io/acme/edge-camera`. Lower case; never begins with `-`. */
export const Repository = z
  .string()
  .max(MAX_REPOSITORY_LENGTH, 'is longer than 255 characters')
  .superRefine((text, context) => {
    const match = REPOSITORY.exec(text);
    const problem = !match
      ? 'is not a repository name: write REGISTRY/NAME in lower case, without a tag, such as quay.io/acme/edge-camera'
      : !looksLikeRegistry(match[1]!)
        ? `names no registry: write the registry first, such as quay.io/${text}`
        : match[1] === 'localhost'
          ? 'is an image of this machine only: push it to a registry first (podman push IMAGE REGISTRY/NAME) ' +
            'and name it there'
          : undefined;
    if (problem) context.addIssue({ code: 'custom', message: problem });
  });

/** A tag (OCI distribution specification: up to 128 characters). */
export const Tag = z
  .string()
  .regex(TAG, 'is not a tag: use letters, digits, "_", "." and "-", at most 128, not beginning with "." or "-"');

/** A sha256 digest, `sha256:` and 64 hexadecimal digits. */
export const Digest = z.string().regex(DIGEST, 'is not a digest of the form sha256:<64 hexadecimal digits>');

/** The first 16 hexadecimal digits of a sha256, which are enough to tell a difference. */
export const ShortDigest = z.string().regex(/^[0-9a-f]{16}$/);

/** A parsed image reference. Has a tag, a digest, both or neither. */
export interface Reference {
  /** Registry and path, such as `quay.io/acme/edge-camera`. */
  repository: string;
  tag?: string;
  digest?: string;
}

/** The reference, or why the text is not one. */
type ReferenceResult = { ok: true; reference: Reference } | { ok: false; problem: string };

/**
 * Parses `REGISTRY/NAME[:TAG][@DIGEST]`. Refuses short names without a registry, which mean something else on each
 * machine.
 */
export function parseReference(text: string): ReferenceResult {
  const at = text.indexOf('@');
  const digest = at >= 0 ? text.slice(at + 1) : undefined;
  const named = at >= 0 ? text.slice(0, at) : text;
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const repository = hasTag ? named.slice(0, colon) : named;
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  const checks = [
    Repository.safeParse(repository),
    ...(tag === undefined ? [] : [Tag.safeParse(tag)]),
    ...(digest === undefined ? [] : [Digest.safeParse(digest)]),
  ];
  const failed = checks.find((check) => !check.success);
  if (failed?.error) return { ok: false, problem: `"${text}" ${failed.error.issues[0]!.message}` };
  return { ok: true, reference: { repository, tag, digest } };
}

/** An image reference as text, checked by {@link parseReference}. */
export const ImageReference = z.string().superRefine((text, context) => {
  const result = parseReference(text);
  if (!result.ok) context.addIssue({ code: 'custom', message: result.problem });
});

/** `repository:tag` or `repository@digest`; with both, both. */
export function formatReference(reference: Reference): string {
  return (
    reference.repository + (reference.tag ? `:${reference.tag}` : '') + (reference.digest ? `@${reference.digest}` : '')
  );
}

/** The registry of a repository or reference: host and port, without the path. */
export function registryOf(name: string): string {
  return name.slice(0, name.indexOf('/'));
}

/** `true` for a registry on a loopback address, which is used over plain HTTP without configuration. */
export function isLoopbackRegistry(registry: string): boolean {
  const host = registry.startsWith('[') ? registry.slice(0, registry.indexOf(']') + 1) : registry.replace(/:\d+$/, '');
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** `true` when `repository` is `scope` or below it, by whole path segments. */
export function repositoryIsWithin(repository: string, scope: string): boolean {
  return repository === scope || repository.startsWith(`${scope}/`);
}

/** The tag under which containers/image and cosign store the sigstore signatures of a digest: `sha256-<hex>.sig`. */
export function signatureTag(digest: string): string {
  return `${digest.replace(':', '-')}.sig`;
}

/** The tag under which cosign 2 stores the attestations of a digest: `sha256-<hex>.att`. */
export function attestationTag(digest: string): string {
  return `${digest.replace(':', '-')}.att`;
}

/** The tag that lists what speaks of a digest, where a registry has no API for that ("Referrers Tag Schema"). */
export function referrersTag(digest: string): string {
  return digest.replace(':', '-');
}

/** Longest tag (distribution specification, "Pulling manifests"). */
const MAX_TAG = 128;

/**
 * The tag of an index's entry: `v1-amd64` for the amd64 entry of `v1`. It keeps the entry from registries that delete
 * manifests without a tag. Of a tag that leaves no room for it, the end is cut off.
 */
export function entryTag(tag: string, architecture: string): string {
  const suffix = `-${architecture}`;
  return tag.slice(0, MAX_TAG - suffix.length) + suffix;
}

/** The tag that keeps a context or log artifact from a registry's garbage collector: `sha256-<hex>`. */
export function contextTag(digest: string): string {
  return digest.replace(':', '-');
}

const RELEASE_PREFIX = 'release/';

/** The workflow id of a release: `release/<repository>:<tag>`. */
export function releaseId(repository: string, tag: string): string {
  return `${RELEASE_PREFIX}${repository}:${tag}`;
}

/**
 * The workflow id of a user's RELEASE, which is `repository:tag` or the workflow id itself; `undefined` when it is
 * neither.
 */
export function releaseIdFrom(text: string): string | undefined {
  const named = text.startsWith(RELEASE_PREFIX) ? text.slice(RELEASE_PREFIX.length) : text;
  const result = parseReference(named);
  return result.ok && result.reference.tag && !result.reference.digest
    ? releaseId(result.reference.repository, result.reference.tag)
    : undefined;
}

/** The workflow id of one builder run of a release: `<release>/disks/<subject of the run>`. */
export function builderRunId(release: string, subject: string): string {
  return `${release}/disks/${subject}`;
}

/** The release of a workflow that is a release or one of its builder runs; `undefined` for other workflows. */
export function releaseOfWorkflow(workflowId: string): string | undefined {
  return /^(release\/.+:[^/]+)(?:\/disks\/[^/]+)?$/.exec(workflowId)?.[1];
}
