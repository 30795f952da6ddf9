/**
 * Under which circumstances this installation made the steps that lie in podman's cache. podman knows a step by its
 * text, by what it copies, and by the layers and history that it is built on. It ignores the name and the configuration
 * of the base, times of what comes from another image or of what a RUN sees of the context, annotations, proxies, and
 * what the host mounts for RUN. Of a RUN's heredoc it ignores white space around it; once there is an ARG, all of it.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildInput } from '../../../model/contract/build.ts';
import { sha256 } from '../../../model/base/digest.ts';
import { contextDirectories } from '../../../model/spec/build-options.ts';
import { ifMissing } from '../../host/space.ts';
import type { BuiltStep } from '../../tools/podman/build-output.ts';
import { runMounts, type RunMount } from './run-mounts.ts';

/** Variables and build arguments that podman hands to every RUN (buildah, `builtinAllowedBuildArgs`). */
const PROXY = /_proxy$/i;

/** A RUN whose command stands in the lines after it. */
const HEREDOC = /^RUN .*<</is;

type Input = Pick<BuildInput, 'annotations' | 'buildArgs' | 'buildContexts' | 'context'>;

/** What a host has, and a Containerfile, besides what the spec says. */
interface Surroundings {
  /** `from:to:ro` */
  volumes: readonly string[];
  /** The Containerfile's path, and its text. */
  containerfile: string;
  text: string;
}

/** The notes of a host, as far as they are of builds with the same circumstances. */
export class StepNotes {
  readonly #directory: string;
  readonly #circumstances: string;
  readonly #context: string;
  readonly #text: string;
  /** Names of the further contexts that are directories, and are sent with the context. */
  readonly #contexts: readonly string[];

  /** @param directory that the janitor looks after: it removes what has not been used for long */
  constructor(directory: string, input: Input, { volumes, containerfile, text }: Surroundings) {
    this.#directory = directory;
    const { annotations = {}, buildArgs, context } = input;
    const proxies = [process.env, buildArgs].map((given) => Object.entries(given).filter(([name]) => PROXY.test(name)));
    this.#circumstances = JSON.stringify([annotations, proxies, volumes]);
    this.#context = context.digest;
    // A file of the context may be part of one that is preprocessed.
    this.#text = containerfile.endsWith('.in') ? context.digest : sha256(text);
    this.#contexts = Object.keys(contextDirectories(input));
  }

  /** Notes a step as soon as it is made: whoever builds may be killed before the next. */
  note(step: BuiltStep): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    appendFileSync(this.#fileFor(step), `${step.id}\n`, { mode: 0o600 });
  }

  /** Whether the step was made here with the same images, under the same circumstances. */
  async knows(step: BuiltStep): Promise<boolean> {
    const file = this.#fileFor(step);
    const noted = await readFile(file, 'utf8').catch(ifMissing(''));
    if (!noted.split('\n').includes(step.id)) return false;
    await utimes(file, new Date(), new Date());
    return true;
  }

  #fileFor({ instruction, images }: BuiltStep): string {
    const isOfContext = ({ type, from }: RunMount) =>
      type === 'bind' && (from === undefined || this.#contexts.includes(from));
    const seen = [
      ...(HEREDOC.test(instruction) ? [this.#text] : []),
      ...(runMounts(instruction).some(isOfContext) ? [this.#context] : []),
    ];
    const key = [this.#circumstances, ...seen, ...images].join(' ');
    return join(this.#directory, `steps-${sha256(key).slice(0, 16)}`);
  }
}
