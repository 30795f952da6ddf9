/**
 * `npm run release -- 0.3.0`: a version of flightline. Writes it wherever it stands, heads the changelog, commits and
 * tags; pushing and publishing are left to a person (CONTRIBUTING.md).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { defineConfig } from 'bumpp';
import { headed } from './scripts/changelog.ts';

const CHANGELOG = 'CHANGELOG.md';

export default defineConfig({
  files: [
    'package.json',
    'package-lock.json',
    'deploy/Containerfile',
    'deploy/README.md',
    'deploy/quadlet/flightline-control.container',
    'deploy/quadlet/flightline-sign.container',
    'examples/ci/github/flightline.yml',
    'examples/ci/gitlab/.gitlab-ci.yml',
  ],
  execute({ state }) {
    writeFileSync(CHANGELOG, headed(readFileSync(CHANGELOG, 'utf8'), state.newVersion, new Date()));
    // What is committed.
    state.updatedFiles.push(CHANGELOG);
  },
  commit: 'Release %s',
  tag: 'v%s',
  push: false,
  confirm: false,
  printCommits: false,
  noGitCheck: false,
});
