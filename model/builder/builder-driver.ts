/** The builders that flightline drives: a row each. What else is theirs lies in activities/tools/builder/drivers/. */

/** What a release must know of a builder before it runs. */
interface DriverRow {
  /** What one call makes: all disk types of a family, or one type. */
  call: 'family' | 'type';
  /** The last part of the names of its images, by which it is told where a spec does not name it. */
  images: RegExp;
}

const DRIVERS = {
  'bootc-image-builder': { call: 'family', images: /^bootc-image-builder/ },
  'image-builder': { call: 'type', images: /^image-builder(?:-cli)?$/ },
} as const satisfies Record<string, DriverRow>;

export type BuilderDriverName = keyof typeof DRIVERS;

export const BUILDER_DRIVERS = Object.keys(DRIVERS) as [BuilderDriverName, ...BuilderDriverName[]];

/** The usual one: a request names another only, and an image of an unknown name is driven as this. */
export const DEFAULT_DRIVER: BuilderDriverName = 'bootc-image-builder';

/** The driver of a builder image that a spec does not name one for. */
export function driverOf(image: string): BuilderDriverName {
  const name = image.replace(/@.*$/, '').split('/').at(-1)!.replace(/:.*$/, '');
  return BUILDER_DRIVERS.find((driver) => DRIVERS[driver].images.test(name)) ?? DEFAULT_DRIVER;
}

/** Whether one call makes one type only. */
export function makesOneType(driver: BuilderDriverName = DEFAULT_DRIVER): boolean {
  return DRIVERS[driver].call === 'type';
}
