/**
 * Containerfiles made from a seed. A file has several cases. Each case is some of its stages, the last of which
 * writes below `/t`, and an instruction for the image. podman accepts all of them.
 */
import { collected } from './containerfiles.ts';
import type { PodmanComparison } from './podman-comparison.ts';
import { randomFrom, type Random } from './random.ts';

/** What one case adds to the file. */
interface RandomCase {
  /** Stand before the first FROM. */
  globals: string[];
  stages: string[];
  /** For the last stage of the file. */
  image: string;
}

/** How the published images of `count` cases of a seed differ from what podman builds. */
export async function differencesOf(
  podman: PodmanComparison,
  seed: number,
  from: number,
  count: number,
): Promise<string[]> {
  const containerfile = randomContainerfile(seed, from, count, `${process.pid}.${podman.since}.${from}`);
  return (await podman.compare(containerfile)).differences;
}

/** The Containerfile of some cases of a seed. A case does not depend on the others in its file. */
function randomContainerfile(seed: number, first: number, count: number, mark: string): string {
  const cases = Array.from({ length: count }, (_, index) => randomCase(randomFrom(seed + first + index), index));
  const last = [
    `FROM @BASE@\nLABEL run=${mark}`,
    collected(cases.map((_, index) => `c${index}`)),
    ...cases.map(({ image }) => image),
  ];
  const before = [...cases.flatMap(({ globals }) => globals), ...cases.flatMap(({ stages }) => stages)];
  return [...before, ...last, ''].join('\n');
}

function randomCase(random: Random, index: number): RandomCase {
  const { below, chance, pick } = random;
  const globals = chance(0.5) ? [globalArguments(random, index)] : [];
  const stages: string[] = [];
  const names: string[] = [];
  /** Stages without a shell or users. */
  const bare = new Set(['scratch']);
  for (let left = pick([0, 0, 0, 1, 1, 2]); left >= 0; left--) {
    const name = left === 0 ? `c${index}` : `c${index}x${left}`;
    const base =
      names.length > 0 && chance(0.3)
        ? pick(names)
        : chance(0.1) && left > 0
          ? 'scratch'
          : baseOf(globals, index, random);
    if (bare.has(base)) bare.add(name);
    const steps = Array.from({ length: 1 + below(3) }, () => step(random, names, bare.has(base)));
    stages.push(
      [
        fromLine(base, name, random),
        ...(chance(0.4) ? [`ARG G${index}`] : []),
        // A RUN writes below it.
        ...(steps.some((line) => line.startsWith('RUN')) ? ['COPY a.txt /t/'] : []),
        ...steps,
        told(random, index),
      ].join('\n'),
    );
    names.push(name);
  }
  return { globals, stages, image: configuration(random, index) };
}

function globalArguments({ pick, chance }: Random, index: number): string {
  const value = pick(['v', '"a b"', "'s $X'", 'x\\ y', '"${NONE:-d${NONE:-e}}"', '""', 'a#b']);
  const written = `ARG G${index}=${value} B${index}=@BASE@`;
  return chance(0.5) ? written.replace(' B', `\nARG B`) : `${written}${chance(0.4) ? ' # why' : ''}`;
}

function baseOf(globals: readonly string[], index: number, { pick }: Random): string {
  if (globals.length === 0) return pick(['@BASE@', '"@BASE@"', 'docker://@BASE@']);
  return pick(['@BASE@', `$B${index}`, `\${B${index}}`, `\${NONE:-$B${index}}`, `"\${B${index}%none}"`]);
}

function fromLine(base: string, name: string, { pick, chance }: Random): string {
  const platform = chance(0.15) ? '--platform=$BUILDPLATFORM ' : '';
  return pick([
    `FROM ${platform}${base} AS ${name}`,
    `from ${platform}${base} as ${name}`,
    `FROM \\\n  ${platform}${base} \\\n# which\n AS ${name}`,
  ]);
}

/** A heredoc with what variables hold, so that a tree shows them. */
function told({ pick }: Random, index: number): string {
  return `COPY <<${pick(['T', '"T"', '-T'])} /t/told\n[$G${index}] [$E] [\${E:-none}] [\${L:+set}] [\${E#o}] [\\$E]\nT`;
}

function step(random: Random, earlier: readonly string[], isBare: boolean): string {
  const { below, pick, chance } = random;
  const kinds = [copy, copy, heredoc, heredoc, variable, variable, place, ...(isBare ? [] : [run, run])];
  const line = pick(kinds)(random, earlier, isBare);
  // In the JSON form a blank may be part of a name.
  if (line.includes('<<') || line.includes('["') || !chance(0.2)) return line;
  // Joined lines, with what is left out between them.
  const words = line.split(' ');
  const at = 1 + below(Math.max(1, words.length - 1));
  const between = pick([' \\\n  ', ' \\\n# a comment \\\n  ', ' \\\n\n', '\\\n ']);
  return `${words.slice(0, at).join(' ')}${between}${words.slice(at).join(' ')}`;
}

function copy({ below, pick, chance }: Random, earlier: readonly string[], isBare: boolean): string {
  const owners = ['1', '2:3', ...(isBare ? [] : ['root', 'root:root'])];
  const flags = [
    ...(chance(0.3) ? [`--chown=${pick(owners)}`] : []),
    ...(chance(0.3) ? [`--chmod=${pick(['600', '0755', '4711'])}`] : []),
  ];
  if (chance(0.2)) return ['COPY', '--from=@OTHER@', ...flags, `/other-file /t/other${below(3)}`].join(' ');
  if (earlier.length > 0 && chance(0.5))
    return ['COPY', `--from=${pick([pick(earlier), `"${pick(earlier)}"`])}`, ...flags, '/t /t/of/'].join(' ');
  const source = pick([
    'a.txt',
    'dir',
    '.',
    '*.txt',
    '[ab].*',
    'dir/sub b.conf',
    'dir/*',
    'empty',
    './dir/',
    'dir/../a.txt',
    'with?space.txt',
  ]);
  const to = pick(['/t/', '/t/d/', '/t/d/e/', '/t/./x/../y/']);
  if (chance(0.2))
    return [
      pick(['COPY', 'ADD', 'copy']),
      ...flags,
      JSON.stringify([pick(['with space.txt', 'a.txt', 'FROM scratch']), to]),
    ].join(' ');
  return [pick(['COPY', 'COPY', 'ADD', 'Copy']), ...flags, source, to].join(' ');
}

const LINES = [
  'FROM @OTHER@',
  'COPY --from=@OTHER@ /a /b',
  'RUN false',
  '$E ${E} ${NONE:-d} \\$E $',
  '# a comment',
  'its "quoted" `so`',
  'ends with \\',
  '\ttab',
  '',
  '  END',
  'END of',
  '<<END',
  'a * b ? [c]',
  '%s %d \\n \\t',
  'caf\u00e9 \u{1D70B}',
];

function heredoc(random: Random): string {
  const { below, pick, chance } = random;
  const body = () => Array.from({ length: below(5) }, () => pick(LINES));
  const delimiter = pick(['END', 'END', '"END"', "'END'", '-END', '-"END"']);
  const mode = chance(0.3) ? '--chmod=640 ' : '';
  if (!chance(0.3)) return [`COPY ${mode}<<${delimiter} /t/h${below(3)}`, ...body(), 'END'].join('\n');
  return [`COPY ${mode}<<${delimiter} <<'two' /t/`, ...body(), 'END', ...body(), 'two'].join('\n');
}

const VALUES = [
  '1',
  'one',
  '"two words"',
  "'$E'",
  'a\\ b',
  '"$E"',
  '${E:-x}',
  '${E:+y}',
  '"it\'s"',
  '\'say "x"\'',
  '""',
  'a=b',
  '${NONE:-${E}}',
  '\\$E',
  '"a\\\\b"',
];

function variable({ pick, chance }: Random): string {
  const value = () => pick(VALUES);
  return pick([
    `ENV E=${value()}`,
    `ENV E=${value()} F=${value()}`,
    `ENV E plain ${chance(0.5) ? 'text' : '$F'}`,
    `ARG L=${value()}`,
    `ARG E\nARG L=${value()}`,
    `env F="\${E}x" E=${value()}`,
  ]);
}

function place({ pick }: Random): string {
  return pick([
    'WORKDIR /t/w',
    'WORKDIR /t/w\nWORKDIR ../v',
    'WORKDIR /t\nCOPY a.txt here/',
    'VOLUME /v',
    'LABEL x=$E',
    'SHELL ["/bin/bash", "-c"]',
  ]);
}

function run({ pick }: Random, earlier: readonly string[]): string {
  return pick([
    'RUN echo "$E|$L" >> /t/run',
    'RUN ["/bin/touch", "/t/a b"]',
    'RUN <<END\necho "$E" >> /t/script\nEND',
    'RUN cat <<END >> /t/piped\nFROM @OTHER@\n$E\nEND',
    "RUN 3<<'END' cat <&3 >> /t/third\nCOPY --from=@OTHER@ / /\nEND",
    'RUN echo "no <<END here" >> /t/quoted',
    'RUN --mount=type=bind,from=@OTHER@,target=/m cat /m/other-file >> /t/mounted',
    'RUN --mount=type=bind,source=dir,target=/m,rw touch /m/new && ls /m >> /t/listed',
    'RUN --mount=type=cache,target=/m,id=one touch /m/x && ls /m >> /t/cached',
    'RUN --mount=type=tmpfs,target=/m ls /m >> /t/tmpfs',
    'RUN --network=none mkdir -p /t && ln -sf a.txt /t/link && rm -f /t/a.txt',
    'RUN mkdir -p /t && echo x > /t/x && ln -f /t/x /t/hard && chmod -R go-rwx /t',
    ...(earlier.length > 0 ? [`RUN --mount=type=bind,from=${pick(earlier)},target=/m ls /m/t >> /t/of-stage`] : []),
  ]);
}

function configuration({ pick }: Random, index: number): string {
  return pick([
    `ENV V${index}=${pick(VALUES.filter((value) => !value.includes('E')))}`,
    `LABEL l${index}=${pick(VALUES)} "m ${index}"='x'`,
    `LABEL n${index} old form`,
    `CMD ${pick(['echo $HOME', '["a", "b c"]', '["/bin/sh", "-c", "echo \\"x\\""]'])}`,
    `ENTRYPOINT ${pick(['exec top', '["/bin/sh"]'])}`,
    `EXPOSE ${1000 + index} ${2000 + index}/udp`,
    `VOLUME ${pick([`/v${index}`, `["/v ${index}", "/w"]`])}`,
    `USER ${pick(['5', '5:6', 'root'])}`,
    `WORKDIR ${pick(['/w', 'rel', '../up'])}`,
    `STOPSIGNAL ${pick(['9', 'SIGTERM'])}`,
    `HEALTHCHECK ${pick(['NONE', '--interval=5m CMD true', '--retries=2 CMD ["a", "b"]'])}`,
    `ONBUILD ${pick(['RUN false', 'COPY x /y'])}`,
    'MAINTAINER A Person <a@example.org>',
  ]);
}
