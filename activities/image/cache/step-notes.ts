/**
 * Under which circumstances this installation made the steps that lie in podman's cache. podman knows a step by its
 * text, by what it copies, and by the layers and history that it is built on. It ignores the name and the configuration
 * of the base, times of what comes from another image, what a RUN sees of another stage, times of what it sees of the
 * context, the values of build arguments in all but a RUN, annotations, proxies, and what the host mounts for RUN. Of a
 * RUN's heredoc it ignores white space around it; once there is an ARG, all of it.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildInput } from '../../../model/contract/build.ts';
import { sha256 } from '../../../model/base/digest.ts';
import { contextDirectories } from '../../../model/spec/build-options.ts';
import { ifMissing } from '../../host/space.ts';
import type { BuiltStep } from '../../tools/podman/build-output.ts';

/** Variables and build arguments that podman hands to every RUN (buildah, `builtinAllowedBuildArgs`). */
const PROXY = /_proxy$/i;

/** A RUN whose command stands in the lines after it. */
const HEREDOC = /^RUN .*<</is;

type Input = Pick<BuildInput, 'annotations' | 'buildArgs' | 'buildContexts' | 'context'>;

/** What a host has, and a Containerfile, besides what the spec says. */
interface Surroundings {
  /** `from:to:ro` */
  volumes: readonly string[];
  /** The images of further build contexts, by digest. */
  images: readonly string[];
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
  readonly #values: string;
  /** Names of the further contexts that are directories, and are sent with the context. */
  readonly #contexts: readonly string[];

  /** @param directory that the janitor looks after: it removes what has not been used for long */
  constructor(directory: string, input: Input, { volumes, images, containerfile, text }: Surroundings) {
    this.#directory = directory;
    const { annotations = {}, buildArgs, buildContexts = {}, context } = input;
    const proxies = [process.env, buildArgs].map((given) => Object.entries(given).filter(([name]) => PROXY.test(name)));
    this.#circumstances = JSON.stringify([annotations, buildContexts, images, proxies, volumes]);
    this.#context = context.digest;
    // A file of the context may be part of one that is preprocessed.
    this.#text = containerfile.endsWith('.in') ? context.digest : sha256(text);
    this.#values = JSON.stringify([buildArgs, this.#text]);
    this.#contexts = Object.keys(contextDirectories(input));
  }

  /** Notes a step as soon as it is made: whoever builds may be killed before the next. */
  note(step: BuiltStep): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    appendFileSync(this.#fileFor(step), `${this.#line(step)}\n`, { mode: 0o600 });
  }

  /** Whether the step was made here from the same, under the same circumstances. */
  async knows(step: BuiltStep): Promise<boolean> {
    const file = this.#fileFor(step);
    const noted = await readFile(file, 'utf8').catch(ifMissing(''));
    if (!noted.split('\n').includes(this.#line(step))) return false;
    await utimes(file, new Date(), new Date());
    return true;
  }

  #line({ instruction, id, origins, isExpanded }: BuiltStep): string {
    const seen = [
      isExpanded ? this.#values : '',
      HEREDOC.test(instruction) ? this.#text : '',
      seesContext(instruction, this.#contexts) ? this.#context : '',
    ];
    return `${id} ${short([...seen, ...origins])}`;
  }

  /** A base that has moved on leaves a file that nothing reads any more. */
  #fileFor({ firstImage }: BuiltStep): string {
    return join(this.#directory, `steps-${short([this.#circumstances, firstImage])}`);
  }
}

function short(parts: readonly string[]): string {
  return sha256(JSON.stringify(parts)).slice(0, 16);
}

/** Whether a RUN mounts files of a context, or its command only looks like that. */
function seesContext(instruction: string, contexts: readonly string[]): boolean {
  if (!/^RUN /i.test(instruction)) return false;
  return [...instruction.matchAll(/ --mount=(\S+)/g)].some(([, text]) => {
    const options = text!.replaceAll(/["']/g, '').split(',');
    const valueOf = (key: string) => options.find((option) => option.startsWith(`${key}=`))?.slice(key.length + 1);
    const from = valueOf('from');
    return (valueOf('type') ?? 'bind') === 'bind' && (from === undefined || contexts.includes(from));
  });
}
