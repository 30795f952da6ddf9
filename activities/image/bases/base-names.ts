/**
 * The names under which a build finds its bases, and a builder the image. All of a host share its storage, so whoever
 * means another image by a name waits while one uses it. Afterwards the names of bases go, so that no later build takes
 * one for the tag's image.
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
  /** The image that had the name before, to which it goes back; null for none, undefined where it stays. */
  before?: string | null;
  /** The last user has left, and the name is being restored. */
  closing: boolean;
}

/** The names that builds of this process use. */
const held = new Map<string, HeldName>();
/** Milliseconds between two checks of a name that another build uses. */
const PAUSE = 200;

/**
 * Gives each base the name that the Containerfile uses, while `body` runs.
 *
 * @param pullIndex gives a base the digest of its index as a name, which podman does in a pull only
 */
export async function withBaseNames<Result, Base extends Pick<LocalBase, 'reference' | 'id' | 'manifest'>>(
  bases: readonly Base[],
  { signal, pullIndex }: { signal: AbortSignal; pullIndex: (base: Base) => Promise<unknown> },
  body: () => Promise<Result>,
): Promise<Result> {
  const taken: string[] = [];
  try {
    // In sorted order, so that no two builds wait for each other.
    for (const base of bases.toSorted((left, right) => (left.reference < right.reference ? -1 : 1))) {
      const { reference, id, manifest } = base;
      const parsed = parseReference(reference);
      if (!parsed.ok) continue;
      const { repository, tag = 'latest', digest } = parsed.reference;
      if (digest === undefined) {
        const name = `${repository}:${tag}`;
        await take(name, id, signal, taken, (own) => nameIt(own, name, () => tagImage(id, name)));
      } else if (manifest !== undefined) {
        const name = `${repository}@${digest}`;
        await take(name, id, signal, taken, (own) => nameIt(own, name, () => pullIndex(base)));
      }
    }
    return await body();
  } finally {
    for (const name of taken) await leave(name);
  }
}

/** Lets nobody else mean another image by a name while `body` runs. `give` names the image, which keeps the name. */
export async function withHeldName<Result>(
  name: string,
  image: string,
  signal: AbortSignal,
  give: () => Promise<void>,
  body: () => Promise<Result>,
): Promise<Result> {
  const taken: string[] = [];
  try {
    await take(name, image, signal, taken, give);
    return await body();
  } finally {
    for (const one of taken) await leave(one);
  }
}

/** `true` while a build or a builder of this process means an image by the name. */
export function isHeldName(name: string): boolean {
  return held.has(name);
}

async function take(
  name: string,
  id: string,
  signal: AbortSignal,
  taken: string[],
  give: (own: HeldName) => Promise<void>,
): Promise<void> {
  for (;;) {
    const now = held.get(name);
    if (!now || (now.id === id && !now.closing)) break;
    await sleep(PAUSE, undefined, { signal });
  }
  let own = held.get(name);
  if (own) own.users++;
  else {
    own = { id, users: 1, named: Promise.resolve(), closing: false };
    held.set(name, own);
    own.named = give(own);
  }
  taken.push(name);
  await own.named;
}

async function nameIt(own: HeldName, name: string, give: () => Promise<unknown>): Promise<void> {
  own.before = (await inspectImage(name))?.id ?? null;
  if (own.before !== own.id) await give();
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
    if (before === undefined || before === id) return;
    // podman gives a digest as a name in a pull only: another platform's build takes it again.
    if (before === null || name.includes('@')) await podman('podman untag', ['untag', id, name], options);
    else await podman('podman tag', ['tag', before, name], options);
  } finally {
    held.delete(name);
  }
}
