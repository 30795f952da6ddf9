/** Rules about what an image is built on, and about the agent in it. Pure. */
import { AGENT_CONFIGURATION_PATH } from '../../model/spec/enrollment.ts';
import { parseReference } from '../../model/oci/reference.ts';
import { finalCommands } from './containerfile.ts';
import { enables, installs, masks } from './packages.ts';
import { isLateBound, type Found, type Project, type SpecOnly } from './project.ts';
import { isVirtual } from './guest-rules.ts';

const AGENT = 'flightctl-agent';
/** RHEL's automatic updates (guide, "Using RHEL base images"). */
const UPDATES = 'bootc-fetch-apply-updates.timer';

/**
 * Whether a tag is one that its owner moves: none at all, `latest`, `stream9`, `v1`. One with a version of two numbers, a date or a
 * commit is taken to stay.
 */
export function isMovingTag(image: string): boolean {
  const parsed = parseReference(image);
  if (!parsed.ok || parsed.reference.digest) return false;
  const { tag } = parsed.reference;
  return tag === undefined || !/\d+\.\d+|\d{8}|(?:^|[-.])(?=[a-f]*\d)[0-9a-f]{7,40}$/.test(tag);
}

/** Whether an image is RHEL's bootable one: `registry.redhat.io/rhel9/rhel-bootc`, also where a mirror has it. */
export function isRhel(image: string): boolean {
  return /\/rhel\d*-bootc(?:[:@]|$)/.test(image);
}

/** Stages on images whose tags move. */
export function movingTags({ containerfile }: Project): Found[] {
  return containerfile.stages.flatMap(({ image, line }) =>
    image !== null && isMovingTag(image)
      ? [{ line, message: `${image} is not the same image tomorrow; name a version or a digest` }]
      : [],
  );
}

/** The agent is not there. */
export function agentMissing({ containerfile }: Project): Found[] {
  if (installs(finalCommands(containerfile), AGENT)) return [];
  return [
    {
      line: containerfile.final.at(-1)!.line,
      message: `nothing installs ${AGENT}; the guide adds its repository and runs \`dnf -y install ${AGENT}\``,
    },
  ];
}

/** The agent is there, and does not start. */
export function agentNotEnabled({ containerfile }: Project): Found[] {
  const commands = finalCommands(containerfile);
  const install = installs(commands, AGENT);
  if (!install || enables(commands, `${AGENT}.service`)) return [];
  return [
    {
      line: install.line,
      message: `${AGENT} is installed and never started; add \`systemctl enable ${AGENT}.service\``,
    },
  ];
}

/** RHEL updates itself, beside the agent. */
export function timerNotMasked({ containerfile }: Project): Found[] {
  const image = containerfile.final[0]!.image;
  if (image === null || !isRhel(image) || masks(finalCommands(containerfile), UPDATES)) return [];
  return [
    {
      line: containerfile.final[0]!.line,
      message: `RHEL's automatic updates are on; add \`systemctl mask ${UPDATES}\``,
    },
  ];
}

/** The agent configuration and the binding that the spec names do not fit each other. */
export function configurationMisplaced({ containerfile, spec, writes }: Project): Found[] {
  const write = writes.find(({ path }) => path === AGENT_CONFIGURATION_PATH);
  if (!isLateBound(spec)) {
    if (write) return [];
    const message = `enrollment.binding is early, and nothing puts the configuration into the image; add \`ADD config.yaml /etc/flightctl/\``;
    return [{ line: containerfile.final.at(-1)!.line, message }];
  }
  if (!write) return [];
  const message = spec.enrollment
    ? `${AGENT_CONFIGURATION_PATH} is put into the image, and enrollment.binding is late; leave it out, or set it to early`
    : `${AGENT_CONFIGURATION_PATH} holds a private key; with \`enrollment: {binding: early}\` flightline requests it and keeps it out of the context`;
  return [{ line: write.line, message }];
}

/** Early binding where the guide has late binding. */
export function bindingOfVirtual({ spec, lineOf }: SpecOnly): Found[] {
  if (isLateBound(spec) || !spec.disks.some(isVirtual)) return [];
  const types = spec.disks.filter(isVirtual).map(({ type }) => type);
  const message = `enrollment.binding is early, and ${types.join(', ')} is for virtual machines; set it to late, and let cloud-init bring the configuration`;
  return [{ line: lineOf('enrollment.binding'), message }];
}
