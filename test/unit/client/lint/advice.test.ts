/** How findings of `flightline lint` are silenced, shown, and told of before a run. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Finding, LintResult } from '../../../../client/lint/lint.ts';
import { RULES } from '../../../../client/lint/rules.ts';
import { advise, lintLoaded } from '../../../../client/project/linting.ts';
import type { Output } from '../../../../client/terminal/output.ts';
import { loadSpec } from '../../../../client/project/spec-loading.ts';
import { renderLintFinding, renderLintVerdict } from '../../../../client/view/lint.ts';
import {
  AGENT,
  directory,
  found,
  FROM,
  lintOf,
  useProjectDirectory,
  write,
  type Given,
} from '../../../support/lint.ts';

useProjectDirectory();

const VMDK = { disks: [{ type: 'vmdk' }] };
const EARLY = { enrollment: { binding: 'early' } };
const LATE = { enrollment: { binding: 'late' } };
const CLOUD_INIT =
  'RUN dnf -y install cloud-init && dnf clean all && ln -s ../cloud-init.target ' +
  '/usr/lib/systemd/system/default.target.wants';
const VM_TOOLS = 'RUN dnf -y install open-vm-tools && dnf clean all && systemctl enable vmtoolsd.service';

describe('a comment silences', () => {
  /** Something for every rule to find, with the line and file where it is found. */
  const EXAMPLES: Record<string, { lines: string[]; spec?: Record<string, unknown>; yaml?: boolean }> = {
    'moving-tag': { lines: ['FROM quay.io/a/b:latest', AGENT] },
    'agent-installed': { lines: [FROM] },
    'agent-enabled': { lines: ['RUN dnf install flightctl-agent && dnf clean all'] },
    'timer-masked': {
      lines: [
        'FROM registry.redhat.io/rhel9/rhel-bootc:9.5',
        AGENT.replace('flightctl-agent', 'flightctl-agent-1.1.3'),
      ],
    },
    'agent-configuration': { lines: ['ADD config.yaml /etc/flightctl/'], spec: LATE },
    'late-binding': { lines: ['ADD config.yaml /etc/flightctl/'], spec: { ...VMDK, ...EARLY }, yaml: true },
    'cloud-init': { lines: [FROM, AGENT, VM_TOOLS], spec: VMDK },
    'guest-tools': { lines: [FROM, AGENT, CLOUD_INIT], spec: VMDK },
    'secret-in-image': { lines: ['COPY a.key /usr/share/'] },
    'ignored-in-mount': { lines: ['RUN --mount=type=bind,target=/context true'] },
    'update-origin': {
      lines: ['RUN true'],
      spec: { disks: [{ type: 'raw' }], image: { repository: 'quay.io/acme/edge', tag: 'v1' } },
      yaml: true,
    },
    'dnf-clean': { lines: ['RUN true && \\\n    dnf install a'] },
  };

  it('of every rule', () => expect(Object.keys(EXAMPLES).sort()).toEqual(RULES.map(({ id }) => id)));

  it.each(Object.entries(EXAMPLES))('%s', async (rule, { lines, spec = {}, yaml = false }) => {
    const [first = '', ...rest] = lines;
    const begin = first.startsWith('FROM') ? [] : rule === 'agent-enabled' ? [FROM] : [FROM, AGENT];
    const plain = [...begin, first, ...rest].join('\n');
    const loud = await lintOf(plain, { spec });
    expect(loud.findings.map((one) => one.rule)).toEqual([rule]);
    expect(loud.silenced).toBe(0);

    const comment = `# flightline-lint: ignore=${rule} we know better`;
    const silenced = [...begin, comment, '# And more words.', first, ...rest].join('\n');
    const file = await write(yaml ? plain : silenced, { spec });
    if (yaml)
      await writeFile(
        file,
        (await readFile(file, 'utf8')).replace(/^ *(?:binding|tag):/m, (key) => `${comment}\n${key}`),
      );
    const quiet = await lintLoaded(await loadSpec(file));
    expect(quiet).toEqual({ findings: [], silenced: 1 });
  });

  it.each<[string, string[], string[]]>([
    [
      'several rules at once',
      ['# flightline-lint: ignore=agent-configuration,secret-in-image why', 'COPY a.key /etc/flightctl/config.yaml'],
      [],
    ],
    [
      'two comments',
      [
        '# flightline-lint: ignore=agent-configuration why',
        '# flightline-lint: ignore=secret-in-image why',
        'COPY a.key /etc/flightctl/config.yaml',
      ],
      [],
    ],
    ['inside a RUN', ['RUN true && \\', '  # flightline-lint: ignore=dnf-clean why', '  dnf install a'], []],
    ['not with a line between', ['# flightline-lint: ignore=dnf-clean why', '', 'RUN dnf install a'], ['dnf-clean 5']],
    ['not after it', ['RUN dnf install a', '# flightline-lint: ignore=dnf-clean why'], ['dnf-clean 3']],
    ['not another rule', ['# flightline-lint: ignore=secret-in-image why', 'RUN dnf install a'], ['dnf-clean 4']],
    ['not without a reason', ['# flightline-lint: ignore=dnf-clean', 'RUN dnf install a'], ['silence 3']],
    ['no unknown rule', ['# flightline-lint: ignore=dnf-claen why', 'RUN dnf install a'], ['silence 3', 'dnf-clean 4']],
    ['nothing that is not understood', ['# flightline-lint: off', 'RUN true'], ['silence 3']],
  ])('%s', async (_, lines, expected) => expect(await found(lines.join('\n'))).toEqual(expected));

  it('names the nearest rule', async () => {
    const { findings } = await lintOf(`${FROM}\n${AGENT}\n# flightline-lint: ignore=dnf-claen why\nRUN true`);
    expect(findings[0]!.message).toContain('did you mean "dnf-clean"?');
  });
});

describe('what is shown', () => {
  it('names line, reason and silence', async () => {
    const { findings } = await lintOf(`${FROM}\n${AGENT}\nRUN dnf install a`);
    expect(renderLintFinding(findings[0]!, false)).toEqual([
      `${join(directory, 'Containerfile')}:3: dnf-clean: dnf leaves its cache in the image; ` +
        `end the same RUN with \`dnf clean all\``,
      '    why: every device downloads and keeps the cache that a layer holds',
      '    silence it on the line above: # flightline-lint: ignore=dnf-clean why',
    ]);
  });

  it.each<[LintResult, string]>([
    [{ findings: [], silenced: 0 }, 'nothing found'],
    [{ findings: [], silenced: 2 }, 'nothing found, 2 silenced'],
    [{ findings: [{} as Finding], silenced: 0 }, '1 finding'],
    [{ findings: [{}, {}] as Finding[], silenced: 1 }, '2 findings, 1 silenced'],
  ])('%j', (result, text) => expect(renderLintVerdict(result)).toBe(text));

  it('once for each line', async () => {
    const { findings } = await lintOf(`${FROM}\n${AGENT}\nCOPY a.key b.key c.key /usr/share/x/`);
    expect(findings).toHaveLength(1);
    expect(findings[0]!.message).toMatch(/^a\.key looks like a secret.* \(and 2 more like it\)$/);
  });
});

describe('before a run', () => {
  const notes: string[] = [];
  const output = { note: (text: string) => notes.push(text) } as unknown as Output;
  beforeEach(() => void notes.splice(0));
  const before = async (containerfile: string, strict: boolean, given: Given = {}) =>
    advise(await loadSpec(await write(containerfile, given)), strict, output);

  it('findings are warnings', async () => {
    await before(FROM, false);
    expect(notes).toHaveLength(2);
    expect(notes[0]).toMatch(/^warning: .*Containerfile:1: nothing installs flightctl-agent.* \(agent-installed\)$/);
    expect(notes[1]).toContain('flightline lint');
  });

  it('with --strict they end the command', async () => {
    await expect(before(FROM, true)).rejects.toMatchObject({
      kind: 'lint',
      exitCode: 1,
      message: expect.stringContaining('agent-installed'),
    });
    expect(notes).toEqual([]);
  });

  it('nothing is said where nothing is found', async () => {
    await before(`${FROM}\n${AGENT}`, true);
    expect(notes).toEqual([]);
  });

  it.each([false, true])('a Containerfile without FROM is refused, with strict=%s', async (strict) => {
    await expect(before('# mine\n\nFRM quay.io/a/b:1\nRUN true', strict)).rejects.toMatchObject({
      kind: 'containerfile-invalid',
      exitCode: 2,
      message: expect.stringMatching(/\/Containerfile:3: no FROM statement found; .* is "FRM quay\.io\/a\/b:1"$/),
      remedy: expect.stringContaining('nothing was sent'),
    });
    await expect(before('', strict)).rejects.toMatchObject({ message: expect.stringMatching(/no FROM .* found$/) });
  });

  it.each(['FR\\\nOM scratch\n', '\uFEFFFROM scratch\n', '  from scratch\n', '# escape=`\nFR`\nOM scratch\n'])(
    'what podman reads is not refused: %j',
    (text) => expect(before(text, false)).resolves.toBeUndefined(),
  );

  it('a git context leaves the spec', async () => {
    const image = {
      repository: 'quay.io/a/b',
      context: { git: 'https://example.com/a.git' },
      buildArgs: { TOKEN: 'x' },
    };
    await before(FROM, false, { spec: { image } });
    expect(notes[0]).toMatch(/flightline\.yaml:\d+: image\.buildArgs\.TOKEN/);
  });
});
