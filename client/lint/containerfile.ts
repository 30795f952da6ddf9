/** A Containerfile as the rules look at it: the stages that become the image, their steps, and every step's line. Pure. */
import { type Copy, DockerfileParser, type Env, type From, type Instruction, type Run } from 'dockerfile-ast';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { FlightlineError } from '../../model/release/failure.ts';
import { readContainerfile } from '../../activities/context/containerfile.ts';
import { commandOf, commandsOf, type Command } from './shell.ts';

/** A command with the line (from 1) on which it begins. */
export type RunCommand = Command & { line: number };

/** What COPY or ADD puts into the image. */
export interface CopyStep {
  /** As written; none for files that stand in the Containerfile itself. */
  sources: string[];
  destination: string;
  /** Not from the context: another stage or image. */
  foreign: boolean;
  /** Files that stand in the Containerfile, `COPY <<END /etc/motd`; in a directory they have the delimiter's name. */
  texts: { name: string; text: string }[];
}

/** An instruction. */
export interface Step {
  keyword: string;
  /** First line, from 1. */
  line: number;
  /** What RUN runs. */
  commands: RunCommand[];
  /** Targets of RUN's `--mount=type=cache`. */
  caches: string[];
  copy: CopyStep | null;
  /** Names and values that ENV and ARG set; null for an ARG without default. */
  variables: { name: string; value: string | null }[];
  /** The directory that relative paths are below. */
  directory: string;
}

/** A stage. */
export interface Stage {
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
  const stages: (Stage & { name: string | null; on: number | null; directory: string })[] = [];
  const dockerfile = DockerfileParser.parse(text);
  for (const instruction of dockerfile.getInstructions()) {
    const keyword = instruction.getKeyword();
    const stage = stages.at(-1);
    if (keyword === 'FROM') {
      stages.push(stageOf(instruction as From));
    } else if (stage) {
      if (keyword === 'WORKDIR') stage.directory = absolute(instruction.getArgumentsContent() ?? '/', stage.directory);
      stage.steps.push(stepOf(instruction, document, stage.directory, dockerfile.getEscapeCharacter()));
    }
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
    const directory = on < 0 ? '/' : stages[on]!.directory;
    return { line: lineOf(from), image, steps: [], name: from.getBuildStage(), on: on < 0 ? null : on, directory };
  }
}

/** The steps that make the image's files. */
export function finalSteps(containerfile: Containerfile): Step[] {
  return containerfile.final.flatMap((stage) => stage.steps);
}

/** The commands that make the image's files. */
export function finalCommands(containerfile: Containerfile): RunCommand[] {
  return finalSteps(containerfile).flatMap((step) => step.commands);
}

/** A path of the image, absolute. */
export function absolute(path: string, directory: string): string {
  return path.startsWith('/') ? path : `${directory === '/' ? '' : directory}/${path.replace(/^\.(?:\/|$)/, '')}`;
}

function stepOf(instruction: Instruction, document: TextDocument, directory: string, escape: string): Step {
  const keyword = instruction.getKeyword();
  const isRun = keyword === 'RUN';
  const isCopy = keyword === 'COPY' || keyword === 'ADD';
  return {
    keyword,
    line: lineOf(instruction),
    commands: isRun ? runCommands(instruction as Run, document, escape) : [],
    caches: isRun ? cacheTargets(instruction as Run) : [],
    copy: isCopy ? copyOf(instruction as Copy, document) : null,
    variables: keyword === 'ENV' || keyword === 'ARG' ? variablesOf(instruction as Env) : [],
    directory,
  };
}

function lineOf(instruction: Instruction): number {
  return instruction.getRange().start.line + 1;
}

/** `ARG` has the same properties as `ENV`, one at a time in the standard and several in buildah. */
function variablesOf(instruction: Env): Step['variables'] {
  return instruction.getProperties().map((property) => ({ name: property.getName(), value: property.getValue() }));
}

function cacheTargets(run: Run): string[] {
  const mounts = run.getFlags().filter((flag) => flag.getName() === 'mount');
  return mounts
    .map((flag) => flag.getValue() ?? '')
    .filter((value) => /(?:^|,)type=cache(?:,|$)/.test(value))
    .flatMap((value) => /(?:^|,)(?:target|dst|destination)=([^,]*)/.exec(value)?.[1] ?? []);
}

/** The exec form's words; undefined for the shell form. */
function execForm(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const words: unknown = JSON.parse(text.replaceAll(/\\\r?\n/g, ' '));
    return Array.isArray(words) ? words.map(String) : undefined;
  } catch {
    // What is no JSON is given to the shell.
    return undefined;
  }
}

function runCommands(run: Run, document: TextDocument, escape: string): RunCommand[] {
  const text = run.getRawArgumentsContent() ?? '';
  const begin = document.getText().indexOf(text, document.offsetAt(run.getRange().start));
  const words = execForm(text);
  if (words) return commandOf(words, 0).map((command) => ({ ...command, line: lineOf(run) }));
  const at = (offset: number) => document.positionAt(offset).line + 1;
  const heredocs = run.getHeredocs();
  if (text.startsWith('<<')) {
    // The heredoc is the script itself.
    return heredocs.flatMap((heredoc) => {
      const range = heredoc.getContentRange();
      if (!range) return [];
      const start = document.offsetAt(range.start);
      const script = document.getText(range);
      return commandsOf(script).map((command) => ({ ...command, line: at(start + command.offset) }));
    });
  }
  const script = heredocs.length > 0 ? text : joined(text, escape);
  return commandsOf(script).map((command) => ({ ...command, line: at(begin + command.offset) }));
}

/**
 * A RUN of several lines as the shell gets it: lines of comment and empty ones between them are left out. They become spaces here,
 * so that every offset stays what it is. Lines are continued by a backslash, or by a backtick where `# escape=` says so.
 */
function joined(text: string, escape: string): string {
  const continued = escape === '`' ? /`[ \t\r]*(?=\n)/g : /\\[ \t\r]*(?=\n)/g;
  return text
    .replaceAll(continued, (match) => `${' '.repeat(match.length - 1)}\\`)
    .replaceAll(/(?<=\n)[ \t]*(?:#[^\n]*)?\n/g, (line) => ' '.repeat(line.length));
}

function copyOf(copy: Copy, document: TextDocument): CopyStep {
  const heredocs = copy.getHeredocs();
  const texts = heredocs.map((heredoc) => {
    const range = heredoc.getContentRange();
    return { name: heredoc.getName(), text: range ? document.getText(range) : '' };
  });
  const [line = ''] = heredocs.length > 0 ? (copy.getRawArgumentsContent() ?? '').split('\n') : [];
  const plain =
    heredocs.length > 0 ? line.trim().split(/\s+/) : copy.getArguments().map((argument) => argument.getValue());
  const words = (execForm(copy.getRawArgumentsContent() ?? '') ?? plain).filter((word) => !word.startsWith('<<'));
  return {
    sources: words.slice(0, -1),
    destination: words.at(-1) ?? '',
    foreign: copy.getFlags().some((flag) => flag.getName() === 'from'),
    texts,
  };
}
