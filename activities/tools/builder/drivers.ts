/** The table of drivers, each in a folder of its own. */
import { DEFAULT_DRIVER, type BuilderDriverName } from '../../../model/builder/builder-driver.ts';
import type { BuilderDriver } from './driver.ts';
import { bootcImageBuilderDriver } from './drivers/bootc-image-builder/driver.ts';
import { imageBuilderDriver } from './drivers/image-builder/driver.ts';

const DRIVERS: Record<BuilderDriverName, BuilderDriver> = {
  'bootc-image-builder': bootcImageBuilderDriver,
  'image-builder': imageBuilderDriver,
};

/** The driver of a name; a request that names none means the usual one. */
export function builderDriver(name: BuilderDriverName = DEFAULT_DRIVER): BuilderDriver {
  return DRIVERS[name];
}
