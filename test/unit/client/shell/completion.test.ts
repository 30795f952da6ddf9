/** Completion scripts: each names all of the parser, and the shells that are here complete by them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bashCompletion } from '../../../../client/shell/bash.ts';
import { describeVerbs, leaves } from '../../../../client/shell/described-verbs.ts';
import { fishCompletion } from '../../../../client/shell/fish.ts';
import { zshCompletion } from '../../../../client/shell/zsh.ts';
import { fullProgram } from '../../../../client/verbs.ts';

const verbs = describeVerbs(await fullProgram());
const SCRIPTS = { bash: bashCompletion(verbs), zsh: zshCompletion(verbs), fish: fishCompletion(verbs) };

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'flightline-completion-'));
  for (const [shell, script] of Object.entries(SCRIPTS)) writeFileSync(join(directory, shell), script);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it.each(['bash', 'zsh', 'fish'] as const)('%s knows every verb and option', (shell) => {
  for (const { name, options } of leaves(verbs)) {
    const own = name.split(' ').at(-1)!;
    expect(SCRIPTS[shell]).toMatch(new RegExp(`\\b${own}\\b`));
    for (const { long } of options) {
      expect(SCRIPTS[shell]).toContain(shell === 'fish' ? `-l ${long.slice(2)} ` : long);
    }
  }
});

/** What each offers for a line, by the shell's own programs. */
const CASES: [line: string, offered: string[]][] = [
  ['flightline sch', ['schedule']],
  ['flightline schedule s', ['set', 'show']],
  ['flightline schedule set --cr', ['--cron']],
  ['flightline run --on-failure ', ['fail', 'hold']],
  ['flightline run --on-f', ['--on-failure']],
  ['flightline init --base rhel', ['rhel10', 'rhel9']],
  ['flightline provision cloud-init --target v', ['vsphere']],
  ['flightline completion ', ['bash', 'fish', 'zsh']],
];

describe('bash', () => {
  it.each(CASES)('completes %j', (line, offered) => {
    // compopt speaks to readline, which is not there.
    const script = `compopt() { :; }
      . "$1"; read -ra COMP_WORDS <<< "$2"; [[ $2 != *' ' ]] || COMP_WORDS+=('')
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _flightline; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', join(directory, 'bash'), line], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n').toSorted()).toEqual(offered);
  });

  it('leaves names of files to bash, and a terminal completes by it', () => {
    writeFileSync(join(directory, 'flightline.yaml'), '');
    const typed = `. ./bash\nflightline() { printf '<%s>' "$@"; echo; }\nflightline run flight\t--str\t\nexit\n`;
    const { stdout } = spawnSync('script', ['-qec', 'bash --norc --noprofile -i', '/dev/null'], {
      cwd: directory,
      input: typed,
      encoding: 'utf8',
      env: { ...process.env, TERM: 'dumb', PS1: '' },
      timeout: 20_000,
    });
    expect(stdout).toContain('<run><flightline.yaml><--strict>');
  });
});

/** Neither is everywhere. */
const has = (shell: string) => spawnSync(shell, ['--version']).status === 0;

describe.runIf(has('fish'))('fish', () => {
  it.each(CASES)('completes %j', (line, offered) => {
    const { stdout } = spawnSync(
      'fish',
      ['--no-config', '-c', `source ${join(directory, 'fish')}; complete -C '${line}'`],
      {
        encoding: 'utf8',
      },
    );
    const words = stdout
      .trim()
      .split('\n')
      .map((one) => one.split('\t')[0]!);
    expect(words.toSorted()).toEqual(offered);
  });
});

it.runIf(has('zsh'))('zsh reads its script', () => {
  expect(spawnSync('zsh', ['-n', join(directory, 'zsh')], { encoding: 'utf8' })).toMatchObject({
    status: 0,
    stderr: '',
  });
});
