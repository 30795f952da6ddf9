/**
 * Reads the output of `podman --log-level=debug build` line by line: which images it took, and who printed a line.
 * Texts of buildah 1.33 (podman 4.9) to 1.39 (podman 5.4). Pure.
 */

/** A line for the log, with the step that it begins. */
interface OutputLine {
  text: string;
  step?: { instruction: string; number: number; total: number };
}

/** An image that podman found in its storage. */
export interface UsedImage {
  /** Its name in the Containerfile, with arguments expanded. */
  asked: string;
  /** The name by which podman found it. */
  name: string;
  /** 64 hexadecimal digits. */
  id: string;
}

/** podman's own line, before which a RUN may have printed something without a line feed. */
const DEBUG = /time="[^"]*" level=(?:trace|debug|info) msg=("(?:[^"\\]|\\.)*"|\S*).*$/;
const STEP = /^(?:\[\d+\/\d+\] )?STEP (\d+)\/(\d+): (.+)/;
/** How many characters of an instruction are shown. */
const SHOWN = 100;
/** The image of a `FROM` as podman prints it in a step. An earlier stage has its id. */
const FROM = /^FROM (?:--\S+ )*(?!--|scratch(?: |$)|[0-9a-f]{64}(?: |$))\S/i;
const BEGINS_STAGE = /^FROM /i;
const SCRATCH = /^FROM (?:--\S+ )*scratch(?: |$)/i;
const FOUND = /^Found image "(.+)" as "(.+)" in local containers storage \(.*@([0-9a-f]{64})\)$/;
const PULLING = /^Pulling image (.+) \(policy: \w+\)$/;
/** An image that is not from a registry. podman copies it into its storage, under its id or its own names. */
const TRANSPORT = /^(?:oci|oci-archive|dir|docker-archive):/;
/** The image after a step, new or from the cache. */
const MADE = /^--> (Using cache )?([0-9a-f]{12})/;
const ID = /^[0-9a-f]{64}$/;
/** The runtime makes a container, then starts it. It has the name of its directory, which is another for each RUN. */
const RUNTIME = /^Running \["[^"]*" "(create|start)".* "buildah-([^"]+)"\]$/;

/** What podman expands, but keeps in its cache unexpanded. */
const EXPANDED = /^(?!RUN ).*\$/i;
/** What a step takes files from. */
const SOURCE = /\bfrom=["']?([^\s"',]+)/gi;
const STAGE_NAME = / AS (\S+)$/i;

/** A step that has ended. */
export interface BuiltStep {
  instruction: string;
  /** 12 hexadecimal digits of the image after it. */
  id: string;
  /** The id of the first image from outside that the build used; empty for none. */
  firstImage: string;
  /**
   * All that it may have been made from: the id of the image before it, and of images and stages to take files from. An
   * image from outside is `name id`.
   */
  origins: readonly string[];
  /** The values of build arguments may be part of it, although podman does not compare them. */
  isExpanded: boolean;
}

/** Follows a build. */
export class BuildOutput {
  /** The images from outside that the build has used, by the name it asked for. */
  readonly used = new Map<string, UsedImage>();
  /** The first step has begun, so podman has understood the Containerfile. */
  begun = false;
  /** A stage is built on an image from outside. */
  usesImage = false;
  /** What the runtime said of a container that it could not start, so that no program has printed anything in it. */
  startFailure: string | null = null;
  /** Steps from the cache. */
  readonly cached: BuiltStep[] = [];
  /** The images after the other steps, 12 hexadecimal digits each. */
  readonly made = new Set<string>();
  private readonly onMade: (step: BuiltStep) => void;
  private readonly between = new Set<string>();
  /** The stages that have ended, by their last images. */
  private readonly stages: { name: string; id: string }[] = [];
  private stage = '';
  /** The image that the next step is built on; null when podman has not told. */
  private parent: string | null = null;
  private hasArguments = false;
  private instruction = '';
  private pulling = '';
  private created: string | null = null;
  private running: string | null = null;

  /** @param onMade is told of each step that is not from the cache */
  constructor(onMade: (step: BuiltStep) => void = () => undefined) {
    this.onMade = onMade;
  }

  /** A RUN is at work: whatever is read until its end may be its own words, notes and steps included. */
  get isRunning(): boolean {
    return this.running !== null;
  }

  /** Reads a line. Returns what a person should see, or null for podman's notes. */
  read(line: string): OutputLine | null {
    const debug = DEBUG.exec(line);
    // A step's own text may hold what looks like one.
    if (debug && (debug.index === 0 || this.isRunning)) {
      const before = debug.index === 0 ? null : this.shown(line.slice(0, debug.index));
      this.note(message(debug[1]!));
      return before;
    }
    return this.shown(line);
  }

  private shown(text: string): OutputLine {
    if (this.isRunning) return { text };
    const step = STEP.exec(text);
    if (step) {
      this.begun = true;
      this.usesImage ||= FROM.test(step[3]!);
      this.instruction = step[3]!;
      if (BEGINS_STAGE.test(this.instruction)) this.beginStage();
      this.hasArguments ||= /^ARG /i.test(this.instruction);
      const instruction = this.instruction.slice(0, SHOWN);
      return { text, step: { instruction, number: Number(step[1]), total: Number(step[2]) } };
    }
    const made = MADE.exec(text);
    if (made) this.end(made[2]!, made[1] !== undefined);
    if (this.created !== null && text.startsWith('error running container: ')) this.startFailure = text;
    return { text };
  }

  /** A step has ended. A line before tells if it was in the cache. */
  private end(id: string, wasCached: boolean): void {
    const { instruction, parent } = this;
    const step = {
      instruction,
      id,
      firstImage: this.used.values().next().value?.id ?? '',
      origins: parent === null ? [instruction, ...this.all()] : [parent, ...this.sources(instruction)],
      isExpanded: this.hasArguments && EXPANDED.test(instruction),
    };
    if (wasCached) this.cached.push(step);
    else if (this.cached.at(-1)?.id !== id) {
      this.made.add(id);
      this.onMade(step);
    }
    this.between.add(id);
    this.parent = id;
  }

  private beginStage(): void {
    if (this.parent !== null) this.stages.push({ name: this.stage, id: this.parent });
    this.parent = SCRATCH.test(this.instruction) ? 'scratch' : null;
    this.stage = STAGE_NAME.exec(this.instruction)?.[1]?.toLowerCase() ?? '';
  }

  /** What a step may take files from. podman speaks of an image only where a build first asks for it. */
  private sources(instruction: string): string[] {
    const names = [...instruction.matchAll(SOURCE)].map(([, name]) => name!.toLowerCase());
    const named = names.map((name) => this.stages.filter((stage) => stage.name === name));
    return named.every(({ length }) => length === 1) ? named.flat().map(({ id }) => id) : this.all();
  }

  private all(): string[] {
    const images = [...this.used.values()].map(({ asked, id }) => `${asked} ${id}`);
    return [...images, ...this.stages.map(({ id }) => id)];
  }

  private note(text: string): void {
    if (this.isRunning) {
      // Of its directory podman speaks again once it has ended.
      const isOver =
        text.includes(`/${this.running}/mnt/`) && text.endsWith(' is apparently not really mounted, skipping');
      if (isOver) this.running = null;
      return;
    }
    const [, verb, container = ''] = RUNTIME.exec(text) ?? [];
    if (verb === 'create') this.created = container;
    if (verb === 'start') [this.created, this.running] = [null, container];
    if (verb) return;
    this.pulling = PULLING.exec(text)?.[1] ?? this.pulling;
    const found = FOUND.exec(text);
    if (!found) return;
    const [, sought = '', name = '', id = ''] = found;
    const asked = TRANSPORT.test(this.pulling) ? this.pulling : sought;
    // Each step is built on the former step's image, by its id.
    const isOwn = ID.test(asked) && this.between.has(id.slice(0, 12));
    // The image notes the name of its base.
    if (BEGINS_STAGE.test(this.instruction)) this.parent = isOwn ? id.slice(0, 12) : `${asked} ${id}`;
    if (isOwn) return;
    this.used.set(asked, { asked, name, id });
  }
}

/** The text of a note, quoted by Go's `%q`. For the characters of names that is JSON. */
function message(quoted: string): string {
  if (!quoted.startsWith('"')) return quoted;
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return '';
  }
}

/** The image that a build lacks, by podman's last words; null when it failed for another reason. */
export function missingImage(error: string): string | null {
  const asked =
    /creating build container: (.+): image not known$/.exec(error) ??
    /(?:COPY|ADD) --from=(.+): no stage or image found with that name$/.exec(error) ??
    / from=(\S+): no stage or image found with that name$/.exec(error);
  return asked ? asked[1]! : null;
}
