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
    systemctl enable flightctl-agent.service

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

/** The guide's listing for a base and a target; RHEL has only the generic one, and 10 is written as 9 is. */
export function guideContainerfile(base: Exclude<Base, 'debian-example'>, target: Target): string {
  if (base === 'rhel9' || base === 'rhel10') return RHEL;
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
const isRhel = ({ base }: Choices) => base === 'rhel9' || base === 'rhel10';

/** Every intended difference; they are applied in this order. */
export const DIFFERENCES: readonly Difference[] = [
  {
    where: 'CentOS Stream 10',
    what: '`stream10` in `FROM`, and no `epel-next-release`',
    why: 'the guide says to substitute it; EPEL 10 has no EPEL Next',
    applies: ({ base }) => base === 'centos-stream10',
    apply: (text) => text.replace(':stream9', ':stream10').replace(' epel-next-release', ''),
  },
  {
    where: 'RHEL 10',
    what: "RHEL 10's image, and EPEL's release package for it",
    why: 'the guide supports it and lists RHEL 9 as the example',
    applies: ({ base }) => base === 'rhel10',
    apply: (text) => text.replace('rhel9/rhel-bootc:9.5', 'rhel10/rhel-bootc:10.0').replace('latest-9', 'latest-10'),
  },
  {
    where: 'Fedora',
    what: "Fedora's image, `config-manager addrepo` of dnf 5, and podman-compose without EPEL",
    why: 'the guide names Fedora as a base without a listing; the command is that of "Installing the agent"',
    applies: ({ base }) => base === 'fedora',
    apply: (text) =>
      text
        .replace('quay.io/centos-bootc/centos-bootc:stream9', 'quay.io/fedora/fedora-bootc:43')
        .replace('--add-repo ', 'addrepo --from-repofile=')
        .replace(/# RUN dnf -y install epel-release(?: epel-next-release)? && \\\n# +dnf/, '# RUN dnf'),
  },
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
    applies: (choices) => isRhel(choices) && isVirtual(choices),
    apply: (text) =>
      text.replace('ADD config.yaml /etc/flightctl/\n', '').replace('# Optional:', `${GUEST_RUN}\n\n# Optional:`),
  },
  {
    where: 'CentOS or Fedora, vSphere, `--podman-compose`',
    what: "the generic listing's optional `RUN`",
    why: 'the listing for vSphere has none',
    applies: (choices) => !isRhel(choices) && choices.target === 'vsphere' && choices.podmanCompose,
    apply: (text) => {
      const block = COMPOSE_COMMENT.exec(CENTOS)![0];
      const own = text.includes('fedora') ? block.replace(/dnf -y install epel-release && \\\n# +/, '') : block;
      return `${text}\n${own}\n`;
    },
  },
  {
    where: '`--podman-compose`',
    what: 'the optional `RUN` is not a comment',
    why: 'the guide says to uncomment it',
    applies: ({ podmanCompose }) => podmanCompose,
    apply: (text) => text.replace(COMPOSE_COMMENT, (lines) => lines.replaceAll(/^# ?/gm, '')),
  },
];
