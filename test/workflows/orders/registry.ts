/** A registry of the model: digests, tags, signatures and records, and what activities find when they look. */
import type { RecordInput, SignInput, TagInput } from '../../../model/contract/sign.ts';
import type { TagMove } from '../../../model/tags/tag-move.ts';
import type { ReleaseRecord } from '../../../model/release/record.ts';
import { failed } from '../stand-ins.ts';

const within = (repository: string, digest: string) => `${repository}@${digest}`;

export class Registry {
  /** `repository:tag` to digest. */
  readonly tags = new Map<string, string>();
  /** Of the present run: tags that it moved, and records that it published. */
  readonly moved = new Set<string>();
  records: ReleaseRecord[] = [];
  private readonly digests = new Set<string>();
  private readonly signed = new Set<string>();

  /** Another run begins. */
  beginAnew(): void {
    this.moved.clear();
    this.records = [];
  }

  push(repository: string, digest: string): void {
    this.digests.add(within(repository, digest));
  }

  has(repository: string, digest: string): boolean {
    return this.digests.has(within(repository, digest));
  }

  /** A garbage collection: one of what no tag holds is lost, with its signatures. */
  collect(which: number): void {
    const held = new Set([...this.tags].map(([tag, digest]) => within(tag.slice(0, tag.lastIndexOf(':')), digest)));
    const loose = [...this.digests].filter((one) => !held.has(one));
    const lost = loose[which % loose.length];
    if (lost === undefined) return;
    this.digests.delete(lost);
    for (const signature of this.signed) if (signature.startsWith(lost)) this.signed.delete(signature);
  }

  sign({ repository, digest, tags }: SignInput): void {
    if (!this.has(repository, digest)) throw failed('disk-vanished', `${digest} is not in the registry`);
    for (const tag of tags) this.signed.add(`${within(repository, digest)}:${tag}`);
  }

  verify({ repository, digest, tags }: SignInput): void {
    if (!this.has(repository, digest)) throw failed('disk-vanished', `${digest} is not in the registry`);
    for (const tag of tags) this.requireSigned(repository, digest, tag);
  }

  /** Moves all tags, or none when a digest is gone. */
  move({ moves }: Pick<TagInput, 'moves'>): { moved: string[]; vanished: string[] } {
    const vanished = moves.filter(({ repository, digest }) => !this.has(repository, digest));
    if (vanished.length > 0) return { moved: [], vanished: vanished.map(({ digest }) => digest) };
    for (const { repository, digest, tag } of moves) this.requireSigned(repository, digest, tag);
    for (const move of moves) this.moveOne(move);
    return { moved: moves.map(({ repository, tag }) => `${repository}:${tag}`), vanished: [] };
  }

  record({ record }: RecordInput): void {
    this.records.push(record);
  }

  private moveOne({ repository, tag, digest, expected }: TagMove): void {
    const name = `${repository}:${tag}`;
    const now = this.tags.get(name) ?? null;
    if (now !== digest && (expected === null || typeof expected === 'string') && expected !== 'any' && now !== expected)
      throw failed('tag-moved', `${name} was moved`);
    this.tags.set(name, digest);
    this.moved.add(name);
  }

  private requireSigned(repository: string, digest: string, tag: string): void {
    const name = `${within(repository, digest)}:${tag}`;
    if (!this.signed.has(name)) throw failed('signature-rejected', `${name} has no signature`);
  }
}
