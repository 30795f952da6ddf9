/** Two projects that give the same names to different things, built at once on one host: neither sees the other's. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openComparison } from './podman-comparison.ts';

const PROJECTS = ['a', 'b'] as const;
/** Heredocs in a Containerfile: the more there are, the likelier two collide. */
const COPIES = 8;

/** Everything that podman calls by a name: heredocs by their delimiter, caches and secrets by their id. */
function containerfile(project: string, round: number, secret: boolean): string {
  const mounts = secret ? '--mount=type=secret,id=token' : '--mount=type=cache,target=/cache,id=shared';
  const copies = Array.from({ length: COPIES }, (_, index) => `COPY <<END /t/copied-${index}\n${project}\nEND`);
  const runs = secret
    ? [`RUN ${mounts} cat /run/secrets/token > /t/secret`]
    : [`RUN ${mounts} echo ${project} >> /cache/${project}`, `RUN ${mounts} cat /cache/* > /t/cached`];
  return [
    `FROM @BASE@\nLABEL round=${process.pid}.${round}`,
    ...copies,
    ...runs,
    `RUN <<END\necho ${project} > /t/ran\nEND`,
  ].join('\n');
}

/** What the image of a project must hold below `/t`, by name. */
function expectedFiles(project: string, secret: boolean): Map<string, string> {
  const names = [...Array.from({ length: COPIES }, (_, at) => `copied-${at}`), 'ran', ...(secret ? [] : ['cached'])];
  const files = new Map(names.map((name) => [name, `${project}\n`]));
  return secret ? files.set('secret', secretOf(project)) : files;
}

const secretOf = (project: string) => `secret of the project ${project}\n`;

/** Builds both in each round, with caches or with secrets. Returns how the published images differ from that. */
export async function foreignBytes(rounds: number): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-at-once-'));
  for (const project of PROJECTS) await writeFile(join(directory, project), secretOf(project));
  const podman = await openComparison((registry) => ({
    secrets: Object.fromEntries(
      PROJECTS.map((project) => [project, { file: join(directory, project), repositories: [registry] }]),
    ),
  }));
  const found: string[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const secret = round % 2 === 1;
      const inputs = [];
      for (const project of PROJECTS) {
        const context = await podman.project(containerfile(project, round, secret));
        inputs.push(await podman.prepare(context, secret ? { secrets: [{ id: 'token', from: project }] } : {}));
        await rm(dirname(context), { recursive: true });
      }
      const published = await Promise.all(inputs.map((input) => podman.release(input)));
      for (const [index, project] of PROJECTS.entries()) {
        const files = await podman.files(published[index]!.published, 't');
        const expected = expectedFiles(project, secret);
        for (const name of new Set([...files.keys(), ...expected.keys()])) {
          const [is, should] = [files.get(name), expected.get(name)];
          if (is !== should) found.push(`round ${round}, ${project}: ${name} holds ${is}, and not ${should}`);
        }
      }
    }
    return found;
  } finally {
    await podman.close();
    await rm(directory, { recursive: true });
  }
}
