/** A stack whose build host enrolls devices and has secrets, for tests that look where secrets end up. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { parse } from 'yaml';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { podman } from '../support/host-state.ts';
import { makeProject, type Project, type ProjectOptions } from '../support/project.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { logInFlightctl, STAND_IN_FLIGHTCTL, type FlightctlLogIn } from '../support/stand-in-flightctl.ts';
import { filesWith } from './image-content.ts';

export const HELD = 4;
// Of this run alone: they are looked for on the whole machine.
export const TOKEN = `token-${randomBytes(8).toString('hex')}`;
export const PASSWORD = `pull-${randomBytes(8).toString('hex')}`;
const auth = Buffer.from(`device:${PASSWORD}`).toString('base64');
export const PULL_SECRET = `{"auths":{"quay.example":{"auth":"${auth}"}}}\n`;

export interface EnrollmentSite {
  stack: TestStack;
  client: FlightctlLogIn;
  /** Milliseconds since 1970 before anything was started. */
  started: number;
  /** The example's base image. */
  base: string;
  project(name: string, options: Partial<ProjectOptions>): Promise<Project>;
  flightline(...args: string[]): ReturnType<typeof runFlightline>;
  /** Runs a command to the end of what it follows. */
  outcome(exitCode: number, ...args: string[]): Promise<ReleaseRecord>;
  /** Lets a held release go on, to its end. */
  retried(project: Project, ...args: string[]): Promise<ReleaseRecord>;
  /**
   * Where on this machine some texts are: logs, work directories, podman's storage, temporary files. The test's own do
   * not count.
   */
  placesOf(texts: readonly string[]): Promise<string[]>;
  close(): Promise<void>;
}

/** Starts it, with the secrets `token`, `pull` and, for other repositories, `foreign`. */
export async function openEnrollmentSite(): Promise<EnrollmentSite> {
  const started = Date.now();
  const scratch = await mkdtemp(join(tmpdir(), 'flightline-enrollment-test-'));
  const client = await logInFlightctl(join(scratch, 'flightctl'));
  const secret = async (name: string, text: string) => {
    await writeFile(join(scratch, name), text, { mode: 0o600 });
    return { file: join(scratch, name), repositories: ['127.0.0.1'] };
  };
  const token = await secret('token', TOKEN);
  const pull = await secret('pull', PULL_SECRET);
  const stack = await startTestStack({
    configure: (configuration) => {
      const { repositories } = configuration.keys['release']!;
      return {
        ...configuration,
        secrets: { token: { ...token, repositories }, pull: { ...pull, repositories }, foreign: token },
        flightctl: {
          configDirectory: client.directory,
          program: STAND_IN_FLIGHTCTL,
          repositories,
          requestTimeout: 60,
        },
      };
    },
  });
  const graphRoot = await podman(stack, ['info', '--format', '{{.Store.GraphRoot}}']);
  const projects: Project[] = [];
  const flightline = (...args: string[]) => runFlightline(args, { environment: stack.environment });
  const outcome = async (exitCode: number, ...args: string[]) => {
    const ended = await flightline(...args, '--json');
    expect(ended.exitCode, ended.stderr).toBe(exitCode);
    return recordFrom(ended);
  };
  return {
    stack,
    client,
    started,
    base: `${stack.registry}/flightline/debian-base:trixie`,
    flightline,
    outcome,
    project: async (name, options) => {
      const made = await makeProject({ registry: stack.registry, name, ...options });
      projects.push(made);
      return made;
    },
    retried: async (project, ...args) => {
      const retry = await flightline('retry', project.release, ...args);
      expect(retry.exitCode, retry.stdout + retry.stderr).toBe(0);
      return outcome(0, 'watch', project.release);
    },
    placesOf: async (texts) => {
      const files = await filesWith([stack.directory, graphRoot, '/tmp', '/var/tmp'], texts, started);
      return files.filter((file) => !file.startsWith(scratch));
    },
    close: async () => {
      for (const project of projects) await project.remove();
      await stack.end();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

/** The secret parts of an agent configuration: as it is embedded, and a line of the key itself. */
export function secretParts(text: string): string[] {
  const file = parse(text) as { 'enrollment-service': { authentication: Record<string, string> } };
  const key = file['enrollment-service'].authentication['client-key-data']!;
  return [key, Buffer.from(key, 'base64').toString().split('\n')[1]!];
}
