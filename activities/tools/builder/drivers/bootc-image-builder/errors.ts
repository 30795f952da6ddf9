/** Texts of bootc-image-builder's own checks, before it asks osbuild/images for a manifest. */
import { anyOf } from '../../../any-of.ts';
import type { BuilderError } from '../../driver.ts';

export const bootcImageBuilderErrors: readonly BuilderError[] = [
  { pattern: /is not a bootc image/, verdict: { kind: 'not-bootc' } },
  {
    pattern: /must be run in rootful|requires a privileged container|qemu-user-static|cannot validate the setup/,
    verdict: { kind: 'host-setup' },
  },
  {
    pattern: anyOf(
      /cannot read config|cannot detect build types|unsupported image type|cannot mix ISO\/disk/,
      /cannot build iso for different target arches|chown permission check failed|cannot handle AWS/,
    ),
    verdict: { kind: 'builder-configuration', ofRequest: true },
  },
];
