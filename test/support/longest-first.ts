/** The order of test files with real tools: those of a minute and more first, so that none runs alone at the end. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const LONGEST = [
  'e2e/same-as-podman',
  'e2e/enrollment',
  'faults/worker-killed',
  'e2e/release',
  'e2e/boot-test',
  'e2e/clean-up',
  'e2e/promotion',
  'faults/servers',
  'e2e/ignore-rules',
  'e2e/prune',
  'e2e/bad-input',
  'e2e/device',
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
