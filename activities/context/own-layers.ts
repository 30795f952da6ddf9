/** Instructions that flightline adds on top of what a Containerfile has built, in a build of their own. Pure. */
import type { DeviceFile } from '../../model/device/signature-policy.ts';

/**
 * The layer that puts a build secret into the image as a file (0600). The secret's id is part of the instruction's
 * text, so that a layer with another secret is never taken from podman's cache. `install` is started without a shell,
 * and the secret is mounted beside /run/secrets, which would stay behind as an empty directory.
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
