/** The mounts that a RUN asks for. Pure. */

/** A mount, as far as it tells what the RUN sees. */
export interface RunMount {
  /** `bind`, `cache`, `secret` … */
  type: string;
  /** A stage, an image, or a further context; undefined for the context. */
  from: string | undefined;
}

/** The mounts of an instruction as podman prints it, and perhaps of what its command only looks like. */
export function runMounts(instruction: string): RunMount[] {
  if (!/^RUN /i.test(instruction)) return [];
  return [...instruction.matchAll(/ --mount=(\S+)/g)].map(([, text]) => {
    const options = text!.replaceAll(/["']/g, '').split(',');
    const valueOf = (key: string) => options.find((option) => option.startsWith(`${key}=`))?.slice(key.length + 1);
    return { type: valueOf('type') ?? 'bind', from: valueOf('from') };
  });
}
