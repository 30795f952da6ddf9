/** A Containerfile as rules see it: the stages that become the image, and the text of their steps. Pure. */
import { type Copy, DockerfileParser, type Env, type From, type Instruction } from 'dockerfile-ast';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { FlightlineError } from '../../model/failure/failure.ts';
import { readContainerfile } from '../../activities/context/containerfile.ts';

/** A part of a RUN command, between `&&`, `;`, `|` and line ends. It is plain text, not parsed by a shell. */
export interface Piece {
  text: string;
  /** Where it begins, from 1. */
  line: number;
}

/** An instruction. */
export interface Step {
  keyword: string;
  /** First line, from 1. */
  line: number;
  /** As written, with its heredocs. */
  text: string;
  /** What RUN runs. */
  pieces: Piece[];
  /** The paths of COPY or ADD, the destination last. Files written in the Containerfile itself have none. */
  paths: string[];
  /** Names and values that ENV and ARG set; null for an ARG without default. */
  variables: { name: string; value: string | null }[];
}

/** A stage. */
interface Stage {
  /** Line of its FROM, from 1. */
  line: number;
  /** The image it is built on, arguments filled in; null when that is another stage, or nothing. */
  image: string | null;
  steps: Step[];
}

/** A Containerfile. */
export interface Containerfile {
  /** Of all stages, in their order. */
  stages: Stage[];
  /** The stages whose files become the image's: the last one, and before it those that it is built on. */
  final: Stage[];
  lines: string[];
}

/**
 * Reads a Containerfile.
 *
 * @throws FlightlineError `containerfile-invalid` when it has no stage.
 */
export function parseContainerfile(
  text: string,
  buildArgs: Readonly<Record<string, string | null>>,
  architecture: string,
): Containerfile {
  const { uses } = readContainerfile(text, buildArgs, architecture);
  const document = TextDocument.create('', '', 0, text);
  const stages: (Stage & { name: string | null; on: number | null })[] = [];
  const dockerfile = DockerfileParser.parse(text);
  for (const instruction of dockerfile.getInstructions()) {
    if (instruction.getKeyword() === 'FROM') stages.push(stageOf(instruction as From));
    else stages.at(-1)?.steps.push(stepOf(instruction, document, dockerfile.getEscapeCharacter()));
  }
  const last = stages.at(-1);
  if (!last) throw new FlightlineError('containerfile-invalid', 'the Containerfile has no FROM');
  const final = [last];
  while (final[0]!.on !== null) final.unshift(stages[final[0]!.on]!);
  return { stages, final, lines: text.split(/\r?\n/) };

  function stageOf(from: From): (typeof stages)[number] {
    const place = from.getImageRange();
    const start = place && document.offsetAt(place.start);
    const image = uses.find((use) => use.start === start)?.image ?? null;
    const written = from.getImage()?.toLowerCase();
    const on = image === null ? stages.findIndex((earlier) => earlier.name?.toLowerCase() === written) : -1;
    return { line: lineOf(from), image, steps: [], name: from.getBuildStage(), on: on < 0 ? null : on };
  }
}

/** The steps that make the image's files. */
export function finalSteps(containerfile: Containerfile): Step[] {
  return containerfile.final.flatMap((stage) => stage.steps);
}

/** The pieces of RUN that make the image's files. */
export function finalPieces(containerfile: Containerfile): Piece[] {
  return finalSteps(containerfile).flatMap((step) => step.pieces);
}

function stepOf(instruction: Instruction, document: TextDocument, escape: string): Step {
  const keyword = instruction.getKeyword();
  const line = lineOf(instruction);
  const text = document.getText(instruction.getRange());
  const isCopy = keyword === 'COPY' || keyword === 'ADD';
  // `ARG` has the same properties as `ENV`, one at a time in the standard and several in buildah.
  const properties = keyword === 'ENV' || keyword === 'ARG' ? (instruction as Env).getProperties() : [];
  return {
    keyword,
    line,
    text,
    pieces: keyword === 'RUN' ? piecesOf(text, line, escape) : [],
    paths: isCopy ? pathsOf(instruction as Copy) : [],
    variables: properties.map((property) => ({ name: property.getName(), value: property.getValue() })),
  };
}

function lineOf(instruction: Instruction): number {
  return instruction.getRange().start.line + 1;
}

/** The pieces of a RUN; continued lines are one, and lines of comment are none. Blanks keep every place what it is. */
function piecesOf(text: string, first: number, escape: string): Piece[] {
  const blank = (match: string) => ' '.repeat(match.length);
  const joined = text
    .replace(/^\s*RUN(?:\s+--\S+)*/i, blank)
    .replaceAll(/(?<=\n)[ \t]*(?:#[^\n]*|\r?)\n/g, blank)
    .replaceAll(escape === '`' ? /`[ \t\r]*\n/g : /\\[ \t\r]*\n/g, blank)
    .replaceAll('&&', ';;');
  return [...joined.matchAll(/[^|;\n]+/g)].flatMap(({ 0: piece, index }) => {
    const begins = index + piece.length - piece.trimStart().length;
    const line = first + (text.slice(0, begins).match(/\n/g)?.length ?? 0);
    return piece.trim() === '' ? [] : [{ text: piece.trim(), line }];
  });
}

function pathsOf(copy: Copy): string[] {
  if (copy.getHeredocs().length > 0) {
    const [line = ''] = (copy.getRawArgumentsContent() ?? '').split('\n');
    return line.split(/\s+/).filter((word) => word !== '' && !word.startsWith('<<'));
  }
  const words = copy.getArguments().map((argument) => argument.getValue());
  return words.map((word) => word.replace(/^\[?"|",?\]?$/g, '')).filter((word) => word !== '');
}
