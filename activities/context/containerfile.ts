/** Reads from a Containerfile which images outside of it the build uses, and pins them. Pure. */
import { type Arg, type Copy, DockerfileParser, type From, type Instruction, type Label } from 'dockerfile-ast';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { FlightlineError } from '../../model/release/failure.ts';
import { parseReference } from '../../model/oci/reference.ts';

/** What a build takes from outside of the context. */
export interface ContainerfileFacts {
  /** Every external image, as written (after ARG expansion), once each, in order of appearance. */
  images: string[];
  /** The external image that the last stage is built on; null for `scratch`. */
  base: string | null;
  /** Where each external image stands in the text. */
  uses: readonly ImageUse[];
  /** The value of a label that the last stage, or a stage it is built on, sets itself. */
  label(name: string): string | undefined;
}

/** An external image at its place: `text.slice(start, end)` is what is written there, `${BASE}` perhaps. */
export interface ImageUse {
  image: string;
  start: number;
  end: number;
}

type Place = NonNullable<ReturnType<From['getImageRange']>>;

interface BuildStage {
  name: string | null;
  /** An external image, `scratch`, or the index of an earlier stage. */
  base: { image: string } | { stage: number } | 'scratch';
  labels: Map<string, string>;
}

/**
 * Reads a Containerfile as `podman build` does: FROM with ARG expansion by the build arguments, `COPY --from`, `RUN --mount
 * from=`.
 *
 * @throws FlightlineError `containerfile-invalid`, with the line.
 */
export function readContainerfile(
  text: string,
  buildArgs: Readonly<Record<string, string>>,
  architecture: string,
): ContainerfileFacts {
  const dockerfile = DockerfileParser.parse(text);
  const document = TextDocument.create('', '', 0, text);
  const values = new Map<string, string>(Object.entries(platformArguments(architecture)));
  const uses: ImageUse[] = [];
  const stages: BuildStage[] = [];

  for (const instruction of dockerfile.getInstructions()) {
    switch (instruction.getKeyword()) {
      case 'ARG':
        if (stages.length === 0) declare(instruction as Arg);
        break;
      case 'FROM':
        stages.push(stageFrom(instruction as From));
        break;
      case 'COPY':
      case 'ADD':
      case 'RUN':
        for (const { source, place } of sourcesOf(instruction)) useImage(source, place, instruction);
        break;
      case 'LABEL':
        for (const property of (instruction as Label).getProperties()) {
          stages.at(-1)?.labels.set(property.getName(), property.getValue() ?? '');
        }
        break;
      case 'ONBUILD':
        break;
    }
  }
  const last = stages.at(-1);
  if (!last) throw invalid('it has no FROM', undefined);
  return {
    images: [...new Set(uses.map(({ image }) => image))],
    base: baseOf(last),
    uses,
    label: (name) => labelOf(last, name),
  };

  function declare(argument: Arg): void {
    const property = argument.getProperty();
    if (!property) return;
    const name = property.getName();
    const given = Object.hasOwn(buildArgs, name) ? buildArgs[name] : undefined;
    const value = given ?? (property.getValue() === null ? values.get(name) : expand(property.getValue()!, argument));
    if (value !== undefined) values.set(name, value);
  }

  function stageFrom(from: From): BuildStage {
    const written = from.getImage();
    if (!written) throw invalid('FROM names no image', from);
    const image = expand(written, from);
    const name = from.getBuildStage();
    return { name, base: resolveBase(image, from.getImageRange()!, from), labels: new Map() };
  }

  function resolveBase(image: string, place: Place, instruction: Instruction): BuildStage['base'] {
    if (image === 'scratch') return 'scratch';
    const stage = stages.findIndex((earlier) => earlier.name?.toLowerCase() === image.toLowerCase());
    if (stage >= 0) return { stage };
    addImage(image, place, instruction);
    return { image };
  }

  /** `--from` names an earlier stage, by name or number, or an image. */
  function useImage(source: string, place: Place, instruction: Instruction): void {
    if (source.includes('$')) {
      throw invalid(
        `--from=${source} uses a variable, so that its image cannot be pinned; name the image, or give it a stage of its own with FROM`,
        instruction,
      );
    }
    if (/^\d+$/.test(source) && Number(source) < stages.length) return;
    resolveBase(source, place, instruction);
  }

  function addImage(image: string, place: Place, instruction: Instruction): void {
    const parsed = parseReference(image);
    if (!parsed.ok) throw invalid(parsed.problem, instruction);
    uses.push({ image, start: document.offsetAt(place.start), end: document.offsetAt(place.end) });
  }

  function expand(written: string, instruction: Instruction): string {
    const expanded = written
      .replace(
        /\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^}]*))?\}|\$([A-Za-z_][A-Za-z0-9_]*)/g,
        (_, braced, operator, word, plain) =>
          substitute(String(braced ?? plain), operator as string | undefined, word as string | undefined, instruction),
      )
      .replace(/^(['"])(.*)\1$/, '$2');
    if (expanded.includes('$')) throw invalid(`"${written}" cannot be expanded`, instruction);
    return expanded;
  }

  function substitute(
    name: string,
    operator: string | undefined,
    word: string | undefined,
    instruction: Instruction,
  ): string {
    const value = values.get(name);
    const isSet = operator?.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
    if (operator?.endsWith('-')) return isSet ? value! : word!;
    if (operator?.endsWith('+')) return isSet ? word! : '';
    if (value === undefined) {
      throw invalid(
        `the variable ${name} has no value: declare ARG ${name}=… before the first FROM, or set image.buildArgs`,
        instruction,
      );
    }
    return value;
  }

  function baseOf(stage: BuildStage): string | null {
    if (stage.base === 'scratch') return null;
    return 'image' in stage.base ? stage.base.image : baseOf(stages[stage.base.stage]!);
  }

  function labelOf(stage: BuildStage, name: string): string | undefined {
    const own = stage.labels.get(name);
    if (own !== undefined || stage.base === 'scratch' || 'image' in stage.base) return own;
    return labelOf(stages[stage.base.stage]!, name);
  }
}

/**
 * The Containerfile with each external image replaced by its pinned name, so that nothing is looked up again. (`podman build
 * --build-context NAME=docker-image://…` would leave the text alone, but a FROM with a variable never matches it.)
 */
export function pinContainerfile(
  text: string,
  uses: readonly ImageUse[],
  pinnedName: (image: string) => string,
): string {
  return [...uses]
    .sort((left, right) => right.start - left.start)
    .reduce((pinned, use) => pinned.slice(0, use.start) + pinnedName(use.image) + pinned.slice(use.end), text);
}

/** The values of `--from` and of `from=` in `--mount`, each with its place. */
function sourcesOf(instruction: Instruction): { source: string; place: Place }[] {
  const flags = 'getFlags' in instruction ? (instruction as Copy).getFlags() : [];
  return flags.flatMap((flag) => {
    const value = flag.getValue() ?? '';
    const place = flag.getValueRange();
    if (!place) return [];
    if (flag.getName() === 'from') return [{ source: value, place }];
    if (flag.getName() !== 'mount') return [];
    return [...value.matchAll(/(?<=^|,)from=([^,]*)/g)].map((match) => {
      const character = place.start.character + match.index + 'from='.length;
      const { line } = place.start;
      return {
        source: match[1]!,
        place: { start: { line, character }, end: { line, character: character + match[1]!.length } },
      };
    });
  });
}

/** Arguments that buildah sets by itself. */
function platformArguments(architecture: string): Record<string, string> {
  const platform = { PLATFORM: `linux/${architecture}`, OS: 'linux', ARCH: architecture, VARIANT: '' };
  return Object.fromEntries(
    Object.entries(platform).flatMap(([name, value]) => [
      [`TARGET${name}`, value],
      [`BUILD${name}`, value],
    ]),
  );
}

function invalid(problem: string, instruction: Instruction | undefined): FlightlineError {
  const line = instruction ? `, line ${instruction.getRange().start.line + 1}` : '';
  return new FlightlineError('containerfile-invalid', `Containerfile${line}: ${problem}`);
}
