/** Instructions that flightline adds at the end of a pinned Containerfile, a layer each. Pure. */
import { DockerfileParser } from 'dockerfile-ast';
import type { DeviceFile } from '../../model/device/signature-policy.ts';
import { FlightlineError } from '../../model/release/failure.ts';

/**
 * The Containerfile with further instructions after its last, in its last stage, which is the image.
 *
 * @throws FlightlineError `containerfile-invalid` when its end would swallow them: a line that is continued, an open heredoc.
 */
export function withLastLayers(containerfile: string, layers: readonly string[]): string {
  if (layers.length === 0) return containerfile;
  const text = [containerfile, ...layers, ''].join('\n');
  const last = DockerfileParser.parse(text)
    .getInstructions()
    .slice(-layers.length)
    .map((instruction) => instruction.getTextContent().trim());
  if (layers.some((layer, index) => last[index] !== layer.trim())) {
    throw new FlightlineError('containerfile-invalid', "the Containerfile's last instruction has no end");
  }
  return text;
}

/**
 * The layer that puts a build secret into the image as a file (0600). The secret's id is part of the instruction's text, so that a
 * layer with another secret is never taken from podman's cache. `install` is started without a shell, and the secret is mounted
 * beside /run/secrets, which would stay behind as an empty directory.
 */
export function secretFileLayer(id: string, file: string): string {
  const mounted = `/run/${id}`;
  const command = ['install', '-D', '-m', '0600', mounted, file];
  return `RUN --mount=type=secret,id=${id},target=${mounted},required=true ${JSON.stringify(command)}`;
}

/** What a device needs to verify, from a context that holds it below `etc/`. */
export function deviceLayer(files: readonly DeviceFile[]): string {
  const outside = files.find(({ path }) => !path.startsWith('/etc/'));
  if (outside) throw new Error(`${outside.path} is not below /etc`);
  return 'COPY --chown=0:0 etc /etc';
}
