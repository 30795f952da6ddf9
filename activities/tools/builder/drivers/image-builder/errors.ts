/** Texts of image-builder's own checks. It ends where bootc-image-builder warns. */
import type { BuilderError } from '../../driver.ts';

export const imageBuilderErrors: readonly BuilderError[] = [
  { pattern: /entrypoint setup failed|cannot create cache directory/, verdict: { kind: 'host-setup' } },
  {
    pattern: /image type bootc "anaconda-iso" is not supported|invalid image type: (?:anaconda-)?iso/,
    verdict: {
      kind: 'builder-configuration',
      remedy: 'ask for another disk type, or name bootc-image-builder under builder.image and builder.driver',
    },
  },
  {
    pattern: /error: Warnings during manifest creation|cannot (?:open blueprint file|decode "\/config)/,
    verdict: { kind: 'builder-configuration', ofRequest: true },
  },
];
