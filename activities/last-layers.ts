/** Instructions that flightline itself adds to the end of a Containerfile. Pure. */
import type { DeviceFile } from '../spec/device-policy.ts';

/** One addition: whole lines of a Containerfile, and a comment that says what they are for. */
export interface LastLayer {
  why: string;
  instructions: readonly string[];
}

/** The text with the additions at its end, in order, each under its comment. They belong to its last stage. */
export function withLastLayers(text: string, layers: readonly LastLayer[]): string {
  if (layers.length === 0) return text;
  const added = layers.flatMap(({ why, instructions }) => ['', `# ${why}`, ...instructions]);
  return `${text.replace(/\n*$/, '\n')}${added.join('\n')}\n`;
}

/** What a device needs to verify, from a context that holds it below `etc/`. */
export function deviceLayer(files: readonly DeviceFile[]): LastLayer {
  const outside = files.find(({ path }) => !path.startsWith('/etc/'));
  if (outside) throw new Error(`${outside.path} is not below /etc`);
  return {
    why: 'verification: bake',
    instructions: ['COPY --chown=0:0 etc /etc'],
  };
}
