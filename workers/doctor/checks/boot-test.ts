/** Checks whether this host can do boot tests, which only specs with `bootTest` need. */
import { accelerators, findQemu } from '../../../activities/tools/qemu.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { architectureOf } from '../../../model/base/host.ts';
import { ok, warning, type Check } from '../check.ts';

const bootTests: Check = {
  name: 'boot tests',
  roles: ['build'],
  async run() {
    const architecture = architectureOf(process.arch);
    if (!architecture) return ok(`none on ${process.arch}`);
    try {
      const { program } = await findQemu(architecture);
      const [best] = await accelerators();
      return ok(
        `${program}, ${best === 'kvm' ? 'with KVM where guests run under it' : 'by emulation: there is no KVM'}`,
      );
    } catch (error) {
      if (!(error instanceof FlightlineError)) throw error;
      return warning(error.failure.message, `${error.failure.remedy.action}; only specs with bootTest need it`);
    }
  },
};

/** QEMU and its firmware. */
export const bootTestChecks: readonly Check[] = [bootTests];
