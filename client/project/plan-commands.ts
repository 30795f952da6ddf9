/**
 * The command lines of a release that has not begun, made by the functions that its activities use. What is known only then stands
 * in capitals; a secret never stands on a command line. Pure.
 */
import { volumesBeside } from '../../activities/image/red-hat.ts';
import { lintArguments } from '../../activities/tools/podman/bootc-lint.ts';
import { builderArguments } from '../../activities/tools/builder/builder.ts';
import { deviceArguments } from '../../activities/tools/podman/device-container.ts';
import { requestArguments } from '../../activities/tools/flightctl/flightctl.ts';
import {
  buildArguments,
  builtImageName,
  imageLabels,
  repositoryOf,
  type BuildCommand,
  type BuildSecretFile,
} from '../../activities/tools/podman/build.ts';
import { pullArguments, pushArguments } from '../../activities/tools/podman/podman.ts';
import { machineName, qemuArguments } from '../../activities/tools/qemu.ts';
import { copyArguments, type Copy } from '../../activities/tools/registry/skopeo.ts';
import type { ResolveResult } from '../../model/contract/contract.ts';
import { DISK_TYPES } from '../../model/spec/disk.ts';
import { isPrivate, OWN_SECRET_PREFIX } from '../../model/spec/enrollment.ts';
import { roleOf, type Role } from '../../model/contract/queue.ts';
import { needsEntitlement } from '../../model/device/registration.ts';
import { isLoopbackRegistry, registryOf, releaseId } from '../../model/oci/reference.ts';
import type { ReleaseRequest, RequestedDisk } from '../../model/spec/request.ts';
import type { Stage } from '../../model/release/stage.ts';
import { FLIGHTCTL_REQUEST_TIMEOUT } from '../../model/spec/worker-configuration.ts';
import { imageTags } from '../../workflows/release/plan.ts';
import { releaseStages, requestedRuns, type RequestedRun } from '../../model/release/stage-table.ts';

/** A stage to come. */
export interface PlannedStage {
  name: Stage;
  /** `image`, `release`, a disk type, or the types of a builder run. */
  subject: string;
  /** Which kind of worker does it. */
  worker: Role;
  /** Program and arguments each; empty where no program is run. */
  commands: string[][];
}

/** What the command lines are made of. */
export interface PlanFacts {
  request: ReleaseRequest;
  resolved: Pick<ResolveResult, 'bases' | 'builder' | 'builderConfig' | 'imageInputs'>;
  /** The image that the last stage is built on, as written; null for `scratch`. */
  base: string | null;
  /** The value that the Containerfile gives to a label. */
  own: (name: string) => string | undefined;
}

/** What only the worker knows. */
const ACCESS = {
  authfile: 'AUTHFILE',
  registriesDirectory: 'REGISTRIES_D',
  insecure: (repository: string) => isLoopbackRegistry(registryOf(repository)),
};
const INSTALLATION = 'INSTALLATION';
const IMAGE_ID = 'IMAGE_ID';
const DIGEST = 'sha256:DIGEST';
const WORK = 'WORK';

/** Every stage of a release in its order, with its command lines. */
export function plannedStages(facts: PlanFacts): PlannedStage[] {
  return releaseStages(facts.request).map(({ name, subject }) => ({
    name,
    subject,
    worker: roleOf(name),
    commands: commandsOf(name, subject, facts),
  }));
}

function commandsOf(stage: Stage, subject: string, facts: PlanFacts): string[][] {
  const { request } = facts;
  switch (stage) {
    case 'resolve':
      return [];
    case 'build':
      return buildCommands(facts);
    case 'push': {
      const image = { id: IMAGE_ID, repository: request.repository, digestFile: `${WORK}/digest` };
      return [['podman', ...pushArguments(ACCESS, image)]];
    }
    case 'device-verify':
      return [null, 'OTHER_KEY'].map((otherKey) => deviceCommand(request, otherKey));
    case 'disk-build':
      return diskCommands(facts, runOf(request, subject));
    case 'boot-test':
      return [bootCommand(request)];
    case 'publish':
      return publishCommands(diskOf(request, subject));
    case 'sign':
      return signed(request, subject).flatMap(({ repository, tags }) => tags.map((tag) => sign(repository, tag)));
    case 'verify':
      return signed(request, subject).map(({ repository }) => {
        const name = `docker://${repository}@${DIGEST}`;
        return skopeo({ source: name, destination: name, policy: 'POLICY' });
      });
    case 'tag':
      return tagCommands(request);
    case 'record': {
      const destination = `docker://${request.recordRepository}@${DIGEST}`;
      return [
        skopeo({ source: 'oci:RECORD', destination }),
        sign(request.recordRepository, request.tag),
        skopeo({ source: destination, destination: `docker://${request.recordRepository}:${request.tag}` }),
      ];
    }
  }
}

function skopeo(copy: Copy): string[] {
  return ['skopeo', ...copyArguments(copy, ACCESS)];
}

function sign(repository: string, tag: string): string[] {
  const name = `docker://${repository}@${DIGEST}`;
  const identity = `${repository}:${tag}`;
  return skopeo({
    source: name,
    destination: name,
    sign: { privateKey: 'PRIVATE_KEY', passphraseFile: 'PASSPHRASE_FILE', identity },
  });
}

function buildCommands({ request, resolved, base, own }: PlanFacts): string[][] {
  const { repository, tag, commit, source, buildArgs } = request;
  const { imageInputs, bases } = resolved;
  const labels = imageLabels({
    tag,
    imageInputs,
    commit,
    source,
    own,
    base: bases.find(({ reference }) => reference === base) ?? null,
  });
  const release = releaseId(repository, tag);
  // What holds a secret is named after the run, which is known only then.
  const run = isPrivate(request) ? '-RUN' : '';
  const command = {
    directory: `${WORK}/context`,
    name: `${builtImageName(INSTALLATION, release, imageInputs)}${run}`,
    idFile: `${WORK}/image-id`,
    cgroup: 'CGROUP',
    buildArgs,
    labels,
    secrets: secretFiles(request),
    volumes: entitlements(bases),
    flags: [],
  };
  const lint = { installation: INSTALLATION, release, imageId: IMAGE_ID };
  return [
    ...bases.map((one) => ['podman', ...pullArguments(ACCESS, repositoryOf(one.reference), one.digest)]),
    ...enrollmentCommands(request),
    ['podman', ...buildArguments(command)],
    ['podman', ...lintArguments(lint)],
    ...(request.verification ? [['podman', ...trustArguments(command, release, run)]] : []),
  ];
}

/** The layer of `verification: bake`, on what was built. */
function trustArguments(command: BuildCommand, release: string, run: string): string[] {
  const name = `${builtImageName(INSTALLATION, release, 'sha256:TRUSTED_INPUTS')}${run}`;
  const nothing = { buildArgs: {}, labels: {}, secrets: [], volumes: [] };
  return buildArguments({ ...command, ...nothing, directory: `${WORK}/trust`, name });
}

/** What the host asks Flight Control for, unless the spec names a configuration. */
function enrollmentCommands({ enrollment }: ReleaseRequest): string[][] {
  if (enrollment?.binding !== 'early' || 'config' in enrollment) return [];
  const { signer, days } = enrollment;
  const places = { configDirectory: 'CONFIG_DIRECTORY', outputDirectory: WORK, timeout: FLIGHTCTL_REQUEST_TIMEOUT };
  return [['flightctl', ...requestArguments({ signer, days, ...places })]];
}

/** By name: where the files lie is the host's affair. */
function secretFiles({ secrets = [], pullSecret }: ReleaseRequest): BuildSecretFile[] {
  const asked =
    pullSecret === undefined ? secrets : [...secrets, { id: `${OWN_SECRET_PREFIX}pull-secret`, from: pullSecret }];
  return asked.map(({ id, from }) => ({ id, file: `FILE_OF_${from}` }));
}

function entitlements(bases: PlanFacts['resolved']['bases']): string[] {
  return needsEntitlement(bases) ? volumesBeside('', false) : [];
}

/** Whether a device made of the image takes it, and whether it does with another key in the place of the release's. */
function deviceCommand({ repository, key }: ReleaseRequest, otherKey: string | null): string[] {
  const files = { policy: 'POLICY', registries: 'REGISTRIES_D', keys: 'KEYS' };
  return [
    'podman',
    ...deviceArguments({
      name: 'NAME',
      labels: {},
      image: IMAGE_ID,
      repository,
      digest: DIGEST,
      insecure: ACCESS.insecure(repository),
      key,
      otherKey,
      tool: 'host',
      access: null,
      files,
    }),
  ];
}

function diskCommands({ request, resolved }: PlanFacts, run: RequestedRun): string[][] {
  const { repository, tag } = request;
  const { builder, builderConfig } = resolved;
  if (!builder) throw new Error('disks are asked for, and no builder was resolved');
  const own = `${WORK}/disks/${run.subject}`;
  const image = `${repository}:${tag}`;
  const command = builderArguments({
    installation: INSTALLATION,
    release: releaseId(repository, tag),
    branch: run.subject,
    inputs: 'INPUTS',
    name: 'flightline-NAME',
    builder: `${repositoryOf(builder.reference)}@${builder.digest}`,
    image,
    types: run.types,
    rootfs: request.builder.rootfs,
    output: `${own}/output`,
    log: `${own}/container.log`,
    graphRoot: 'GRAPHROOT',
    volumes: DISK_TYPES[run.types[0]!].family === 'iso' ? entitlements(resolved.bases) : [],
    config: builderConfig && { path: `${own}/config.${builderConfig.format}`, format: builderConfig.format },
  });
  return [
    ['podman', ...pullArguments(ACCESS, repository, DIGEST)],
    ['podman', 'tag', `${repository}@${DIGEST}`, image],
    ['podman', ...pullArguments(ACCESS, repositoryOf(builder.reference), builder.digest)],
    ['podman', ...command],
  ];
}

function bootCommand({ architecture, bootTest, repository, tag }: ReleaseRequest): string[] {
  if (!bootTest) throw new Error('no boot test is asked for');
  const program = architecture === 'amd64' ? 'qemu-system-x86_64' : 'qemu-system-aarch64';
  const command = {
    architecture,
    accelerator: 'kvm',
    name: machineName(INSTALLATION, releaseId(repository, tag)),
    type: bootTest.disk,
    disk: `${WORK}/output/${DISK_TYPES[bootTest.disk].directory}/FILE`,
    firmware: { code: 'FIRMWARE', variables: 'VARIABLES', format: 'raw' },
    variables: `${WORK}/boot-test/variables`,
    console: `${WORK}/boot-test/console`,
  } as const;
  return [program, ...qemuArguments(command)];
}

function publishCommands({ publish, type, repository }: RequestedDisk): string[][] {
  if (publish === 'none') return [];
  const destination = `docker://${repository}@${DIGEST}`;
  return [skopeo({ source: `oci:${WORK}/publish-${type}/layout`, destination })];
}

/** What is signed for a subject, and the names of it; nothing of a disk that is not published. */
function signed(request: ReleaseRequest, subject: string): { repository: string; tags: string[] }[] {
  if (subject === 'image') return [{ repository: request.repository, tags: imageTags(request) }];
  const { publish, repository } = diskOf(request, subject);
  return publish === 'none' ? [] : [{ repository, tags: [request.tag] }];
}

function tagCommands(request: ReleaseRequest): string[][] {
  const { repository, tag } = request;
  const disks = request.disks.filter(({ publish }) => publish !== 'none');
  const moves = [
    ...disks.map((disk) => ({ repository: disk.repository, tag })),
    ...imageTags(request).map((name) => ({ repository, tag: name })),
  ];
  return moves.map((move) =>
    skopeo({
      source: `docker://${move.repository}@${DIGEST}`,
      destination: `docker://${move.repository}:${move.tag}`,
    }),
  );
}

function runOf(request: ReleaseRequest, subject: string): RequestedRun {
  return requestedRuns(request.disks).find((run) => run.subject === subject)!;
}

function diskOf(request: ReleaseRequest, type: string): RequestedDisk {
  return request.disks.find((disk) => disk.type === type)!;
}
