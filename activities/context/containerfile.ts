/**
 * Guesses what a Containerfile takes from outside, so that images are looked up and pulled early, and for lint. podman
 * alone decides what a Containerfile means. Pure.
 */
import { type Arg, type Copy, DockerfileParser, type From, type Instruction, type Label } from 'dockerfile-ast';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { parseReference } from '../../model/oci/reference.ts';

/** What a build seems to take from outside the context. */
interface ContainerfileHints {
  /** External images with arguments expanded, once each, in order of appearance. */
  images: string[];
  /** The external image that the last stage is built on; null for `scratch`, or when unknown. */
  base: string | null;
  /** The position of each external image in the text. */
  uses: readonly ImageUse[];
  /** The value of a label that the last stage, or a stage it is built on, sets itself. */
  label(name: string): string | undefined;
}

/** An external image at a position of the text, which may say `${BASE}` there. */
interface ImageUse {
  image: string;
  start: number;
}

type Place = NonNullable<ReturnType<From['getImageRange']>>;

interface BuildStage {
  name: string | null;
  /** An external image, `scratch`, the index of an earlier stage, or unknown. */
  base: { image: string } | { stage: number } | 'scratch' | 'unknown';
  labels: Map<string, string>;
}

/** Reads a Containerfile, and leaves out what it does not understand. */
export function readContainerfile(
  text: string,
  buildArgs: Readonly<Record<string, string | null>>,
  architecture: string,
): ContainerfileHints {
  const dockerfile = DockerfileParser.parse(text);
  const document = TextDocument.create('', '', 0, text);
  const values = new Map<string, string>(Object.entries(platformArguments(architecture)));
  const uses: ImageUse[] = [];
  const stages: BuildStage[] = [];

  for (const instruction of dockerfile.getInstructions()) {
    switch (instruction.getKeyword()) {
      case 'ARG':
        declare(instruction as Arg, buildArgs, values);
        break;
      case 'FROM':
        stages.push(stageFrom(instruction as From));
        break;
      case 'COPY':
      case 'ADD':
      case 'RUN':
        // `--from` names a stage, by name or number, or an image.
        for (const { source, place } of sourcesOf(instruction)) {
          const image = expand(unquoted(source), values);
          if (image !== undefined) baseNamed(image, place);
        }
        break;
      case 'LABEL':
        for (const property of (instruction as Label).getProperties()) {
          stages.at(-1)?.labels.set(property.getName(), property.getValue() ?? '');
        }
        break;
    }
  }
  const last = stages.at(-1);
  return {
    images: [...new Set(uses.map(({ image }) => image))],
    base: last ? baseOf(last, stages) : null,
    uses,
    label: (name) => last && labelOf(last, name, stages),
  };

  function stageFrom(from: From): BuildStage {
    const image = expand(unquoted(from.getImage() ?? ''), values);
    const place = from.getImageRange();
    const base = image === undefined || !place ? 'unknown' : baseNamed(image, place);
    return { name: from.getBuildStage(), base, labels: new Map() };
  }

  function baseNamed(image: string, place: Place): BuildStage['base'] {
    if (image === 'scratch') return 'scratch';
    const stage = stages.findIndex((earlier) => earlier.name?.toLowerCase() === image.toLowerCase());
    if (stage >= 0) return { stage };
    // podman decides about names without a registry.
    if (!parseReference(image).ok) return 'unknown';
    uses.push({ image, start: document.offsetAt(place.start) });
    return { image };
  }
}

/** Notes the values of build arguments. A given value replaces the default in the text. */
function declare(argument: Arg, buildArgs: Readonly<Record<string, string | null>>, values: Map<string, string>): void {
  for (const property of argument.getProperties()) {
    const name = property.getName();
    const given = buildArgs[name];
    const written = property.getValue();
    const value = given ?? (written === null ? values.get(name) : expand(unquoted(written), values));
    if (value !== undefined) values.set(name, value);
  }
}

function baseOf(stage: BuildStage, stages: readonly BuildStage[]): string | null {
  if (typeof stage.base === 'string') return null;
  return 'image' in stage.base ? stage.base.image : baseOf(stages[stage.base.stage]!, stages);
}

function labelOf(stage: BuildStage, name: string, stages: readonly BuildStage[]): string | undefined {
  const own = stage.labels.get(name);
  if (own !== undefined || typeof stage.base === 'string' || 'image' in stage.base) return own;
  return labelOf(stages[stage.base.stage]!, name, stages);
}

function unquoted(text: string): string {
  return text.replace(/^(['"])(.*)\1$/, '$2');
}

/** Replaces each `$` of a value, so that it is not expanded again. */
const LITERAL_DOLLAR = '\0';

/**
 * Expands `$NAME`, `${NAME}` and the forms with a default or an alternative, which may be nested. Undefined for other
 * forms.
 */
function expand(text: string, values: ReadonlyMap<string, string>): string | undefined {
  let rest = text;
  // The innermost braces first.
  for (;;) {
    const next = rest.replace(/\$\{([A-Za-z_]\w*)(?:(:?[-+])([^{}]*))?\}/, (_, name: string, operator, word) =>
      substitute(
        values.get(name)?.replaceAll('$', LITERAL_DOLLAR),
        operator as string | undefined,
        word as string | undefined,
      ),
    );
    if (next === rest) break;
    rest = next;
  }
  rest = rest.replace(/\$([A-Za-z_]\w*)/g, (_, name: string) => values.get(name) ?? '');
  return /[$\0]/.test(rest) || rest === '' ? undefined : rest;
}

function substitute(value: string | undefined, operator = '', word = ''): string {
  const isSet = value !== undefined && (value !== '' || !operator.startsWith(':'));
  if (operator.endsWith('+')) return isSet ? word : '';
  return isSet ? value : word;
}

/** The values of `--from` and of `from=` in `--mount`, with the positions of their flags. */
function sourcesOf(instruction: Instruction): { source: string; place: Place }[] {
  const flags = 'getFlags' in instruction ? (instruction as Copy).getFlags() : [];
  return flags.flatMap((flag) => {
    const value = flag.getValue() ?? '';
    const place = flag.getValueRange();
    if (!place) return [];
    if (flag.getName() === 'from') return [{ source: value, place }];
    if (flag.getName() !== 'mount') return [];
    return [...value.matchAll(/(?<=^|,)from=([^,]*)/g)].map((match) => ({ source: match[1]!, place }));
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
