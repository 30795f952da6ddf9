/** Projects whose files or names matter, for the comparison with podman: each is released and built as a whole. */
import { execFileSync } from 'node:child_process';
import { link, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildInput } from '../../model/contract/build.ts';
import { collected } from './containerfiles.ts';
import type { ComparedProject } from './podman-comparison.ts';

const bytes = (directory: string, name: string) =>
  Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')]);
const EARLIER = new Date('2026-01-02T03:04:05.678Z');
const LATER = new Date('2026-02-02T03:04:05Z');

/** All that a file of a context can have. */
async function oddFiles(directory: string): Promise<void> {
  const at = (name: string) => join(directory, 'odd', name);
  await mkdir(at('linked'), { recursive: true });
  await mkdir(at('empty'));
  for (const name of ['linked/0', 'in', 'out', 'set', 'tool', 'n'.repeat(200)]) await writeFile(at(name), name);
  await link(at('linked/0'), at('linked/1'));
  await link(at('linked/0'), at('elsewhere'));
  for (const [name, target] of [
    ['climbs', '../../../../usr/share/zoneinfo/UTC'],
    ['absolute', '/etc/absolute'],
    ['dangling', 'nowhere'],
    ['itself', 'itself'],
    ['directory', 'linked'],
  ] as const)
    await symlink(target, at(name));
  await link(at('climbs'), at('climbs-too'));
  await writeFile(bytes(at('.'), 'caf\xe9'), 'latin');
  await writeFile(bytes(at('.'), 'line\nfeed'), 'two lines');
  await writeFile(at('\u{1D70B}thon'), 'outside of the basic plane');
  await symlink(Buffer.from('to/\xff', 'latin1'), bytes(at('.'), 'to-\xfe'));
  execFileSync('chmod', ['6755', at('set')]);
  execFileSync('chmod', ['1777', at('empty')]);
  execFileSync('chmod', ['0', at('out')]);
  execFileSync('setcap', ['cap_net_raw=ep', at('tool')]);
  execFileSync('setfattr', ['--name=user.note', '--value=0x00ff', at('in')]);
  await utimes(at('in'), EARLIER, EARLIER);
  await utimes(at('out'), LATER, LATER);
  await utimes(at('linked'), EARLIER, EARLIER);
}

/** Replaces a context by a link to it. */
async function contextByLink(directory: string): Promise<void> {
  execFileSync('mv', [directory, `${directory}-real`]);
  await symlink(`${directory}-real`, directory);
}

/** Writes a small image into the context, in two forms, as a step of a project may have left it there. */
async function imageFiles(directory: string): Promise<void> {
  const name = `localhost/flightline-test/layout-${process.pid}:1`;
  const podman = (...args: string[]) => execFileSync('podman', args, { cwd: directory, stdio: 'pipe' });
  await writeFile(
    join(directory, 'Made'),
    `FROM scratch\nLABEL containers.bootc=1 made=${directory}\nCOPY a.txt /from\n`,
  );
  podman('build', '--quiet', `--tag=${name}`, '--file=Made', '.');
  podman('push', '--quiet', name, 'oci:layout');
  podman('push', '--quiet', name, 'docker-archive:archive');
  podman('rmi', name);
}

/** Small cases without files: each is a stage of that name, whose `/t` is compared. */
const SMALL: Readonly<Record<string, string>> = {
  'arg-several-on-a-line': 'FROM ${R}/${N}:${T} AS NAME\nCOPY a.txt /t/',
  'arg-with-comment': 'FROM @REGISTRY@/base:${V} AS NAME\nCOPY a.txt /t/',
  'expansion-removes-prefix': 'FROM @REGISTRY@/${PREFIXED#v}:1 AS NAME\nCOPY a.txt /t/',
  'nested-defaults': 'FROM ${BASE} AS NAME\nCOPY a.txt /t/',
  'from-in-quotes': 'FROM @BASE@ AS staging\nRUN echo staging > /s\nFROM @BASE@ AS NAME\nCOPY --from="staging" /s /t/s',
  'from-by-build-argument': 'FROM @BASE@ AS NAME\nARG VARIANT\nCOPY --from=${VARIANT} /s /t/s',
  'flag-over-two-lines':
    'FROM @BASE@ AS NAME\nRUN --mount=type=bind,\\\nfrom=@BASE@,target=/d mkdir /t && ls /d/bin/sh > /t/mounted',
  'heredoc-in-quotes':
    'FROM @BASE@ AS NAME\nRUN mkdir /t && echo "read <<BODY here" > /t/quoted\nCOPY --from=@OTHER@ /other-file /t/',
  'heredoc-with-file-descriptor': [
    'FROM @BASE@ AS NAME',
    'RUN mkdir /t',
    'RUN 3<<BODY cat <&3 > /t/fd3\nFROM @REGISTRY@/none:1\nBODY',
    'RUN <<BODY cat > /t/plain\nCOPY --from=@REGISTRY@/none:1 /a /b\nBODY',
  ].join('\n'),
  heredocs: [
    'FROM @BASE@ AS NAME',
    'COPY <<BODY /t/star\na * b\nline \\\nnext\n$HOME ${NOTHING:-dflt} \\$x\nBODY',
    "COPY <<'BODY' /t/quoted\n$HOME * \\\nend\nBODY",
    'COPY <<-BODY /t/dash\n\tone\n\t\ttwo\n\tBODY',
    'RUN <<A cat > /t/a && <<B cat > /t/b\nFROM @REGISTRY@/none:1\nA\nfrom @REGISTRY@/none:1 as x\nB',
    'RUN <<BODY\n#!/bin/sh\necho "script" > /t/script\nBODY',
    'COPY <<one <<two /t/two/\n1\none\n2\ntwo',
  ].join('\n'),
  'odd-names-made-by-run':
    'FROM @BASE@ AS NAME\nRUN mkdir /t && touch "/t/$(printf \'caf\\351\')" "/t/$(printf \'\\360\\235\\234\\213\')"',
};

/** A project, and further options for podman and flightline. */
interface ProjectCase extends ComparedProject {
  more?: Partial<BuildInput>;
  flags?: string[];
}

export const PROJECTS: Readonly<Record<string, ProjectCase>> = {
  [Object.keys(SMALL).join(', ')]: {
    containerfile: [
      'ARG R=@REGISTRY@ N=base T=1',
      'ARG V=1 # the version',
      'ARG PREFIXED=vbase',
      'ARG NAME=base\nARG TAG=1\nARG BASE="${BASE:-@REGISTRY@/${NAME}:${TAG}}"',
      ...Object.entries(SMALL).map(([name, text]) => text.replace('NAME', name)),
      'FROM @BASE@',
      collected(Object.keys(SMALL)),
    ].join('\n'),
    more: { buildArgs: { VARIANT: 'staging' } },
    flags: ['--build-arg=VARIANT=staging'],
  },
  labels: {
    containerfile: [
      'FROM @BASE@ AS one',
      'LABEL from.stage="one"',
      'ARG V=7.1',
      'ENV VER=$V',
      'LABEL a="x,y" \\\n      b="v" \\\n      multi="line one \\\nline two"',
      'LABEL c d',
      'LABEL org.opencontainers.image.source=https://git.example.com/p',
      `LABEL q='single $VER' e=esc\\ aped "k e y"=v`,
      'FROM one',
      'RUN touch /labels',
    ].join('\n'),
  },
  'file-capabilities, hard-links, links-that-climb-out, modification-times, names-as-bytes': {
    containerfile: [
      'FROM @BASE@ AS one',
      'COPY odd/tool /tool',
      'FROM @BASE@',
      'COPY odd /t/odd/',
      'COPY --from=one /tool /t/tool',
      'RUN cp --preserve=xattr /t/tool /t/by-run',
      'RUN if [ /t/odd/out -nt /t/odd/in ]; then echo newer > /t/times; else echo older > /t/times; fi',
    ].join('\n'),
    prepare: oddFiles,
  },
  'dot-in-include, dot-in-conditional, ignore-take-back-below-directory': {
    name: 'os/Edge.in',
    containerfile:
      'FROM @BASE@\n#include "parts/common.in"\n#ifdef EDGE_GPU\nENV GPU=1\n#else\nENV GPU=0\n#endif\nENV AFTER=1',
    files: {
      'parts/common.in': '#include "parts/more.in"\nCOPY a.txt /t/\n',
      'parts/more.in': 'COPY b.conf dir /t/\n',
      '.containerignore': '*\n!a.txt\n!b.conf\n!dir/sub/three\n',
    },
  },
  'ignore-file-beside-containerfile, ignore-rules-have-case': {
    name: 'Edge',
    containerfile: 'FROM @BASE@\nCOPY . /t/',
    files: {
      'Edge.containerignore': 'a.txt\nreadme.md\ndir/*\n!dir/sub/three\nEdge.containerignore\n',
      '.containerignore': 'b.conf\n',
      'README.md': 'case matters\n',
    },
  },
  'a Containerfile that is a link, in a context that is one': {
    containerfile: 'FROM @BASE@\nCOPY . /t/',
    prepare: async (directory) => {
      execFileSync('mv', [join(directory, 'Containerfile'), join(directory, 'Real')]);
      await symlink('Real', join(directory, 'Containerfile'));
      await contextByLink(directory);
    },
  },
  'images that lie in the context': {
    containerfile: [
      'FROM docker-archive:./archive AS one',
      'FROM oci:./layout',
      'COPY --from=one /from /t/',
      'COPY --from=oci:./layout /from /u/',
    ].join('\n'),
    prepare: imageFiles,
  },
  'build arguments of any value': {
    containerfile: [
      'FROM docker://@BASE@ AS staging',
      'COPY a.txt /s',
      'FROM @BASE@',
      'ARG FROM',
      'ARG DASH=d',
      'ARG EMPTY=e',
      'ARG LINES',
      'COPY --from=${FROM} /s /t/',
      'ENV V="$DASH|$EMPTY|$LINES"',
    ].join('\n'),
    more: { buildArgs: { FROM: 'staging', DASH: '-x=y z', EMPTY: '', LINES: 'one\ntwo "$HOME"' } },
    flags: ['FROM=staging', 'DASH=-x=y z', 'EMPTY=', 'LINES=one\ntwo "$HOME"'].map((value) => `--build-arg=${value}`),
  },
  'stage-further-down': {
    containerfile: 'FROM @BASE@\nCOPY --from=later /made /t/\nFROM @BASE@ AS later\nCOPY a.txt /made',
  },
  'directories as build contexts': {
    containerfile: [
      'FROM @BASE@ AS one',
      'COPY --from=files . /t/',
      'RUN --mount=type=bind,from=files,target=/m cp /m/keeper /t/mounted',
      'FROM @BASE@',
      'COPY --from=one /t /t/',
      'COPY --from=registry.example/a/b:1 sub/odd /u/',
      'COPY --from=files keep* /v/',
    ].join('\n'),
    name: 'os/Edge',
    files: {
      '.containerignore': 'more\n',
      'os/Edge.containerignore': 'a.txt\n',
      'more/.containerignore': '*\n!keep*\n!in/keep\n',
      'more/.dockerignore': 'keeper\n',
      'more/keeper': 'kept\n',
      'more/a.txt': 'dropped\n',
      'more/in/keep': 'taken back\n',
      'more/in/drop': 'dropped\n',
    },
    prepare: async (directory) => {
      await mkdir(join(directory, 'second', 'sub'), { recursive: true });
      await oddFiles(join(directory, 'second', 'sub'));
      await symlink('second', join(directory, 'link'));
    },
    more: { buildContexts: { files: 'more', 'registry.example/a/b:1': 'link' } },
    flags: ['--build-context=files=more', '--build-context=registry.example/a/b:1=link'],
  },
  'triggers of a stage': {
    containerfile:
      'FROM @BASE@ AS one\nONBUILD COPY --from=@OTHER@ /other-file /t/\nONBUILD ENV A=1\nFROM one\nENV B=$A',
  },
};
