/**
 * Containerfiles that spread over the grammar of Containerfile(5). `@BASE@` and `@OTHER@` are images of the test's
 * registry; the context holds {@link CONTEXT}.
 */

/** The context of every case: path and text. */
export const CONTEXT: Readonly<Record<string, string>> = {
  'a.txt': 'a\n',
  'b.conf': 'b = 1\n',
  'with space.txt': 'space\n',
  'dir/one': 'one\n',
  'dir/two.conf': 'two\n',
  'dir/sub/three': 'three\n',
  'empty/.keep': '',
  'FROM scratch': 'a name like an instruction\n',
};

/** Stages in an image. */
const BATCH = 15;

/** Cases of {@link STAGES}, as many as go into one image: their names, and stages `s0`, `s1` …. */
export function batches(cases: Readonly<Record<string, string>>): [names: string, stages: string[]][] {
  const all = Object.entries(cases);
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, at) => {
    const batch = all.slice(at * BATCH, (at + 1) * BATCH);
    const stages = batch.map(([, text], index) => `FROM @BASE@ AS s${index}\n${text}`);
    return [batch.map(([name]) => name).join(', '), stages];
  });
}

/**
 * One Containerfile of many stages: what each has below `/t` becomes a directory of the image. `run` keeps podman from
 * taking anything of another run from its cache.
 */
export function batchOf(stages: readonly string[], run: number): string {
  return [
    'FROM @BASE@ AS first\nCOPY a.txt /t/of-first',
    ...stages,
    `FROM @BASE@\nLABEL run=${process.pid}.${run}`,
    collected(['first', ...stages.map((_, index) => `s${index}`)]),
    '',
  ].join('\n');
}

/**
 * A RUN that takes what stages have below `/t`, with all that `cp --archive` knows of files, to a directory of each
 * stage's name. One step for all: a COPY each takes podman a third of a second.
 */
export function collected(stages: readonly string[]): string {
  const mounts = stages.map((stage) => `--mount=type=bind,from=${stage},target=/from/${stage}`);
  const copies = stages.map((stage) => `cp --archive /from/${stage}/t /all/${stage}`);
  return `RUN ${mounts.join(' ')} mkdir /all && ${copies.join(' && ')}`;
}

/** Lines that podman prints about a build, and that a RUN may print as well. */
const NOTES = [
  'STEP 1/3: FROM registry.example/a:1',
  `--> Using cache ${'9'.repeat(64)}`,
  'Trying to pull registry.example/a:1...',
  'time="2026-01-02T03:04:05Z" level=debug msg="Found image \\"registry.example/a:1\\" as \\"registry.example/a:1\\" ' +
    `in local containers storage ([overlay@/a+/b]@${'9'.repeat(64)})"`,
  'time="2026-01-02T03:04:05Z" level=debug msg="Running [\\"runc\\" \\"create\\"]"',
  'error running container: setrlimit: operation not permitted',
  'Error: creating build container: registry.example/a:1: image not known',
]
  .map((note) => `echo '${note}' >&2`)
  .join('; \\\n');

/** What makes files: each is a stage of a batch, and what it has below `/t` is compared. */
export const STAGES: Readonly<Record<string, string>> = {
  'COPY of a file': 'COPY a.txt /t/',
  'COPY of a directory': 'COPY dir /t/',
  'COPY of all': 'COPY . /t/',
  'COPY by pattern': 'COPY *.txt /t/',
  'COPY as JSON': 'COPY ["with space.txt", "/t/with space.txt"]',
  'COPY over lines': 'COPY a.txt \\\n  b.conf \\\n  /t/',
  'COPY over lines with a comment': 'COPY a.txt \\\n# a comment\n  b.conf /t/',
  'COPY with owner': 'COPY --chown=1:2 a.txt /t/',
  'COPY of a name that looks like an instruction': 'COPY ["FROM scratch", "/t/x"]',
  'COPY from an image': 'COPY --from=@OTHER@ /other-file /t/',
  'COPY from an image by argument': 'ARG IMAGE=@OTHER@\nCOPY --from=${IMAGE} /other-file /t/',
  'COPY from a stage': 'COPY --from=first /t/ /t/',
  'COPY from a stage in quotes': 'COPY --from="first" /t/ /t/',
  'COPY from a stage by number': 'COPY --from=0 /t/ /t/',
  'COPY from a stage by argument': 'ARG STAGE=first\nCOPY --from=$STAGE /t/ /t/',
  'COPY with a variable': 'ENV N=a\nCOPY $N.txt /t/${N}',
  'ADD of a file': 'ADD a.txt /t/',
  'heredoc of COPY': 'COPY <<END /t/file\na * b\nEND',
  'heredoc with expansion': 'ARG V=1\nCOPY <<END /t/file\n$V ${V} ${NONE:-d} \\$V\nEND',
  'heredoc in single quotes': "ARG V=1\nCOPY <<'END' /t/file\n$V \\\nEND",
  'heredoc with tabs': 'COPY <<-END /t/file\n\tone\n\t\ttwo\n\tEND',
  'heredocs of one COPY': 'COPY <<one <<two /t/\n1\none\n2\ntwo',
  'heredoc with other files': 'COPY a.txt <<more /t/\nm\nmore',
  'heredoc of instructions': 'COPY <<END /t/file\nFROM @OTHER@\nCOPY --from=@OTHER@ /x /y\nRUN false\nEND',
  'heredoc of ADD': 'ADD <<END /t/file\nadded\nEND',
  'heredoc whose end stands inside a line': 'COPY <<END /t/file\nno END here\n END\nEND',
  'RUN by shell': 'RUN mkdir /t && echo x > /t/x',
  'RUN as JSON': 'RUN ["/bin/mkdir", "-p", "/t/a b"]',
  'RUN over lines': 'RUN mkdir /t && \\\n  echo x \\\n  > /t/x',
  'RUN over lines with comments and blanks': 'RUN mkdir /t \\\n# no\n\n && touch /t/x',
  'RUN with a heredoc': 'RUN <<END\nmkdir /t\necho "$HOME" > /t/home\nEND',
  'RUN with a heredoc for a program': 'RUN mkdir /t && <<END cat > /t/x\nFROM @OTHER@\nEND',
  'RUN with a heredoc of a descriptor': 'RUN mkdir /t && 3<<END cat <&3 > /t/x\nFROM @OTHER@\nEND',
  'RUN with two heredocs': 'RUN mkdir /t && <<A cat > /t/a && <<B cat > /t/b\nCOPY --from=x / /\nA\nfrom y\nB',
  'RUN with a heredoc and an interpreter': 'RUN <<END\n#!/bin/sh\nmkdir /t\necho script > /t/x\nEND',
  'RUN whose text looks like a heredoc':
    'RUN mkdir /t && echo "read <<BODY here" > /t/x\nCOPY --from=@OTHER@ /other-file /t/',
  'RUN with a mount of an image': 'RUN --mount=type=bind,from=@OTHER@,target=/m mkdir /t && cat /m/other-file > /t/x',
  'RUN with a mount over lines':
    'RUN --mount=type=bind,\\\nfrom=@OTHER@,target=/m mkdir /t && cat /m/other-file > /t/x',
  'RUN with a mount of a stage': 'RUN --mount=type=bind,from=first,target=/m mkdir /t && cat /m/t/* > /t/x',
  'RUN with a mount of the context': 'RUN --mount=type=bind,source=dir,target=/m mkdir /t && cat /m/one > /t/x',
  'RUN with an argument': 'ARG V=v\nRUN mkdir /t && echo "$V" > /t/x',
  "RUN that prints podman's notes": `RUN mkdir /t; \\\n${NOTES}`,
  'RUN that makes odd names':
    'RUN mkdir /t && touch "/t/$(printf \'caf\\351\')" "/t/$(printf \'\\360\\235\\234\\213\')"',
  'RUN that makes links': 'RUN mkdir /t && echo x > /t/a && ln /t/a /t/b && ln -s a /t/c',
};

/** More of them, of which podman alone reads what is special. */
export const MORE_STAGES: Readonly<Record<string, string>> = {
  'COPY under another name': 'COPY a.txt /t/named',
  'COPY of several': 'COPY a.txt b.conf /t/',
  'COPY of a directory below another': 'COPY dir /t/dir/',
  'COPY by a class': 'COPY [ab].* /t/',
  'COPY by a question mark': 'COPY ?.txt /t/',
  'COPY below directories by pattern': 'COPY dir/*/three /t/',
  'COPY with owner by name': 'COPY --chown=root:root dir /t/',
  'COPY with mode': 'COPY --chmod=4711 a.txt /t/',
  'COPY with mode of a directory': 'COPY --chmod=0700 dir /t/d',
  'COPY with all flags': 'COPY --chown=3:4 --chmod=640 a.txt b.conf /t/',
  'COPY --exclude': 'COPY --exclude=*.conf dir /t/',
  'COPY into a relative place': 'WORKDIR /t\nCOPY a.txt rel/',
  'COPY with a default': 'COPY ${NONE:-a}.txt /t/',
  'ADD of a directory': 'ADD dir /t/dir',
  'ADD with owner and mode': 'ADD --chown=5:6 --chmod=600 a.txt /t/',
  'ADD as JSON': 'ADD ["a.txt", "/t/"]',
  'heredoc in double quotes': 'ARG V=1\nCOPY <<"END" /t/file\n$V\nEND',
  'heredoc with owner and mode': 'COPY --chown=7:8 --chmod=755 <<END /t/file\nx\nEND',
  'heredoc without text': 'COPY <<END /t/file\nEND',
  'heredoc with an empty line': 'COPY <<END /t/file\n\none\n\nEND',
  'RUN with a tmpfs': 'RUN --mount=type=tmpfs,target=/m touch /m/x && mkdir /t',
  'RUN with a cache': 'RUN --mount=type=cache,target=/m touch /m/x && mkdir /t',
  'RUN without network': 'RUN --network=none mkdir /t',
  'RUN that removes': 'COPY dir /t/\nRUN rm -r /t/sub',
  'RUN that changes modes': 'COPY dir /t/\nRUN chmod 600 /t/one',
  'USER before RUN': 'RUN mkdir -m 777 /t\nUSER 11:12\nRUN touch /t/x',
  'WORKDIR before RUN': 'WORKDIR /t/deep/er\nRUN touch x',
  'WORKDIR by variable': 'ENV D=/t/d\nWORKDIR $D/e\nCOPY a.txt .',
  SHELL: 'SHELL ["/bin/bash", "-c"]\nRUN mkdir /t && echo ${BASH_VERSION:+bash} > /t/x',
  'VOLUME after COPY': 'COPY a.txt /t/\nVOLUME /t/v',
  'ENV in RUN': 'ENV A=1 B="two words"\nRUN mkdir /t && echo "$A $B" > /t/x',
  'ENV in the old form': 'ENV A one two\nRUN mkdir /t && echo "$A" > /t/x',
  'ARG that ENV covers': 'ARG A=arg\nENV A=env\nRUN mkdir /t && echo "$A" > /t/x',
};

/**
 * Ways to name a base, and the values of arguments there: the lines before the first FROM, and a stage that writes
 * below `/t`. All are in one Containerfile; `NAME` stands for its stages.
 */
export const FROMS: Readonly<Record<string, readonly [before: string, stage: string]>> = {
  'ARG before FROM': ['ARG B=@BASE@', 'FROM ${B} AS NAME\nCOPY a.txt /t/one'],
  'several ARGs on a line': ['ARG ONE=1 SECOND=@BASE@', 'FROM $SECOND AS NAME\nCOPY a.txt /t/two'],
  'ARG whose prefix FROM removes': ['ARG PREFIX=v@BASE@', 'FROM ${PREFIX#v} AS NAME\nCOPY a.txt /t/three'],
  'ARG with a comment': ['ARG COMMENT=@BASE@ # why', 'FROM $COMMENT AS NAME\nCOPY a.txt /t/four'],
  'ARG with nested defaults': [
    'ARG N=@BASE@\nARG NESTED="${NESTED:-${N}}"',
    'FROM ${NESTED} AS NAME\nCOPY a.txt /t/five',
  ],
  'ARG taken up in a stage': ['ARG V=global', 'FROM @BASE@ AS NAME\nARG V\nENV A=$V\nCOPY a.txt /t/$A'],
  'ARG not taken up in a stage': ['', 'FROM @BASE@ AS NAME\nENV A=x$V\nCOPY a.txt /t/$A'],
  'ARG of a stage only': ['', 'FROM @BASE@ AS one\nARG W=1\nFROM @BASE@ AS NAME\nENV A=y$W\nCOPY a.txt /t/$A'],
  'a platform argument': [
    'ARG TARGETARCH',
    'FROM @BASE@ AS NAME\nARG TARGETARCH\nARG TARGETPLATFORM\nENV A=$TARGETARCH P=$TARGETPLATFORM\nCOPY a.txt /t/$A/$P',
  ],
  'FROM with platform': ['', 'FROM --platform=linux/amd64 @BASE@ AS NAME\nCOPY a.txt /t/six'],
  'FROM by argument platform': ['', 'FROM --platform=$BUILDPLATFORM @BASE@ AS NAME\nCOPY a.txt /t/seven'],
  'FROM in quotes': ['', 'FROM "@BASE@" AS NAME\nCOPY a.txt /t/eight'],
  'FROM over lines': ['', 'FROM \\\n  @BASE@ \\\n  AS NAME\nCOPY a.txt /t/nine'],
  'a stage named like an image': ['', 'FROM @BASE@ AS debian\nENV A=b\nFROM debian AS NAME\nCOPY a.txt /t/$A'],
};

/**
 * Cases that are compared as images of their own: for the configuration, or for how the file begins. Each has a stage
 * without RUN.
 */
export const IMAGES: Readonly<Record<string, string>> = {
  'ENV forms': 'FROM @BASE@\nENV A=1\nENV B="two words" C=\'three\' D=fo\\ ur\nENV E old form\nENV F=$A${B}',
  'LABEL forms': 'FROM @BASE@\nLABEL a="x,y" \\\n  b=v c="l1 \\\nl2"\nLABEL "k e y"=v e=esc\\ aped\nLABEL d e',
  'CMD by shell': 'FROM @BASE@\nCMD echo $HOME',
  'ENTRYPOINT by shell': 'FROM @BASE@\nENTRYPOINT exec top -b',
  'EXPOSE forms': 'FROM @BASE@\nEXPOSE 80 443/tcp\nEXPOSE 53/udp\nARG P=99\nEXPOSE $P',
  'USER forms': 'FROM @BASE@\nUSER 5\nUSER 6:7',
  'WORKDIR relative': 'FROM @BASE@\nWORKDIR /a\nWORKDIR b\nWORKDIR ../c',
  'VOLUME forms': 'FROM @BASE@\nVOLUME /a /b\nVOLUME ["/c d"]',
  STOPSIGNAL: 'FROM @BASE@\nSTOPSIGNAL SIGRTMIN+3',
  HEALTHCHECK: 'FROM @BASE@\nHEALTHCHECK --interval=5m --timeout=3s --retries=2 CMD true',
  ONBUILD: 'FROM @BASE@\nONBUILD COPY a.txt /x\nONBUILD RUN false',
  'a stage that nobody uses': 'FROM @OTHER@ AS unused\nCOPY a.txt /x\nFROM @BASE@\nENV A=b',
  scratch: 'FROM scratch\nLABEL containers.bootc=1\nCOPY a.txt /',
  'labels that flightline writes':
    'FROM @BASE@\nLABEL org.opencontainers.image.title=mine org.opencontainers.image.licenses=MIT',
};

/** More of them, whose text podman alone reads. */
export const MORE_IMAGES: Readonly<Record<string, string>> = {
  'CMD as JSON': 'FROM @BASE@\nCMD ["a", "b c"]',
  'ENTRYPOINT as JSON, then CMD': 'FROM @BASE@\nENTRYPOINT ["/bin/sh"]\nCMD ["-c", "true"]',
  'LABEL of a stage': 'FROM @BASE@ AS one\nLABEL from=one\nFROM one\nLABEL own=two',
  'instructions in lower case': 'from @BASE@ as x\nenv a=b\nlabel c=d\nfrom x',
  'DOS line ends': 'FROM @BASE@\r\nENV A=b\r\n',
  'a stage further up twice': 'FROM @BASE@ AS a\nCOPY a.txt /x\nFROM a AS b\nFROM a\nCOPY --from=b /x /y',
  'HEALTHCHECK NONE': 'FROM @BASE@\nHEALTHCHECK NONE',
  'LABEL with variables': 'FROM @BASE@\nARG V=1\nENV W=2\nLABEL v=$V w="${W}" s=\'$W\'',
  'ENTRYPOINT twice': 'FROM @BASE@\nENTRYPOINT ["a"]\nENTRYPOINT ["b"]',
  'USER by variable': 'FROM @BASE@\nARG U=8\nUSER $U:9',
  SHELL: 'FROM @BASE@\nSHELL ["/bin/bash", "-eux", "-c"]',
  MAINTAINER: 'FROM @BASE@\nMAINTAINER A Person <a@example.org>',
  'a syntax directive': '# syntax=docker/dockerfile:1\nFROM @BASE@\nENV A=b',
  'comments and blanks': '\n# one\n\n  # two\nFROM @BASE@\n\nENV A=1\n',
  'no line end at the end': 'FROM @BASE@\nENV A=b',
  'ARG with expansions': 'FROM @BASE@\nARG V=v1\nENV A=${V#v} B=${V%1} D=${V:+set} E=${NONE:-none}',
  'an empty ENV': 'FROM @BASE@\nENV A= B=""',
  'quotes in quotes': `FROM @BASE@\nENV A="it's" B='say "x"'`,
};

/**
 * Puts cases into a file together when they have one stage and no instruction in common, so that the configuration
 * holds what each of them sets: every release takes seconds.
 */
export function inFewFiles(cases: readonly [name: string, text: string][]): [names: string, text: string][] {
  const joint: { names: string; text: string; words: string[] }[] = [];
  const alone: [string, string][] = [];
  for (const [name, text] of cases) {
    const [from, ...rest] = text.split('\n');
    const body = rest.join('\n');
    const words = body.match(/^[A-Z]+(?= )/gm) ?? [];
    if (from !== 'FROM @BASE@' || words.some((word) => ['FROM', 'COPY', 'RUN'].includes(word))) {
      alone.push([name, text]);
      continue;
    }
    const file = joint.find((one) => !words.some((word) => one.words.includes(word)));
    if (!file) joint.push({ names: name, text, words });
    else Object.assign(file, { names: `${file.names}, ${name}`, text: `${file.text}\n${body}` }).words.push(...words);
  }
  return [...joint.map(({ names, text }): [string, string] => [names, text]), ...alone];
}

/** Containerfiles that podman refuses. */
export const REFUSED: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'no FROM': 'RUN true\n',
  'stage-copies-from-itself': 'FROM @BASE@ AS b\nCOPY --from=b /x /y\n',
  'a RUN that fails': 'FROM @BASE@\nRUN echo the very cause >&2; exit 3\n',
  'a RUN that speaks of a full disk': 'FROM @BASE@\nRUN echo "Error: no space left on device" >&2; exit 143\n',
};

/** More of them. */
export const MORE_REFUSED: Readonly<Record<string, string>> = {
  'a RUN that ends itself as the kernel would':
    "FROM @BASE@\nRUN echo 'Out of memory: Killed process 7' >&2; sh -c 'kill -9 $$'; exit $?\n",
  'from-oci-directory':
    'FROM @BASE@ AS one\nRUN --mount=type=bind,rw,source=.,target=/m mkdir /m/out.oci\nFROM oci:./out.oci\nENV A=1\n',
  "a RUN that prints podman's notes": `FROM @BASE@\nRUN ${NOTES}; exit 1\n`,
  'a file that is not there': 'FROM @BASE@\nCOPY none /x\n',
  'a heredoc without end': 'FROM @BASE@\nRUN <<END\ntrue\n',
  'ENV without value': 'FROM @BASE@\nENV A\n',
  'an unknown instruction': 'FROM @BASE@\nFROB x\n',
  'a stage that is not there': 'FROM @BASE@\nCOPY --from=none /x /y\n',
  'a program that is not there': 'FROM @BASE@\nRUN ["/none"]\n',
  'a flag that is not there': 'FROM @BASE@\nCOPY --frob=1 a.txt /x\n',
  'a mode in letters': 'FROM @BASE@\nCOPY --chmod=u=rwx a.txt /t/\n',
  'a flag that podman lacks': 'FROM @BASE@\nCOPY --link a.txt /t/\n',
  'another flag that it lacks': 'FROM @BASE@\nCOPY --parents dir/sub/three /t/\n',
  'an escape directive that it does not know': '# escape=`\nFROM @BASE@\nENV A=`\n  b\n',
  'a name in capitals': 'FROM Registry.example/Base\n',
};
