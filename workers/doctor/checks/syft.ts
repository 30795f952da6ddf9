/** Checks whether this host can list what is in an image, which only specs with `image.sbom` need. */
import { syftVersion } from '../../../activities/tools/syft/syft.ts';
import { WorkerConfiguration } from '../../../model/spec/worker-configuration.ts';
import { failed, failedBy, ok, type Check } from '../check.ts';

/** What stands for `tools.syft` where nobody has named it. */
const USUAL = WorkerConfiguration.parse({}).tools.syft;

const billsOfMaterials: Check = {
  name: 'bills of materials',
  roles: ['build'],
  async run({ configuration }) {
    const { syft } = configuration.tools;
    try {
      const version = await syftVersion(syft);
      if (version !== null) return ok(version);
    } catch (error) {
      return failedBy(error, `see that \`${syft} --version\` works`);
    }
    if (syft === USUAL) return ok('none: Syft is not installed, which only specs with image.sbom need');
    return failed(`there is no ${syft}, which tools.syft names`, 'install Syft there, or correct tools.syft');
  },
};

export const syftChecks: readonly Check[] = [billsOfMaterials];
