/** What a rule of `flightline lint` is: a file of `rules/`. */
import type { FlightlineSpec } from '../../model/spec/flightline-spec.ts';
import type { Containerfile } from './containerfile.ts';

/** A project with its Containerfile. */
export interface Project {
  spec: FlightlineSpec;
  /** Line (from 1) of a key of `flightline.yaml`, such as `image.buildArgs.TOKEN`. */
  lineOf(key: string): number;
  containerfile: Containerfile;
  /** What the ignore file leaves out, relative to the context: each uppermost path. Empty where nothing is mounted. */
  leftOut: readonly string[];
}

/** What the rules about the spec alone look at: the Containerfile may be in a git repository. */
export type SpecOnly = Pick<Project, 'spec' | 'lineOf'>;

/** What a rule found. */
export interface Found {
  /** Line of the file that the rule reads, from 1. */
  line: number;
  /** What is there, and what to write instead; no full stop. */
  message: string;
}

/** A rule. docs/lint.md has a row for each. */
export interface Rule {
  /** As in `# flightline-lint: ignore=ID reason`. */
  id: string;
  /** Why, as the guide gives it, or bootc's guidance to which it refers; a clause without a full stop. */
  reason: string;
  containerfile?(project: Project): Found[];
  spec?(project: SpecOnly): Found[];
}

/** `true` when devices are not given their enrollment with the image. */
export function isLateBound(spec: FlightlineSpec): boolean {
  return spec.enrollment?.binding !== 'early';
}
