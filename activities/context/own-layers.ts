/** Instructions for the layers that flightline builds on top of a Containerfile's image. Pure. */
import type { DeviceFile } from '../../model/device/signature-policy.ts';

/**
 * The layer that puts a build secret into the image as a file (0600). The instruction's text contains the secret's id,
 * so that podman's cache never gives out a layer with another secret. `install` runs without a shell. The secret is
 * mounted beside /run/secrets, which would remain as an empty directory.
 */
export function secretFileLayer(id: string, file: string): string {
  const mounted = `/run/${id}`;
  const command = ['install', '-D', '-m', '0600', mounted, file];
  return `RUN --mount=type=secret,id=${id},target=${mounted},required=true ${JSON.stringify(command)}`;
}

/** The layer with a device's verification files, from a context that has them below `etc/`. */
export function deviceLayer(files: readonly DeviceFile[]): string {
  const outside = files.find(({ path }) => !path.startsWith('/etc/'));
  if (outside) throw new Error(`${outside.path} is not below /etc`);
  return 'COPY --chown=0:0 etc /etc';
}
