/**
 * The names under which a build finds its bases. All builds of a host share its storage, so a build that means another
 * image by a name waits while a build uses it. Afterwards the names go, so that no later build takes one for the tag's
 * image.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PinnedImage } from '../../../model/release/record.ts';
import { parseReference } from '../../../model/oci/reference.ts';
import { inspectImage, tagImage, type LocalImage } from '../../tools/podman/images.ts';
import { podman } from '../../tools/podman/podman.ts';

/** What podman knows about a base in this host's storage. */
type BaseFacts = Pick<LocalImage, 'id' | 'labels' | 'steps'>;

/** A base in this host's storage. */
export interface LocalBase extends PinnedImage, BaseFacts {}

interface HeldName {
  id: string;
  users: number;
  /** `true` when the image has its name. */
  named: Promise<void>;
  /** The image that had the name before; null for none. */
  before: string | null;
  /** The last user has left, and the name is being restored. */
  closing: boolean;
}

/** The names that builds of this process use. */
const held = new Map<string, HeldName>();
/** Milliseconds between two checks of a name that another build uses. */
const PAUSE = 200;

/** Gives each base the name that the Containerfile uses, while `body` runs. */
export async function withBaseNames<Result>(
  bases: readonly Pick<LocalBase, 'reference' | 'id'>[],
  signal: AbortSignal,
  body: () => Promise<Result>,
): Promise<Result> {
  const taken: string[] = [];
  try {
    // In sorted order, so that no two builds wait for each other.
    for (const { reference, id } of bases.toSorted((left, right) => (left.reference < right.reference ? -1 : 1))) {
      const parsed = parseReference(reference);
      // An image that is named by digest has that name in the storage.
      if (!parsed.ok || parsed.reference.digest) continue;
      const { repository, tag = 'latest' } = parsed.reference;
      await take(`${repository}:${tag}`, id, signal, taken);
    }
    return await body();
  } finally {
    for (const name of taken) await leave(name);
  }
}

async function take(name: string, id: string, signal: AbortSignal, taken: string[]): Promise<void> {
  for (;;) {
    const now = held.get(name);
    if (!now || (now.id === id && !now.closing)) break;
    await sleep(PAUSE, undefined, { signal });
  }
  let own = held.get(name);
  if (own) own.users++;
  else {
    own = { id, users: 1, named: Promise.resolve(), before: null, closing: false };
    held.set(name, own);
    own.named = nameIt(own, name);
  }
  taken.push(name);
  await own.named;
}

async function nameIt(own: HeldName, name: string): Promise<void> {
  own.before = (await inspectImage(name))?.id ?? null;
  if (own.before !== own.id) await tagImage(own.id, name);
}

async function leave(name: string): Promise<void> {
  const own = held.get(name)!;
  own.users--;
  if (own.users > 0) return;
  own.closing = true;
  const { id, before } = own;
  // Ignore failures: the name is set again, or a person has taken it meanwhile.
  const options = { okExitCodes: [0, 1, 2, 125], cleanUp: true };
  try {
    if (before === null) await podman('podman untag', ['untag', id, name], options);
    else if (before !== id) await podman('podman tag', ['tag', before, name], options);
  } finally {
    held.delete(name);
  }
}
