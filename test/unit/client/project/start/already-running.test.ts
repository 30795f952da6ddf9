/** What a start says when another run of the release stands in its way: three lines, exit code 6. */
import { expect, it } from 'vitest';
import { alreadyRunning } from '../../../../../client/project/start/already-running.ts';
import { errorText, explain } from '../../../../../client/terminal/errors.ts';

const R = 'quay.io/acme/edge-camera:v1';

it.each([
  [
    false,
    'edge/flightline.yaml',
    [
      `error: a release of ${R} is already running; no other was started`,
      `  watch it: flightline watch ${R}`,
      `  start again: flightline run edge/flightline.yaml --replace   end it: flightline cancel ${R}`,
    ],
  ],
  [
    true,
    'flightline.yaml --tag v1',
    [
      `error: a release of ${R} is held; no other was started`,
      `  see why: flightline status ${R}   let it go on: flightline retry ${R} --spec flightline.yaml`,
      `  start again: flightline run flightline.yaml --tag v1 --replace   end it: flightline cancel ${R}`,
    ],
  ],
])('held=%s, of %s', (isHeld, spec, lines) => {
  const explained = explain(alreadyRunning(R, isHeld, spec));
  expect(errorText(explained).split('\n')).toEqual(lines);
  expect(explained.exitCode).toBe(6);
});
