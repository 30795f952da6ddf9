import { expect, it } from 'vitest';
import type { ContextFacts } from '../../../../activities/context/inspect.ts';
import { summariseContext } from '../../../../activities/context/summary.ts';
import { digestOf, requestFor } from '../../../workflows/facts.ts';

const request = requestFor('context', { disks: { iso: 'artifact' }, buildArgs: { BASE: 'registry.example/base:1' } });
const facts = (builderConfigText: string | null, containerfile = 'ARG BASE\nFROM ${BASE}\n'): ContextFacts => ({
  containerfile,
  containerfileName: 'Containerfile',
  builderConfig: builderConfigText === null ? null : { format: 'toml', digest: digestOf(builderConfigText) },
  builderConfigText,
  files: digestOf('files'),
  names: ['config.yaml', 'src'],
});

it('says of a context what decides a release, and carries no text of it', () => {
  const user = '[[customizations.user]]\nname = "alice"\npassword = "hush"\n';
  const summary = summariseContext(request, digestOf('context'), facts(user));
  expect(summary).toEqual({
    digest: digestOf('context'),
    files: digestOf('files'),
    images: ['registry.example/base:1'],
    base: 'registry.example/base:1',
    builderConfig: { format: 'toml', digest: digestOf(user) },
  });
  const plain = facts(null, 'FROM registry.example/base:1\n');
  expect(summariseContext(request, digestOf('context'), plain).builderConfig).toBeNull();
});

it('refuses a builder configuration where it is trusted too, as for a git context', () => {
  const wrong = '[[customizations.user]]\nname = "alice"\npasswrd = "hush"\n';
  expect(() => summariseContext(request, digestOf('context'), facts(wrong))).toThrow(
    expect.objectContaining({
      failure: expect.objectContaining({
        kind: 'builder-configuration',
        message: expect.stringMatching(/config\.toml:3:1: .*unknown key "passwrd"/) as string,
      }) as object,
    }) as Error,
  );
});

it('refuses an agent configuration in the way of the one that early binding makes', () => {
  const early = { ...request, enrollment: { binding: 'early', signer: 'enrollment', days: 30 } as const };
  expect(() => summariseContext(early, digestOf('context'), facts(null))).toThrow(
    expect.objectContaining({
      failure: expect.objectContaining({
        kind: 'context-invalid',
        message: 'the context holds config.yaml, and early binding makes it',
      }) as object,
    }) as Error,
  );
  const clean = { ...facts(null), names: ['src'] };
  expect(summariseContext(early, digestOf('context'), clean)).toMatchObject({ files: digestOf('files') });
});
