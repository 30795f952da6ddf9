/** The rules: a row each, with the guide's reason. docs/lint.md has the same rows. */
import {
  agentMissing,
  agentNotEnabled,
  bindingOfVirtual,
  configurationMisplaced,
  movingTags,
  timerNotMasked,
} from './base-rules.ts';
import { cacheLeft, dropInsUnused, etcOverUsr, varChanges } from './file-rules.ts';
import { cloudInitMissing, guestToolsMissing } from './guest-rules.ts';
import type { Rule } from './project.ts';
import { secretArguments, secretsInImage } from './secret-rules.ts';

/** Every rule, in the order of a Containerfile. Reasons are clauses without a full stop. */
export const RULES: readonly Rule[] = [
  {
    id: 'moving-tag',
    reason:
      'what was tested and what devices get must be the same; each release pins a digest, but the next one another',
    containerfile: movingTags,
  },
  {
    id: 'agent-installed',
    reason: 'without the agent a device neither enrolls nor is updated',
    containerfile: agentMissing,
  },
  {
    id: 'agent-enabled',
    reason: 'an agent that is not enabled does not start with the device',
    containerfile: agentNotEnabled,
  },
  {
    id: 'timer-masked',
    reason: "RHEL's own automatic updates would change the device beside the agent",
    containerfile: timerNotMasked,
  },
  {
    id: 'agent-configuration',
    reason:
      'early binding puts the enrollment endpoint and certificate into the image, late binding injects both when a device is provisioned',
    containerfile: configurationMisplaced,
  },
  {
    id: 'late-binding',
    reason:
      'for OpenShift Virtualization and VMware vSphere the guide uses late binding: cloud-init injects the configuration',
    spec: bindingOfVirtual,
  },
  {
    id: 'cloud-init',
    reason: 'with late binding cloud-init brings a virtual machine its enrollment certificate',
    containerfile: cloudInitMissing,
  },
  {
    id: 'guest-tools',
    reason: 'the guide adds the guest tools of the virtual platform, by which it sees and stops the machine',
    containerfile: guestToolsMissing,
  },
  {
    id: 'secret-in-image',
    reason: 'some secrets are not secure to distribute via the image: bring them at run time, or as a build secret',
    containerfile: secretsInImage,
    spec: secretArguments,
  },
  {
    id: 'dnf-clean',
    reason: 'every device downloads and keeps the cache that a layer holds',
    containerfile: cacheLeft,
  },
  {
    id: 'var-change',
    reason: "/var of an image is unpacked when a device is installed and never updated after it (bootc's guidance)",
    containerfile: varChanges,
  },
  {
    id: 'drop-in',
    reason: 'editing configuration files is a source of drift: services aggregate what is in their drop-in directories',
    containerfile: dropInsUnused,
  },
  {
    id: 'etc-over-usr',
    reason:
      'below /usr configuration is read-only and defined by the image; /etc is merged with what a device has there',
    containerfile: etcOverUsr,
  },
];

/** The one finding about silences themselves: an id that is none, or no reason given. */
export const SILENCE_RULE = {
  id: 'silence',
  reason: 'a silence that silences nothing, or says no reason, misleads the next reader',
};
