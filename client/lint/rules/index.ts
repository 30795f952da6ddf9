/** Every rule, in the order of a Containerfile. */
import type { Rule } from '../rule.ts';
import agentConfiguration from './agent-configuration.ts';
import agentEnabled from './agent-enabled.ts';
import agentInstalled from './agent-installed.ts';
import cloudInit from './cloud-init.ts';
import dnfClean from './dnf-clean.ts';
import guestTools from './guest-tools.ts';
import lateBinding from './late-binding.ts';
import movingTag from './moving-tag.ts';
import secretInImage from './secret-in-image.ts';
import timerMasked from './timer-masked.ts';

export { default as silenceRule } from './silence.ts';

export const RULES: readonly Rule[] = [
  movingTag,
  agentInstalled,
  agentEnabled,
  timerMasked,
  agentConfiguration,
  lateBinding,
  cloudInit,
  guestTools,
  secretInImage,
  dnfClean,
];
