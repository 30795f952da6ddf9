/**
 * Digests over inputs. Equal digests mean that the stage would make the same thing, so its result is adopted.
 */
import type { BuilderDriverName } from '../builder/builder-driver.ts';
import type { BuilderArguments } from '../spec/disk.ts';
import { digestOf, sha256 } from '../base/digest.ts';
import { buildOptions, type BuildOptions } from '../spec/build-options.ts';
import { imageSecretInputs, type SecretInputs } from '../spec/enrollment.ts';
import { platformDigest, type PinnedImage } from './record.ts';

/** Everything that decides the result of `podman build`. */
interface ImageInputs extends SecretInputs, BuildOptions {
  /** Digest over the context's files and the Containerfile, without the builder configuration. */
  files: string;
  bases: PinnedImage[];
  buildArgs: Record<string, string>;
  architecture: string;
  /** The part of device verification that is known without the sign worker; absent without `verification: bake`. */
  verification?: { key: string; repositories: readonly string[] };
}

/**
 * The image inputs' digest, which is the value of the label `io.flightline.inputs`. It covers the names of secrets, not
 * their content.
 */
export function imageInputsDigest(inputs: ImageInputs): string {
  const bases = inputs.bases
    .toSorted((left, right) => (left.reference < right.reference ? -1 : 1))
    .map((base) => ({ reference: base.reference, digest: platformDigest(base) }));
  const { files, buildArgs, architecture, verification } = inputs;
  const given = { ...buildOptions(inputs), ...imageSecretInputs(inputs) };
  return digestOf({ version: 1, files, buildArgs, architecture, bases, verification, ...given });
}

/** Everything that decides the result of a builder run. */
interface DiskInputs {
  /** Digest of the image, and the name from which devices will update, which the builder writes into the disk. */
  image: string;
  origin: string;
  builder: string;
  /** Digest of the image that installs; absent for a disk that is not made of one. */
  installer?: string | undefined;
  /** Digest of the builder configuration; null when there is none. */
  configuration: string | null;
  rootfs: string | null;
  types: string[];
  architecture: string;
  /** Absent for the usual one. */
  driver?: BuilderDriverName | undefined;
  /** Absent when the spec has none. */
  arguments?: BuilderArguments | undefined;
}

/** The disk inputs' digest of a builder run. */
export function diskInputsDigest(inputs: DiskInputs): string {
  return digestOf({ version: 1, ...inputs, types: [...inputs.types].sort() });
}

/** Name of the container of a builder run: `flightline-<12 hex of sha256(workflow id, disk inputs)>`. */
export function builderContainerName(release: string, diskInputs: string): string {
  return `flightline-${sha256(`${release}\n${diskInputs}`).slice(0, 12)}`;
}

/** Names one run of a release, as {@link releaseKey} names a release. */
export function runKey(release: string, runId: string): string {
  return sha256(`${release}\n${runId}`).slice(0, 16);
}

/** Directory name of a release on a host: 16 hexadecimal digits of its workflow id's hash, as an id has `/` and `:`. */
export function releaseKey(release: string): string {
  return sha256(release).slice(0, 16);
}
