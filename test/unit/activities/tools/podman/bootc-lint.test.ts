import { describe, expect, it } from 'vitest';
import { lintArguments, readLint } from '../../../../../activities/tools/podman/bootc-lint.ts';

describe('bootc container lint', () => {
  it('runs in the image, without network or privilege', () => {
    const args = lintArguments({ installation: 'i-1', release: 'release/quay.io/a:v1', imageId: 'f00d' });
    expect(args.slice(0, 2)).toEqual(['run', '--rm']);
    expect(args).toContain('--network=none');
    expect(args).toContain('--pull=never');
    expect(args).not.toContain('--privileged');
    expect(args).toContain('--label=io.flightline.installation=i-1');
    expect(args.slice(-4)).toEqual(['--entrypoint=bootc', 'f00d', 'container', 'lint']);
  });

  it.each<[string, number, string[], ReturnType<typeof readLint>]>([
    ['passes', 0, ['Checks passed: 11'], { kind: 'passed', warnings: [] }],
    [
      'passes with a warning',
      0,
      ['Lint warning: var-log: Found non-empty logfile', '  /var/log/dpkg.log', 'Warnings: 1'],
      { kind: 'passed', warnings: ['Lint warning: var-log: Found non-empty logfile'] },
    ],
    ['fails', 1, ['Failed lint: kernel: Found 2 kernels'], { kind: 'failed', warnings: [] }],
    [
      'is not there (runc)',
      127,
      [
        'Error: runc: exec failed: unable to start container process: exec: "bootc": executable file not ' +
          'found in $PATH',
      ],
      { kind: 'absent' },
    ],
    [
      'is not there (crun)',
      127,
      ['Error: crun: executable file `bootc` not found in $PATH: No such file or directory: OCI runtime attempted …'],
      { kind: 'absent' },
    ],
    ['ends with 127 itself', 127, ['sh: 3: frobnicate: not found'], { kind: 'failed', warnings: [] }],
  ])('%s', (_, exitCode, lines, verdict) => expect(readLint(exitCode, lines)).toEqual(verdict));
});
