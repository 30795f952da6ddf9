import { afterEach, expect, it, vi } from 'vitest';
import verify from '../../../../client/commands/verify.ts';
import { processOutput } from '../../../../client/terminal/output.ts';

const REFERENCE = 'quay.io/acme/edge:v1';

afterEach(() => vi.unstubAllEnvs());

it('takes the key that the environment of a stack names, and --key before it', async () => {
  vi.stubEnv('FLIGHTLINE_PUBLIC_KEY', '/none/stack.pub');
  await expect(verify.run([REFERENCE], {}, processOutput())).rejects.toThrow("access '/none/stack.pub'");
  vi.stubEnv('FLIGHTLINE_PUBLIC_KEY', '');
  await expect(verify.run([REFERENCE], {}, processOutput())).rejects.toThrow('FLIGHTLINE_PUBLIC_KEY names none');
  vi.stubEnv('FLIGHTLINE_PUBLIC_KEY', '/none/stack.pub');
  const given = verify.run([REFERENCE], { key: '/none/own.pub' }, processOutput());
  await expect(given).rejects.toThrow("access '/none/own.pub'");
});
