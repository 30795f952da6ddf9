/** The package's version, which workers tell too. */
export { version } from '../activities/version.ts';
