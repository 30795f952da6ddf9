/**
 * Under which circumstances this installation made the steps that lie in podman's cache. podman knows a step by its
 * text, by what it copies, and by the layers and history that it is built on: not by the configuration of its base, nor
 * by the times of what it takes from another image, nor by annotations, nor by what the host mounts for RUN, nor by the
 * build arguments that need no ARG.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildInput } from '../../../model/contract/build.ts';
import { sha256 } from '../../../model/base/digest.ts';
import { ifMissing } from '../../host/space.ts';
import type { BuiltStep } from '../../tools/podman/build-output.ts';

/** Build arguments that podman hands to every RUN (buildah, `builtinAllowedBuildArgs`). */
const PROXY = /_proxy$/i;

type Options = Pick<BuildInput, 'annotations' | 'buildArgs'>;

/** The notes of a host, as far as they are of builds with the same circumstances. */
export class StepNotes {
  readonly #directory: string;
  readonly #circumstances: string;

  /** @param directory that the janitor looks after: it removes what has not been used for long */
  constructor(directory: string, { annotations, buildArgs }: Options, volumes: readonly string[]) {
    this.#directory = directory;
    const proxies = Object.entries(buildArgs).filter(([name]) => PROXY.test(name));
    this.#circumstances = JSON.stringify([annotations ?? {}, proxies, volumes]);
  }

  /** Notes a step as soon as it is made: whoever builds may be killed before the next. */
  note({ id, images }: BuiltStep): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    appendFileSync(this.#fileFor(images), `${id}\n`, { mode: 0o600 });
  }

  /** Whether the step was made here with the same images, under the same circumstances. */
  async knows({ id, images }: BuiltStep): Promise<boolean> {
    const file = this.#fileFor(images);
    const noted = await readFile(file, 'utf8').catch(ifMissing(''));
    if (!noted.split('\n').includes(id)) return false;
    await utimes(file, new Date(), new Date());
    return true;
  }

  #fileFor(images: readonly string[]): string {
    return join(this.#directory, `steps-${sha256(`${this.#circumstances} ${images.join(' ')}`).slice(0, 16)}`);
  }
}
