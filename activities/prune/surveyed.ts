/** The facts and decisions of a prune. */
import type { PruneGroup, PruneReason } from '../../model/release/prune.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';

/** A tag and what it points at. */
export interface TaggedManifest {
  tag: string;
  digest: string;
  /** Digests of the entries of an index; empty for anything else. */
  entries: readonly string[];
}

/** A verified record, by its tag. */
export interface VerifiedRecord {
  record: ReleaseRecord;
  /** Repositories listed by the keys that verify it. */
  allows(repository: string): boolean;
}

/** A manifest in a repository. */
export interface Stored {
  repository: string;
  digest: string;
}

/** A release as Temporal knows it. */
export interface KnownRelease {
  /** Null for a release that a schedule will start. */
  tag: string | null;
  /** When it closed (ms since 1970); null while it is running or held. */
  closedAt: number | null;
  /** What an open release has pushed so far. */
  digests: readonly string[];
  /** Digest of its context, when known. */
  context: string | null;
  /** What a failed or cancelled one had pushed. */
  unfinished?: readonly Stored[];
}

/** How a registry lets manifests be deleted. */
type Deletion = 'tag' | 'digest' | 'none';

/** The input of the decision. */
export interface Survey {
  repository: string;
  recordRepository: string;
  contextRepository: string;
  /** Tags by repository (image, records, contexts, disks, logs), without signatures. */
  tags: ReadonlyMap<string, readonly TaggedManifest[]>;
  /** Records by their tag; null for one that is not verified. */
  records: ReadonlyMap<string, VerifiedRecord | null>;
  releases: readonly KnownRelease[];
  /** What failed and cancelled releases had pushed and still exists, or its signatures. */
  unfinished: readonly (Stored & { entries: readonly string[] })[];
  deletion: Deletion;
}

/** A manifest that is removed with a release or context. */
export interface Removal {
  repository: string;
  tag: string;
  digest: string;
  /** Entries of the index that nothing else uses. */
  entries: readonly string[];
  /** Only the name is removed, because something else uses the manifest. */
  nameOnly: boolean;
}

/** The decision about one tag. */
export interface PruneDecision {
  kind: PruneGroup['kind'];
  tag: string;
  verdict: PruneGroup['verdict'];
  reason: PruneReason;
  /** In the order of removal: image, disks, logs, record. Empty for what is kept. */
  removals: readonly Removal[];
}
