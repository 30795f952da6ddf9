/**
 * The Containerfiles of Flight Control's guide "Building OS Images", word for word, and the places where `flightline
 * init` differs from them on purpose. docs/from-the-guide.md has the same rows.
 */
import type { Base, Choices, Target } from '../../../../client/init/choices.ts';

/** "Building the OS Image (bootc)" */
const CENTOS = `FROM quay.io/centos-bootc/centos-bootc:stream9

RUN dnf -y config-manager --add-repo https://rpm.flightctl.io/flightctl-epel.repo && \\
    dnf -y install flightctl-agent && \\
    dnf -y clean all && \\
    systemctl enable flightctl-agent.service

# Optional: To enable podman-compose application support, uncomment below
# RUN dnf -y install epel-release && \\
#     dnf -y install podman-compose && \\
#     dnf -y clean all && \\
#     systemctl enable podman.service

ADD config.yaml /etc/flightctl/
`;

/** "Using RHEL base images" */
const RHEL = `FROM registry.redhat.io/rhel9/rhel-bootc:9.5

RUN dnf -y config-manager --add-repo https://rpm.flightctl.io/flightctl-epel.repo && \\
    dnf -y install flightctl-agent && \\
    dnf -y clean all && \\
    systemctl enable flightctl-agent.service && \\
    systemctl mask bootc-fetch-apply-updates.timer

# Optional: To enable podman-compose application support, uncomment below
# RUN dnf -y install https://dl.fedoraproject.org/pub/epel/epel-release-latest-9.noarch.rpm && \\
#     dnf -y install podman-compose && \\
#     dnf -y clean all && \\
#     rm -rf /var/{cache,log} /var/lib/{dnf,rhsm} && \\
#     systemctl enable podman.service

ADD config.yaml /etc/flightctl/
`;

/** "Red Hat OpenShift Virtualization" */
const CENTOS_OPENSHIFT = `FROM quay.io/centos-bootc/centos-bootc:stream9

RUN dnf -y config-manager --add-repo https://rpm.flightctl.io/flightctl-epel.repo && \\
    dnf -y install flightctl-agent && \\
    dnf -y clean all && \\
    systemctl enable flightctl-agent.service

RUN dnf -y install cloud-init open-vm-tools && \\
    dnf -y clean all && \\
    ln -s ../cloud-init.target /usr/lib/systemd/system/default.target.wants && \\
    systemctl enable vmtoolsd.service

# Optional: To enable podman-compose application support, uncomment below
# RUN dnf -y install epel-release epel-next-release && \\
#    dnf -y install podman-compose && \\
#    dnf -y clean all && \\
#    systemctl enable podman.service
`;

/** "VMware vSphere" */
const CENTOS_VSPHERE = `FROM quay.io/centos-bootc/centos-bootc:stream9

RUN dnf -y config-manager --add-repo https://rpm.flightctl.io/flightctl-epel.repo && \\
    dnf -y install flightctl-agent && \\
    dnf -y clean all && \\
    systemctl enable flightctl-agent.service

RUN dnf -y install cloud-init open-vm-tools && \\
    dnf -y clean all && \\
    ln -s ../cloud-init.target /usr/lib/systemd/system/default.target.wants && \\
    systemctl enable vmtoolsd.service
`;

const [, GUEST_RUN = ''] = /^(RUN dnf -y install cloud-init [^]*?)\n\n/m.exec(`${CENTOS_VSPHERE}\n`) ?? [];
const COMPOSE_COMMENT = /^# RUN .*(?:\n#.*)*/m;

/** The guide's listing for a base and a target; RHEL has only the generic one. */
export function guideContainerfile(base: Exclude<Base, 'debian-example'>, target: Target): string {
  if (base === 'rhel9') return RHEL;
  return { 'bare-metal': CENTOS, 'openshift-virtualization': CENTOS_OPENSHIFT, vsphere: CENTOS_VSPHERE }[target];
}

/** An intended difference. */
export interface Difference {
  /** As docs/from-the-guide.md names the combination. */
  where: string;
  what: string;
  why: string;
  applies(choices: Choices): boolean;
  /** The guide's text as it is to be. */
  apply(text: string): string;
}

const isVirtual = ({ target }: Choices) => target !== 'bare-metal';

/** Every intended difference; they are applied in this order. */
export const DIFFERENCES: readonly Difference[] = [
  {
    where: 'bare metal, late binding',
    what: 'no `ADD config.yaml /etc/flightctl/`',
    why: 'with late binding provisioning brings that file; the listing is for early binding',
    applies: ({ target, binding }) => target === 'bare-metal' && binding === 'late',
    apply: (text) => text.replace('ADD config.yaml /etc/flightctl/\n', ''),
  },
  {
    where: 'RHEL, OpenShift Virtualization or vSphere',
    what: "no `ADD config.yaml`, and the guest tools' `RUN` of the CentOS listings after the agent's",
    why:
      "the guide has RHEL's listing for the generic process alone; its changes for the platforms are the same " +
      'for it',
    applies: (choices) => choices.base === 'rhel9' && isVirtual(choices),
    apply: (text) =>
      text.replace('ADD config.yaml /etc/flightctl/\n', '').replace('# Optional:', `${GUEST_RUN}\n\n# Optional:`),
  },
  {
    where: 'CentOS, vSphere, `--podman-compose`',
    what: "the generic listing's optional `RUN`",
    why: 'the listing for vSphere has none',
    applies: ({ base, target, podmanCompose }) => base === 'centos-stream9' && target === 'vsphere' && podmanCompose,
    apply: (text) => `${text}\n${COMPOSE_COMMENT.exec(CENTOS)![0]}\n`,
  },
  {
    where: '`--podman-compose`',
    what: 'the optional `RUN` is not a comment',
    why: 'the guide says to uncomment it',
    applies: ({ podmanCompose }) => podmanCompose,
    apply: (text) => text.replace(COMPOSE_COMMENT, (lines) => lines.replaceAll(/^# ?/gm, '')),
  },
];
