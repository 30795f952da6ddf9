/**
 * `bootc container lint` in the built image. The example base has no bootc, so that a stand-in executable of that name
 * is put into the image: it answers the real command line, in the words of bootc's own lints.
 */
import { readFile } from 'node:fs/promises';
import { afterAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';

const stack = sharedStack();
const { environment } = stack;
const projects: Project[] = [];
afterAll(async () => {
  for (const project of projects) await project.remove();
});

/** A project whose image has the stand-in, with these lines of shell. */
async function projectWith(name: string, lines: string[], more: string[] = []): Promise<Project> {
  const script = ['#!/bin/sh', '[ "$*" = "container lint" ] || exit 9', ...lines, ''].join('\n');
  const made = await makeProject({
    registry: stack.registry,
    name,
    lines: ['COPY --chmod=755 bootc /usr/bin/bootc', ...more],
    files: { bootc: script },
  });
  projects.push(made);
  return made;
}

it('holds a release whose image bootc refuses, before it is pushed', async () => {
  const project = await projectWith('lint-fails', [
    'echo "Failed lint: kernel: Found 2 kernels"',
    'echo "Checks failed: 1"',
    'exit 1',
  ]);
  const outcome = await runFlightline(['run', project.spec, '--json', '--on-failure', 'fail'], { environment });
  expect(outcome.exitCode).toBe(1);
  const record = recordFrom(outcome);
  expect(record.failure).toMatchObject({ kind: 'image-lint', stage: 'build' });
  expect(record.failure!.message).toContain('Failed lint: kernel: Found 2 kernels');
  expect(record.stages.find(({ name }) => name === 'push')).toMatchObject({ status: 'skipped' });
  expect(await tagsOf(project.repository)).toEqual([]);
  expect(await leftOvers(stack)).toEqual([]);
});

it('logs the warnings of one that passes, advises on what was added, and leaves no container', async () => {
  const warning = 'Lint warning: var-tmpfiles: Found content in /var missing systemd tmpfiles.d entries';
  const project = await projectWith(
    'lint-warns',
    [`echo "${warning}"`, 'echo "Checks passed: 11"'],
    ['COPY bootc /var/lib/app/state'],
  );
  const outcome = await runFlightline(['run', project.spec, '--json'], { environment });
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const record = recordFrom(outcome);
  expect(record.warnings).toEqual([expect.stringMatching(/^\/var\/lib\/app is below \/var; /)]);
  const build = record.stages.find(({ name }) => name === 'build')!;
  const log = await readFile(build.log!.path, 'utf8');
  expect(log).toContain(warning);
  expect(log).toContain('Checks passed: 11');
  expect(await leftOvers(stack)).toEqual([]);
});
