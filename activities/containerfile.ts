/** Reads from a Containerfile which images outside of it the build uses. Pure. */
import { type Arg, type Copy, DockerfileParser, type From, type Instruction, type Label } from 'dockerfile-ast';
import { FlightlineError } from '../spec/failure.ts';
import { parseReference } from '../spec/reference.ts';

/** What a build takes from outside of the context. */
export interface ContainerfileFacts {
  /** Every external image, as written (after ARG expansion), once each, in order of appearance. */
  images: string[];
  /** The external image that the last stage is built on; null for `scratch`. */
  base: string | null;
  /** The value of a label that the last stage, or a stage it is built on, sets itself. */
  label(name: string): string | undefined;
}

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
  const values = new Map<string, string>(Object.entries(platformArguments(architecture)));
  const images: string[] = [];
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
        for (const source of sourcesOf(instruction)) useImage(source, instruction);
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
  return { images, base: baseOf(last), label: (name) => labelOf(last, name) };

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
    return { name, base: resolveBase(image, from), labels: new Map() };
  }

  function resolveBase(image: string, instruction: Instruction): BuildStage['base'] {
    if (image === 'scratch') return 'scratch';
    const stage = stages.findIndex((earlier) => earlier.name?.toLowerCase() === image.toLowerCase());
    if (stage >= 0) return { stage };
    addImage(image, instruction);
    return { image };
  }

  /** `--from` names an earlier stage, by name or number, or an image. */
  function useImage(source: string, instruction: Instruction): void {
    if (source.includes('$')) {
      throw invalid(
        `--from=${source} uses a variable, so that its image cannot be pinned; name the image, or give it a stage of its own with FROM`,
        instruction,
      );
    }
    if (/^\d+$/.test(source) && Number(source) < stages.length) return;
    resolveBase(source, instruction);
  }

  function addImage(image: string, instruction: Instruction): void {
    const parsed = parseReference(image);
    if (!parsed.ok) throw invalid(parsed.problem, instruction);
    if (!images.includes(image)) images.push(image);
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

/** The values of `--from` and of `from=` in `--mount`. */
function sourcesOf(instruction: Instruction): string[] {
  const flags = 'getFlags' in instruction ? (instruction as Copy).getFlags() : [];
  return flags.flatMap((flag) => {
    const value = flag.getValue() ?? '';
    if (flag.getName() === 'from') return [value];
    if (flag.getName() !== 'mount') return [];
    return value
      .split(',')
      .filter((option) => option.startsWith('from='))
      .map((option) => option.slice('from='.length));
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
