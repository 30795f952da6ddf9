/**
 * Global set-up of the projects with real tools: at the end, removes what their stacks built and pulled from podman's
 * storage.
 */
import { execa } from 'execa';
import { z } from 'zod';
import { INPUTS_LABEL } from '../../model/oci/labels.ts';
import { usePrivateContainersConf } from './tools.ts';

/** The part of `podman images --format json` that is read. */
const Images = z.array(
  z.object({
    Id: z.string(),
    Names: z.array(z.string()).nullish(),
    History: z.array(z.string()).nullish(),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
);
type Image = z.infer<typeof Images>[number];

/** Names in a test's registry, and those that flightline and tests give what they make. */
const OF_TESTS = /^(?:127\.0\.0\.1:\d+|localhost:\d+|localhost\/flightline(?:-[a-z-]+)?)\//;
/** Built once for a machine; every stack pushes them. */
const EXAMPLES = /^localhost\/flightline\/debian-/;

export default async function setUp(): Promise<() => Promise<void>> {
  const before = new Set((await images()).map(({ Id }) => Id));
  return async () => {
    const after = await images();
    const made = after.filter((image) => !before.has(image.Id) && isOfTests(image));
    if (made.length > 0) await podman(['rmi', '--force', '--ignore', ...made.map(({ Id }) => Id)]);
    for (const image of after.filter(isExample)) {
      const names = image.Names!.filter((name) => OF_TESTS.test(name) && !EXAMPLES.test(name));
      if (names.length > 0) await podman(['untag', image.Id, ...new Set(names)]);
    }
  };
}

function isExample({ Names }: Image): boolean {
  return (Names ?? []).some((name) => EXAMPLES.test(name));
}

function isOfTests(image: Image): boolean {
  const { Names, History, Labels } = image;
  if (isExample(image)) return false;
  return (
    Labels?.[INPUTS_LABEL] !== undefined || [...(Names ?? []), ...(History ?? [])].some((name) => OF_TESTS.test(name))
  );
}

async function images(): Promise<Image[]> {
  return Images.parse(JSON.parse((await podman(['images', '--all', '--format', 'json'])) || '[]'));
}

async function podman(args: readonly string[]): Promise<string> {
  const restore = await usePrivateContainersConf();
  try {
    return (await execa('podman', args, { reject: false })).stdout;
  } finally {
    await restore();
  }
}
