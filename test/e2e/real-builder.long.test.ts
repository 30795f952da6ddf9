/**
 * A builder and a base that the environment names, with FLIGHTLINE_REAL_DRIVER where its command line is another, and
 * FLIGHTLINE_REAL_INSTALLER, an image that installs others.
 */
import { describe } from 'vitest';
import { testBuilderRuns } from './builder-runs.ts';

const {
  FLIGHTLINE_REAL_BUILDER: builder,
  FLIGHTLINE_REAL_BASE: base,
  FLIGHTLINE_REAL_DRIVER: driver,
  FLIGHTLINE_REAL_INSTALLER: installer,
} = process.env;
const where = builder && base ? '' : ' (left out: set FLIGHTLINE_REAL_BUILDER and FLIGHTLINE_REAL_BASE)';

describe.skipIf(where !== '')(`a real builder${where}`, () => {
  testBuilderRuns(async () => ({ builder: builder!, base: base!, driver, installer }));
});
