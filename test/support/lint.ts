/** Projects for `flightline lint`: a Containerfile, a spec and a context in a directory of their own. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { stringify } from 'yaml';
import type { LintResult } from '../../client/lint/lint.ts';
import { lintLoaded } from '../../client/project/linting.ts';
import { loadSpec } from '../../client/project/spec-loading.ts';

/** The project's directory, new for each test of a file that calls {@link useProjectDirectory}. */
export let directory: string;

/** Gives each test of the calling file a directory of its own. */
export function useProjectDirectory(): void {
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flightline-lint-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));
}

/** A Containerfile without findings: a base and the agent. */
export const FROM = 'FROM quay.io/acme/os:1.2';
export const AGENT = 'RUN dnf -y install flightctl-agent && dnf clean all && systemctl enable flightctl-agent.service';

/** What a project has beside its Containerfile. */
export interface Given {
  spec?: Record<string, unknown>;
  buildArgs?: Record<string, string>;
  /** Files of the context. */
  files?: Record<string, string>;
}

/** Writes a project. Returns the spec's file. */
export async function write(containerfile: string, { spec = {}, buildArgs, files = {} }: Given = {}): Promise<string> {
  const image = { repository: 'quay.io/acme/edge', alsoTag: ['stable'], ...(buildArgs && { buildArgs }) };
  const all = {
    Containerfile: containerfile,
    'flightline.yaml': stringify({ name: 'edge', image, signing: { key: 'release' }, ...spec }),
    '.containerignore': 'flightline.yaml\nContainerfile\n',
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  return join(directory, 'flightline.yaml');
}

/** Writes and lints a project. */
export async function lintOf(containerfile: string, given: Given = {}): Promise<LintResult> {
  return lintLoaded(await loadSpec(await write(containerfile, given)));
}

/** Findings as `RULE LINE`, those of the spec as `RULE spec LINE`. */
export const shown = ({ findings }: LintResult) =>
  findings.map(({ rule, file, line }) => `${rule} ${file.endsWith('flightline.yaml') ? 'spec ' : ''}${line}`);

/** The findings of a Containerfile whose agent is in order. */
export const found = async (lines: string, given: Given = {}) =>
  shown(await lintOf(`${FROM}\n${AGENT}\n${lines}`, given));
