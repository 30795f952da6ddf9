/** RUN instructions that mount what the ignore file leaves out. */
import { normalize } from 'node:path';
import type { Rule } from '../rule.ts';

/** Where the bind mounts of a RUN show the context, relative to it; of a path with an argument nothing is known. */
function mountedPaths(text: string): string[] {
  return [...text.matchAll(/--mount=(\S+)/g)].flatMap(([, options = '']) => {
    const given = new Map(
      options
        .replaceAll(/["']/g, '')
        .split(',')
        .map((one) => [one.split('=', 1)[0], one.slice(one.indexOf('=') + 1)] as const),
    );
    if ((given.get('type') ?? 'bind') !== 'bind' || given.has('from')) return [];
    const path = normalize(`/${given.get('source') ?? given.get('src') ?? '.'}`).replace(/^\/|\/$/g, '');
    return path.includes('$') ? [] : [path];
  });
}

/** Whether one path is the other or below it. The context itself is the empty path. */
function meet(one: string, other: string): boolean {
  return one === '' || `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`);
}

const rule: Rule = {
  id: 'ignored-in-mount',
  reason: 'what an ignore file leaves out is not sent, and podman would show it to a step that mounts the context',
  containerfile: ({ containerfile, leftOut }) =>
    containerfile.stages
      .flatMap(({ steps }) => steps.filter(({ keyword }) => keyword === 'RUN'))
      .flatMap(({ text, line }) => {
        const mounted = mountedPaths(text);
        const hidden = leftOut.filter((ignored) => mounted.some((path) => meet(path, ignored)));
        return hidden.map((ignored) => ({
          line,
          message: `the mount does not show ${ignored}: the ignore file leaves it out; keep it if the step reads it`,
        }));
      }),
};
export default rule;
