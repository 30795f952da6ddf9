/** The order of test files with real tools: those of a minute and more first, so that none runs alone at the end. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const LONGEST = [
  'e2e/same-as-podman',
  'e2e/enrollment',
  'e2e/promotion',
  'faults/worker-killed',
  'e2e/bad-input',
  'e2e/release',
  'faults/servers',
  'e2e/prune',
  'e2e/device',
  'e2e/signing',
  'e2e/nightly',
  'e2e/deployed',
  'e2e/clean-up',
];

/** Others follow in the order that Vitest gives them: as long as they took last time, else as large as they are. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).toSorted((left, right) => place(left) - place(right));
  }
}
